"""Whose a transfer is: found by the address it went to, by what its transaction says, or by its
exact amount.

How a payment is identified is what its own option says: a network may be configured otherwise
since. An address of one payment leads to it from whatever network and in whatever asset, because the
money has arrived; a mark does so too, as no two payments have the same. An amount is one payment's
only while it is open or late, so the time a transfer was seen decides between the payments that had
it one after the other. What came to an address of many and is none of theirs is Unclaimed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeAlias

from flamewire_ledger.chains.chain import Network
from flamewire_ledger.domain.payment import OPTIONS_MAX
from flamewire_ledger.domain.transfer import Transfer
from flamewire_ledger.domain.unclaimed_transfer import WhyUnclaimed
from flamewire_ledger.queries import deposits
from flamewire_ledger.queries.database import Row
from flamewire_ledger.queries.deposits import Asks

CLOCKS_DIFFER: Final = timedelta(seconds=60)  # ours, and those of the makers of blocks
# What is more than this, of anything, is nothing: anybody can make a token of their own.
UNITS_BITS_MAX: Final = 128
_MERCHANTS_KEPT_MAX: Final = 10_000


class ReadModels(Asks, Protocol):
    """What is asked of queries.read_models.ReadModels."""

    async def deposits_at(
        self, network: str, addresses: Sequence[str], *, limit: int = ...
    ) -> Sequence[Row]: ...

    async def merchant(self, merchant_id: str) -> Row | None: ...


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose payment a transfer is for. `is_shared`: it went to an address of many."""

    payment_id: str
    merchant_id: str
    expires_at: datetime
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """It came to an address of ours, and is nobody's."""

    why: WhyUnclaimed


Whose: TypeAlias = Owner | Unclaimed
Seen: TypeAlias = tuple[Transfer, datetime | None]  # None: when is not known, or does not matter


