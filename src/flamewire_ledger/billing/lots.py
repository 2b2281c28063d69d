"""Tax lots: what was received, and which of it was disposed of. Exact: units and costs are whole numbers.

Every receipt opens a lot, every disposal takes units from lots by a method, and says from which. A
part of a lot takes its share of the cost rounded down, and what is left of the lot keeps the rest, so
that costs add up to the last unit. This is arithmetic and no tax advice.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any, Final, Literal, TypeAlias, assert_never

Method: TypeAlias = Literal["fifo", "lifo", "hifo", "average", "specific"]
Scope: TypeAlias = Literal["wallet", "universal"]
Term: TypeAlias = Literal["short", "long"]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class LotError(ValueError):
    """A lot or disposal that cannot be; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Lot:
    """Units that were received at once. `cost` is in base units of the currency; None: nothing
    recorded says what they were worth. `origin` names what they came by, such as a payment."""

    id: str
    asset: str
    wallet: str
    units: int
    cost: int | None
    acquired_at: datetime
    origin: str = ""

    def __post_init__(self) -> None:
        if self.units <= 0 or (self.cost is not None and self.cost < 0):
            raise LotError("a lot has units, and costs nothing or more")


@dataclass(frozen=True, slots=True)
class Disposal:
    """Units that went away. `lots` are taken from first, in this order (specific identification)."""

    id: str
    asset: str
    wallet: str
    units: int
    proceeds: int | None
    disposed_at: datetime
    kind: str
    lots: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.units <= 0 or (self.proceeds is not None and self.proceeds < 0):
            raise LotError("a disposal has units, and brings nothing or more")


@dataclass(frozen=True, slots=True)
class Match:
    """The part of a disposal that came from one lot; from none where more went than there was."""

    disposal: Disposal
    lot: Lot | None
    units: int
    cost: int | None
    proceeds: int | None

    @property
    def gain(self) -> int | None:
        return None if self.cost is None or self.proceeds is None else self.proceeds - self.cost

    @property
    def term(self) -> Term | None:
        """Long when it was held for more than a year, by days in UTC (26 USC 1222)."""
        if self.lot is None:
            return None
        bought = self.lot.acquired_at.astimezone(UTC).date()
        sold = self.disposal.disposed_at.astimezone(UTC).date()
        return "long" if sold > _anniversary(bought) else "short"


def _anniversary(day: date) -> date:
    is_leap_day = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year + 1, day=28 if is_leap_day else day.day)


@dataclass(slots=True)
class Open:
    """What is left of a lot."""

    lot: Lot
    units: int
    cost: int | None

    def take(self, units: int) -> int | None:
        """Its cost."""
        cost = None if self.cost is None else self.cost * units // self.units
        self.units -= units
        if self.cost is not None and cost is not None:
            self.cost -= cost
        return cost


@dataclass(slots=True)
class _Pool:
    """The open lots of one asset, in one wallet or in all of them."""

    lots: dict[str, Open] = field(default_factory=dict)
    order: list[tuple[Any, str]] = field(default_factory=list)  # a heap; closed lots are left in it
    units: int = 0  # of lots with a cost, and that cost: what an average is made of
    cost: int = 0


Taken: TypeAlias = tuple[Lot, int, int | None]  # so many units of it, and what they had cost


def _matched(disposal: Disposal, taken: Sequence[Taken]) -> tuple[Match, ...]:
    """Proceeds shared as units are; what no lot covers is a part of its own."""
    missing = disposal.units - sum(units for _, units, _ in taken)
    parts: list[tuple[Lot | None, int, int | None]] = [*taken]
    if missing:
        parts.append((None, missing, None))
    matches, done, told = [], 0, 0
    for lot, units, cost in parts:
        done += units
        proceeds = None
        if disposal.proceeds is not None:
            proceeds = disposal.proceeds * done // disposal.units - told
            told += proceeds
        matches.append(Match(disposal, lot, units, cost, proceeds))
    return tuple(matches)


