"""Disposals: what a wallet has that could be disposed of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from flamewire_ledger.billing.journal import Moment
from flamewire_ledger.domain.posting import REFUNDS_PAYABLE, wallet
from flamewire_ledger.queries.database import Row

READ_MODEL: Final = "disposals"


class Asks(Protocol):
    """queries.read_models.ReadModels keeps it."""

    async def ask(
        self, projection: str, question: str, parameters: Mapping[str, object]
    ) -> Sequence[Row]: ...


@dataclass(frozen=True, slots=True)
class Holding:
    """Of one asset in one wallet: what came and what of it is to be given back, both without its
    disposals, and how many of those there were.
    """

    received_units: int
    owed_units: int
    seen: int


async def holding(
    reads: Asks, moment: Moment, network: str, asset: str, holding_id: str
) -> Holding:
    """As the books have it at the moment."""
    asked = {
        "merchant_id": moment.merchant_id,
        "wallet": wallet(network),
        "owed": REFUNDS_PAYABLE,
        "asset": asset,
        "holding_id": holding_id,
        "until": moment.position,
    }
    (row,) = await reads.ask(READ_MODEL, "holding_at", asked)
    return Holding(int(row["received_units"]), int(row["owed_units"]), row["seen"])
