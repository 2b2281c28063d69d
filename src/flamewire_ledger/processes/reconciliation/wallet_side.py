"""The books' side of a reconciliation: what transfers moved in the wallets, and what left them by hand,
as of a position.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from flamewire_ledger.domain.reconciliation.balancing import Moved, Told
from flamewire_ledger.domain.reconciliation.matching import Movement
from flamewire_ledger.queries.database import Row
from flamewire_ledger.store.event_store import partition_of

READ_MODEL: Final = "wallet_transfers"
_DISPOSALS: Final = "disposals"
_PAGE_ROWS: Final = 10_000
_NAMED_MAX: Final = 1_000
_PAYMENTS: Final = "pi_"


class Asks(Protocol):
    async def ask(
        self, projection: str, question: str, parameters: Mapping[str, object]
    ) -> Sequence[Row]: ...

    async def merchant(self, merchant_id: str) -> Row | None: ...


class Wallets:
    """Of one network and mode: of one merchant, or of all. `positions` is one for each partition."""

    def __init__(
        self, reads: Asks, network: str, positions: Sequence[int], merchants: Sequence[str]
    ) -> None:
        self._reads = reads
        self._merchants = merchants
        self._scope: dict[str, object] = {
            "network": network,
            "merchants": list(merchants),
            "positions": _of_each(merchants, positions),
        }

    async def between(self, first: int, last: int) -> list[Movement]:
        """Every movement of the transfers that these blocks put into wallets."""
        found: list[Movement] = []
        after: tuple[str, int, str, int] = ("", -1, "", 0)
        while True:
            rows = await self._ask(
                "wallet_transfers_between",
                first=first, last=last, after_transaction=after[0], after_index=after[1],
                after_merchant=after[2], after_position=after[3], limit=_PAGE_ROWS,
            )  # fmt: skip
            found += map(_movement, rows)
            if len(rows) < _PAGE_ROWS:
                return found
            end = rows[-1]
            after = (end["transaction_id"], end["index"], end["merchant_id"], end["position"])

    async def named(self, transfers: Iterable[tuple[str, int]]) -> list[Movement]:
        """Every movement of these (transaction, index), whatever their blocks."""
        wanted = sorted(set(transfers))
        found: list[Row] = []
        for start in range(0, len(wanted), _NAMED_MAX):
            some = wanted[start : start + _NAMED_MAX]
            found += await self._ask(
                "wallet_transfers_named",
                transactions=[transaction for transaction, _ in some],
                indexes=[index for _, index in some],
                limit=_PAGE_ROWS,
            )
        return [_movement(row) for row in found]

    async def totals(self, first: int, last: int) -> Totals:
        """What was there before these blocks, and what went in and out by them."""
        rows = await self._ask("wallet_totals", first=first, last=last)
        moved = {
            row["asset"]: Moved(
                int(row["opening_units"]), int(row["in_units"]), int(row["out_units"])
            )
            for row in rows
        }
        return Totals(moved, {row["asset"]: row["decimals"] for row in rows})

    async def told(
        self, until: datetime, positions: Sequence[int] | None = None
    ) -> Mapping[str, Told]:
        """What had left by a time, by asset, as it was told up to these positions, else one's own."""
        asked = {**self._scope, "made_until": until}
        if positions is not None:
            asked["positions"] = _of_each(self._merchants, positions)
        rows = await self._reads.ask(_DISPOSALS, "disposal_totals", asked)
        return {row["asset"]: Told(int(row["out_units"]), int(row["fee_units"])) for row in rows}

    async def addresses(self) -> Sequence[str]:
        """Where what is in these wallets came to."""
        found: list[str] = []
        while rows := await self._ask(
            "wallet_addresses", after=found[-1] if found else "", limit=_PAGE_ROWS
        ):
            found += [row["address"] for row in rows]
        return found

    async def _ask(self, question: str, **parameters: Any) -> Sequence[Row]:
        return await self._reads.ask(READ_MODEL, question, {**self._scope, **parameters})


@dataclass(frozen=True, slots=True)
class Totals:
    """By asset: what transfers moved, and how many decimals it has."""

    moved: Mapping[str, Moved]
    decimals: Mapping[str, int]


def _of_each(merchants: Sequence[str], positions: Sequence[int]) -> list[int]:
    return [positions[partition_of(each, len(positions))] for each in merchants]


async def owners_of(reads: Asks, network: str, *, livemode: bool) -> list[str]:
    """The merchants of a mode whose books have transfers of a network."""
    found: list[str] = []
    after = ""
    while rows := await reads.ask(
        READ_MODEL, "wallet_owners", {"network": network, "after": after, "limit": _PAGE_ROWS}
    ):
        after = rows[-1]["merchant_id"]
        for row in rows:
            merchant = await reads.merchant(row["merchant_id"])
            if merchant is not None and merchant["livemode"] == livemode:
                found.append(row["merchant_id"])
    return found


def _movement(row: Row) -> Movement:
    return Movement(
        key=f"{row['network']}/{row['transaction_id']}/{row['index']}",
        stream_id=row["stream_id"],
        address=row["address"],
        asset=row["asset"],
        units=int(row["units"]),
        height=row["height"],
        block_hash=row["block_hash"],
        at=row["at"],
        is_of_payment=row["stream_id"].startswith(_PAYMENTS),
    )