class LotBook:
    """The lots of a merchant under one method. Give it what happened in the order it happened."""

    def __init__(self, method: Method, scope: Scope) -> None:
        self._method: Method = method
        self._scope: Scope = scope
        self._pools: dict[tuple[str, str], _Pool] = {}
        self._by_origin: dict[tuple[str, str], list[str]] = {}
        self._number = 0

    def acquire(self, lot: Lot) -> None:
        """Raises LotError for an id that is there already."""
        pool = self._pool(lot.asset, lot.wallet)
        if lot.id in pool.lots:
            raise LotError(f"there is a lot {lot.id} already")
        self._open(pool, Open(lot, lot.units, lot.cost))
        if lot.origin:
            self._by_origin.setdefault((lot.asset, lot.origin), []).append(lot.id)

    def dispose(self, disposal: Disposal) -> tuple[Match, ...]:
        """From which lots the units came, and what they had cost. All units are in the answer.

        A lot that was acquired after the disposal is not taken from.
        """
        return _matched(disposal, self._taken(disposal))

    def take_back(self, origin: str, disposal: Disposal) -> tuple[Match, ...]:
        """What came by `origin` never came: its lots go at their own cost, and nothing is gained.

        Where it was disposed of before, other lots stand in for it. An average is what it was
        without them, as far as their cost has not gone with disposals.
        """
        named = self._by_origin.get((disposal.asset, origin), [])
        pool = self._pool(disposal.asset, disposal.wallet)
        whole = [it for it in named if it in pool.lots and pool.lots[it].units == disposal.units]
        others = [it for it in named if it not in whole]
        given = replace(disposal, lots=(*whole, *others))
        taken = self._taken(given, at_own_cost=True)
        return tuple(replace(match, proceeds=match.cost) for match in _matched(given, taken))

    def move(self, asset: str, source: str, target: str, units: int, at: datetime) -> None:
        """Between wallets of the same owner: lots go along with their cost and their age."""
        if self._scope == "universal" or source == target:
            return
        moved = Disposal(f"{source}>{target}", asset, source, units, None, at, "transfer")
        pool = self._pool(asset, target)
        for lot, taken, cost in self._taken(moved):
            self._number += 1
            part = replace(
                lot, id=f"{lot.id}/{self._number}", wallet=target, units=taken, cost=cost
            )
            self._open(pool, Open(part, taken, cost))
            if lot.origin:
                self._by_origin.setdefault((asset, lot.origin), []).append(part.id)

    def open_lots(self) -> Iterator[Open]:
        """What is left, by asset and wallet, the oldest first. Under the average method each lot has
        its share of the average cost."""
        for (_, _), pool in sorted(self._pools.items()):
            left = sorted(pool.lots.values(), key=lambda it: (it.lot.acquired_at, it.lot.id))
            if self._method != "average":
                yield from left
                continue
            units, cost = pool.units, pool.cost
            for it in left:
                if it.cost is None:
                    yield it
                    continue
                share = cost * it.units // units
                units, cost = units - it.units, cost - share
                yield Open(it.lot, it.units, share)

    def _pool(self, asset: str, wallet: str) -> _Pool:
        place = (asset, wallet if self._scope == "wallet" else "")
        return self._pools.setdefault(place, _Pool())

    def _open(self, pool: _Pool, it: Open) -> None:
        self._number += 1
        pool.lots[it.lot.id] = it
        heapq.heappush(pool.order, (self._key(it.lot), it.lot.id))
        if it.cost is not None:
            pool.units += it.units
            pool.cost += it.cost

    def _key(self, lot: Lot) -> tuple[Any, ...]:
        """Which lot goes first: the least. Among equals the older, then the one that was told first."""
        age = (lot.acquired_at - _EPOCH) // timedelta(microseconds=1)
        match self._method:
            case "fifo" | "average" | "specific":
                return age, self._number
            case "lifo":
                return -age, -self._number
            case "hifo":
                if lot.cost is None:
                    return 1, 0, age, self._number
                return 0, -Fraction(lot.cost, lot.units), age, self._number
            case _:
                assert_never(self._method)

    def _taken(self, disposal: Disposal, *, at_own_cost: bool = False) -> list[Taken]:
        pool = self._pool(disposal.asset, disposal.wallet)
        is_average = self._method == "average" and not at_own_cost
        stood_at = pool.cost, pool.units
        taken: list[Taken] = []
        left, averaged, told = disposal.units, 0, 0
        with closing(self._candidates(pool, disposal)) as candidates:
            for it in candidates:
                units = min(left, it.units)
                cost = it.take(units)
                if cost is not None and is_average:
                    averaged += units
                    # Rounded once for all of the disposal, as the books round it.
                    cost = stood_at[0] * averaged // stood_at[1] - told
                    told += cost
                elif cost is not None and self._method == "average":
                    cost = pool.cost if units == pool.units else min(cost, pool.cost)
                if cost is not None:
                    pool.units -= units
                    pool.cost -= cost
                taken.append((it.lot, units, cost))
                left -= units
                if not it.units:
                    self._close(pool, it.lot)
                if not left:
                    break
        return taken

    def _candidates(self, pool: _Pool, disposal: Disposal) -> Generator[Open, None, None]:
        """Open lots in the order in which they go. Close it: what it put aside goes back."""
        for lot_id in disposal.lots:
            if lot_id in pool.lots:
                yield pool.lots[lot_id]
        later: list[tuple[Any, str]] = []
        try:
            while pool.order:
                lot = pool.lots.get(pool.order[0][1])
                if lot is None:
                    heapq.heappop(pool.order)
                elif lot.lot.acquired_at > disposal.disposed_at:
                    later.append(heapq.heappop(pool.order))
                else:
                    yield lot
        finally:
            for each in later:
                heapq.heappush(pool.order, each)

    def _close(self, pool: _Pool, lot: Lot) -> None:
        del pool.lots[lot.id]
        kept = self._by_origin.get((lot.asset, lot.origin))
        if kept is not None:
            kept.remove(lot.id)
            if not kept:
                del self._by_origin[lot.asset, lot.origin]