class Identification:
    """For one network. `names` are its own and those of networks where an address can be the same;
    `shared_address` is where all its payments are paid, if they are.
    """

    def __init__(
        self,
        network: Network,
        reads: ReadModels,
        names: Sequence[str],
        *,
        shared_address: str | None = None,
        addresses_max: int = 5_000,
    ) -> None:
        self._network = network
        self._reads = reads
        self._names = names
        self._shared_address = shared_address
        self._addresses_max = addresses_max
        self._is_of_this_mode: dict[str, bool] = {}  # by merchant

    async def whose(self, seen: Sequence[Seen]) -> Mapping[str, Whose]:
        """By transfer key. Those that are not there went to no address of ours, or move nothing."""
        found: dict[str, Whose] = {}
        for some in _in_parts(seen, self._addresses_max):
            found.update(await self._whose(some))
        return found

    async def _whose(self, seen: Sequence[Seen]) -> Mapping[str, Whose]:
        owners, shared = await self._by_address({transfer.address for transfer, _ in seen})
        found: dict[str, Whose] = {}
        at_shared: list[Seen] = []
        for transfer, seen_at in seen:
            if transfer.address in shared:
                if _is_something(transfer):
                    at_shared.append((transfer, seen_at))
            elif transfer.address in owners:
                found[transfer.key] = owners[transfer.address]
        if at_shared:
            marked = await self._by_mark([transfer for transfer, _ in at_shared])
            left = [each for each in at_shared if each[0].key not in marked]
            due = await self._by_amount(left)
            for transfer, _ in at_shared:
                key = transfer.key
                whose = marked.get(key) or due.get(key)
                found[key] = whose or Unclaimed(_why(transfer, shared[transfer.address]))
        return found

    async def _by_address(
        self, addresses: Collection[str]
    ) -> tuple[Mapping[str, Owner], Mapping[str, str]]:
        """The owners of addresses that are one payment's; and how payments are told apart at those
        that many have.
        """
        owners: dict[str, Owner] = {}
        shared: dict[str, str] = {}
        if self._shared_address is not None:
            shared[self._shared_address] = self._network.identifies_by
        for name in self._names:
            missing = sorted(it for it in addresses if it not in owners and it not in shared)
            if not missing:
                break
            # One row for each way to pay: a row left out would be a payer who is not seen.
            limit = len(missing) * OPTIONS_MAX
            for row in await self._reads.deposits_at(name, missing, limit=limit):
                address = row["address"]
                if row["identified_by"] != "address":
                    shared.setdefault(address, row["identified_by"])
                elif address not in owners and await self._is_ours(row["merchant_id"]):
                    owners[address] = _owner(row)
        return owners, shared

    async def _by_mark(self, transfers: Sequence[Transfer]) -> Mapping[str, Owner]:
        owners: dict[str, Owner] = {}
        for name in self._names:
            wanted = {
                (it.address, it.mark): it.key
                for it in transfers
                if it.mark is not None and it.key not in owners
            }
            if not wanted:
                break
            by_place: dict[tuple[str, str], Owner] = {}
            for row in await deposits.marked(self._reads, name, sorted(wanted)):
                if await self._is_ours(row["merchant_id"]):
                    by_place.setdefault((row["address"], row["mark"]), _owner(row, shared=True))
            for it in transfers:
                if it.mark is not None and (it.address, it.mark) in by_place:
                    owners.setdefault(it.key, by_place[it.address, it.mark])
        return owners

    async def _by_amount(self, seen: Sequence[Seen]) -> Mapping[str, Owner]:
        """On its own network only: as many units of an asset of another are something else."""
        due = {(it.address, it.amount.asset.code, it.amount.units) for it, _ in seen}
        candidates: dict[tuple[str, str, int], list[Row]] = {}
        if due:
            for row in await deposits.due(self._reads, self._network.name, sorted(due)):
                if await self._is_ours(row["merchant_id"]):
                    place = (row["address"], row["asset"], int(row["due_units"]))
                    candidates.setdefault(place, []).append(row)
        owners: dict[str, Owner] = {}
        for it, seen_at in seen:
            rows = candidates.get((it.address, it.amount.asset.code, it.amount.units), [])
            asked = self._asked_before(rows, seen_at)
            if asked is not None:
                owners[it.key] = _owner(asked, shared=True)
        return owners

    def _asked_before(self, rows: Sequence[Row], seen_at: datetime | None) -> Row | None:
        """The newest payment, of rows newest first, that was asked for when the transfer was seen.

        The time of test merchants can be ahead of that of the chains: then it is the oldest.
        """
        if not rows or seen_at is None:
            return rows[0] if rows else None
        asked = [row for row in rows if row["requested_at"] <= seen_at + CLOCKS_DIFFER]
        if asked:
            return asked[0]
        return None if self._network.livemode else rows[-1]

    async def _is_ours(self, merchant_id: str) -> bool:
        """Whether the merchant is of this network's mode. A merchant's mode never changes."""
        known = self._is_of_this_mode.get(merchant_id)
        if known is None:
            row = await self._reads.merchant(merchant_id)
            known = row is not None and row["livemode"] == self._network.livemode
            if row is not None:
                if len(self._is_of_this_mode) >= _MERCHANTS_KEPT_MAX:
                    self._is_of_this_mode.clear()
                self._is_of_this_mode[merchant_id] = known
        return known


def _owner(row: Row, *, shared: bool = False) -> Owner:
    return Owner(row["payment_id"], row["merchant_id"], row["expires_at"], shared)


def _why(transfer: Transfer, identified_by: str) -> WhyUnclaimed:
    if identified_by == "amount":
        return "unknown_amount"
    return "no_mark" if transfer.mark is None else "unknown_mark"


def _is_something(transfer: Transfer) -> bool:
    return transfer.amount.units > 0 and transfer.amount.units.bit_length() <= UNITS_BITS_MAX


def _in_parts(items: Iterable[Any], size: int) -> Iterable[list[Any]]:
    every = list(items)
    for first in range(0, len(every), size):
        yield every[first : first + size]
