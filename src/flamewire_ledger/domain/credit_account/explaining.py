"""Where each digit of a balance comes from: what every event did to which part of it, and the sums.

A change moves units between the parts of a balance: what is available, held, consumed, and so on. The
changes of all events add up to the balance, those of one grant to what became of that grant, and each
can be asked for. Nothing here decides anything; it says what the facts say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias, assert_never

from flamewire_ledger.domain.credit_account import facts
from flamewire_ledger.domain.credit_account.burning import lapsed_and_taken_back
from flamewire_ledger.domain.credit_account.evolving import evolve
from flamewire_ledger.domain.credit_account.facts import CreditAccountEvent, Slice
from flamewire_ledger.domain.credit_account.state import CreditAccount, GrantTerms

Part: TypeAlias = Literal[
    "granted", "transferred_in", "owed",
    "available", "held", "consumed", "expired", "taken_back", "transferred_out",
    "settled",  # of a grant: what it gave for an old debt, which is no part of the balance
]  # fmt: skip
GIVEN: Final[tuple[Part, ...]] = ("granted", "transferred_in", "owed")
USED: Final[tuple[Part, ...]] = (
    "available", "held", "consumed", "expired", "taken_back", "transferred_out",
)  # fmt: skip
BALANCE: Final = (*GIVEN, *USED)  # the sum of GIVEN is the sum of USED
_TIMES: Final[Mapping[type[CreditAccountEvent], str]] = {
    facts.CreditAccountOpened: "opened_at",
    facts.CreditsGranted: "granted_at",
    facts.CreditsConsumed: "consumed_at",
    facts.CreditsHeld: "held_at",
    facts.HoldCaptured: "captured_at",
    facts.HoldReleased: "released_at",
    facts.GrantExpired: "expired_at",
    facts.GrantReversed: "reversed_at",
    facts.CreditsRefunded: "refunded_at",
    facts.PurchaseRefunded: "refunded_at",
    facts.CreditsTransferredOut: "transferred_at",
    facts.CreditsTransferredIn: "transferred_at",
    facts.OverageSet: "set_at",
    facts.ExpiryWarned: "warned_at",
    facts.RecurringGrantSet: "set_at",
    facts.RecurringGrantSkipped: "skipped_at",
    facts.RecurringGrantCanceled: "canceled_at",
    facts.CreditsEarned: "earned_at",
}


@dataclass(frozen=True, slots=True)
class Change:
    """What one event did to one grant, or (None) to the account beside all grants."""

    grant_id: str | None
    units: Mapping[Part, int]


@dataclass(frozen=True, slots=True)
class Line:
    """One event that changed the balance. `position` None: time alone has done it, so far."""

    position: int | None
    kind: str
    at: datetime
    changes: tuple[Change, ...]
    event: CreditAccountEvent | None = None

    def units(self, grant_id: str | None = None) -> Counter[Part]:
        """What it did in all, or to one grant."""
        total: Counter[Part] = Counter()
        for change in self.changes:
            if grant_id in (None, change.grant_id):
                total.update(change.units)
        return Counter({part: units for part, units in total.items() if units})

    def touches(self, grant_id: str) -> bool:
        return any(change.grant_id == grant_id for change in self.changes)


def line_of(position: int, event: CreditAccountEvent) -> Line | None:
    """The event as a line, or None when it changed nothing that is counted."""
    changes = tuple(changes_of(event))
    if not changes:
        return None
    kind = event.type.partition(".")[2].rpartition(".")[0]
    return Line(position, kind, time_of(event), changes, event)


def time_of(event: CreditAccountEvent) -> datetime:
    at: datetime = getattr(event, _TIMES[type(event)])
    return at.astimezone(UTC)


def changes_of(event: CreditAccountEvent) -> Iterator[Change]:
    """Every change of an event; of none, GIVEN and USED change alike."""
    match event:
        case facts.CreditsGranted():
            units, settles = event.amount.units, event.settles.units
            yield _came("granted", event.grant_id, units, settles)
        case facts.CreditsTransferredIn():
            for part in event.grants:
                yield _came("transferred_in", part.grant_id, part.units, part.settles)
        case facts.CreditsConsumed():
            yield from _moved(event.slices, "available", "consumed")
            yield from _beside({"consumed": event.overage.units, "owed": event.overage.units})
        case facts.CreditsHeld():
            yield from _moved(event.slices, "available", "held")
        case facts.HoldCaptured():
            yield from _moved(event.slices, "held", "consumed")
            yield from _let_go(event.released, event.lapsed, event.taken_back)
            yield from _beside({"taken_back": event.owed.units, "owed": event.owed.units})
        case facts.HoldReleased():
            yield from _let_go(event.slices, event.lapsed, event.taken_back)
        case facts.CreditsTransferredOut():
            yield from _moved(event.slices, "available", "transferred_out")
        case facts.CreditsRefunded():
            yield from _refunded(event)
        case facts.GrantExpired() | facts.GrantReversed() | facts.PurchaseRefunded():
            yield from _ended(event)
        case facts.CreditAccountOpened() | facts.OverageSet() | facts.ExpiryWarned():
            return
        case (
            facts.RecurringGrantSet()
            | facts.RecurringGrantSkipped()
            | facts.RecurringGrantCanceled()
            | facts.CreditsEarned()
        ):
            return
        case _:
            assert_never(event)


def _came(how: Part, grant_id: str, units: int, settles: int) -> Change:
    parts: dict[Part, int] = {how: units, "available": units - settles}
    if settles:
        parts |= {"settled": settles, "owed": -settles}
    return Change(grant_id, parts)


def _moved(slices: Iterable[Slice], source: Part, target: Part) -> Iterator[Change]:
    for part in slices:
        yield Change(part.grant_id, {source: -part.units, target: part.units})


def _beside(units: Mapping[Part, int]) -> Iterator[Change]:
    if any(units.values()):
        yield Change(None, units)


def _let_go(
    released: Iterable[Slice], lapsed: tuple[Slice, ...], taken_back: tuple[Slice, ...]
) -> Iterator[Change]:
    for part in released:
        target: Part = "available"
        if part in lapsed:
            target = "expired"
        elif part in taken_back:
            target = "taken_back"
        yield Change(part.grant_id, {"held": -part.units, target: part.units})


def _refunded(event: facts.CreditsRefunded) -> Iterator[Change]:
    """What was burnt of reversed grants was owed, as what no grant covered: neither is any more."""
    lapsed = {part.grant_id for part in event.lapsed}
    without_grant = event.amount.units
    for source, slices in (("consumed", event.slices), ("settled", event.settled)):
        for part in slices:
            target: Part = "expired" if part.grant_id in lapsed else "available"
            out: Part = "consumed" if source == "consumed" else "settled"
            yield Change(part.grant_id, {out: -part.units, target: part.units})
            without_grant -= part.units if source == "consumed" else 0
    yield from _moved(event.taken_back, "consumed", "taken_back")
    undone = sum(part.units for part in event.taken_back)
    yield from _beside(
        {
            "consumed": undone - without_grant,
            "taken_back": -undone,
            "owed": -event.owed.units,
        }
    )


def _ended(
    event: facts.GrantExpired | facts.GrantReversed | facts.PurchaseRefunded,
) -> Iterator[Change]:
    match event:
        case facts.GrantExpired():
            units = event.amount.units
            yield Change(event.grant_id, {"available": -units, "expired": units})
        case facts.PurchaseRefunded():
            units = event.amount.units
            yield Change(event.grant_id, {"available": -units, "taken_back": units})
        case facts.GrantReversed():
            units = event.taken_back.units
            yield Change(event.grant_id, {"available": -units, "taken_back": units})
            yield from _beside({"taken_back": event.owed.units, "owed": event.owed.units})
        case _:
            assert_never(event)


@dataclass(slots=True)
class Told:
    """What became of one grant, or happened in one period."""

    units: Counter[Part] = field(default_factory=Counter)
    events: int = 0
    first_position: int = 0
    last_position: int = 0

    def take(self, position: int | None, units: Mapping[Part, int]) -> None:
        self.units.update(units)
        if position is not None:
            self.events += 1
            self.first_position = self.first_position or position
            self.last_position = position


@dataclass(slots=True)
class Explanation:
    """Add events in their order, then say when: `until` adds what time alone has done by then.

    It keeps sums for each grant, kind and period, and of the lines only those that are wanted:
    of `grant_id`, of the time that begins with `period` (such as 2026-11), behind `after`.
    """

    days: bool = False  # periods of a day instead of a month
    grant_id: str | None = None
    period: str = ""
    after: int = 0
    lines_max: int = 100
    state: CreditAccount | None = None
    totals: Told = field(default_factory=Told)
    kinds: dict[str, Told] = field(default_factory=dict)
    grants: dict[str, Told] = field(default_factory=dict)
    periods: dict[str, Told] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    has_more: bool = False

    def take(self, position: int, event: CreditAccountEvent) -> None:
        self.state = evolve(self.state, event)
        line = line_of(position, event)
        if line is not None:
            self._add(line)

    def until(self, at: datetime) -> None:
        """Call it once, in the end."""
        if self.state is not None:
            for line in _by_time(self.state, at):
                self._add(line)

    def terms(self, grant_id: str) -> GrantTerms:
        assert self.state is not None, "there is a grant, so there is an account"
        grant = self.state.grant(grant_id)
        assert grant is not None, "what events speak of was granted"
        return grant.terms

    def _add(self, line: Line) -> None:
        units = line.units()
        self.totals.take(line.position, units)
        self.kinds.setdefault(line.kind, Told()).take(line.position, units)
        day = line.at.date().isoformat()
        period = day if self.days else day[:7]
        if day.startswith(self.period):
            self.periods.setdefault(period, Told()).take(line.position, units)
        touched = dict.fromkeys(it.grant_id for it in line.changes if it.grant_id is not None)
        for grant_id in touched:
            told = self.grants.setdefault(grant_id, Told())
            told.take(line.position, line.units(grant_id))
        self._keep(line, day)

    def _keep(self, line: Line, day: str) -> None:
        if not day.startswith(self.period) or (line.position or self.after + 1) <= self.after:
            return
        if self.grant_id is not None and not line.touches(self.grant_id):
            return
        if len(self.lines) < self.lines_max:
            self.lines.append(line)
        else:
            self.has_more = True


def _by_time(state: CreditAccount, at: datetime) -> Iterator[Line]:
    """What has lapsed or is let go by a time, before an event says so."""
    for hold in state.holds.values():
        if hold.expires_at <= at:
            gone = lapsed_and_taken_back(state, hold.slices, at)
            changes = tuple(_let_go(hold.slices, *gone))
            yield Line(None, "hold_over", hold.expires_at, changes)
    for grant in state.grants:
        if grant.is_over(at) and grant.remaining:
            lapsed: dict[Part, int] = {"available": -grant.remaining, "expired": grant.remaining}
            ended = grant.terms.expires_at or at
            yield Line(None, "grant_over", ended, (Change(grant.terms.grant_id, lapsed),))
