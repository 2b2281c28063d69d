"""Payments behind an address of many: by what a transfer's transaction says, or by its exact units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from flamewire_ledger.queries.database import Row

READ_MODEL: Final = "deposit_addresses"
SAME_AMOUNT_MAX: Final = 12  # payments that had an amount one after the other, each for a month


class Asks(Protocol):
    """What is asked of ReadModels."""

    async def ask(
        self, projection: str, question: str, parameters: Mapping[str, object]
    ) -> Sequence[Row]: ...


async def marked(reads: Asks, network: str, places: Sequence[tuple[str, str]]) -> Sequence[Row]:
    """The payments of these (address, mark)."""
    return await reads.ask(
        READ_MODEL,
        "deposits_marked",
        {
            "network": network,
            "addresses": [address for address, _ in places],
            "marks": [mark for _, mark in places],
        },
    )


async def due(reads: Asks, network: str, places: Sequence[tuple[str, str, int]]) -> Sequence[Row]:
    """The payments that ask for exactly these (address, asset, units), the newest of each first."""
    return await reads.ask(
        READ_MODEL,
        "deposits_due",
        {
            "network": network,
            "addresses": [address for address, _, _ in places],
            "assets": [asset for _, asset, _ in places],
            "units": [units for _, _, units in places],
            "limit": SAME_AMOUNT_MAX,
        },
    )
