"""What the facts of a credit account add up to, and its balance at a time.

Grants with something left in them are kept apart from those that are used up, so that the millionth
call costs what the first did. Time is never part of the state: a grant that is past its time may
still be among the living ones, and everything that reads them asks when.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple, assert_never

from flamewire_ledger.domain.credit_account.facts import (
    CREDIT,
    CreditAccountEvent,
    CreditAccountOpened,
    CreditsConsumed,
    CreditsGranted,
    CreditsHeld,
    GrantExpired,
    GrantReversed,
    HoldCaptured,
    HoldReleased,
    Slice,
    Source,
)
from flamewire_ledger.domain.money import Amount

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """What does not change about a grant."""

    grant_id: str
    units: int
    source: Source
    priority: int
    expires_at: datetime | None
    granted_at: datetime
    payment_id: str | None

    @property
    def burn_order(self) -> tuple[int, datetime, bool, datetime, str]:
        """Smaller burns first; the id makes the order total."""
        expires_at = self.expires_at or _NEVER
        is_purchased = self.source == "purchased"
        return self.priority, expires_at, is_purchased, self.granted_at, self.grant_id


@dataclass(frozen=True, slots=True)
class Grant:
    """Units: `remaining` can be burnt, `held` belong to open holds, `spent` are gone."""

    terms: GrantTerms
    remaining: int
    held: int
    spent: int  # burnt, or given to what the account owed
    is_expired: bool = False  # a fact said so; time may have run out before
    is_reversed: bool = False

    def is_over(self, at: datetime) -> bool:
        """Whether nothing of it can be burnt at that time, said so or not."""
        expires_at = self.terms.expires_at
        return self.is_expired or (expires_at is not None and expires_at <= at)


@dataclass(frozen=True, slots=True)
class Hold:
    hold_id: str
    slices: tuple[Slice, ...]
    expires_at: datetime

    @property
    def units(self) -> int:
        return sum(part.units for part in self.slices)


@dataclass(frozen=True, slots=True)
class CreditAccount:
    """granted + owed = consumed + expired + taken_back + what remains and is held of the grants."""

    opened: CreditAccountOpened
    grants: tuple[Grant, ...] = ()  # with something left or held, in burn order
    holds: dict[str, Hold] = field(default_factory=dict)  # open ones
    # Grants that are used up, on shelves by the last letter of their id: one more copies one shelf.
    used_up: dict[str, dict[str, Grant]] = field(default_factory=dict)
    granted: int = 0
    consumed: int = 0
    expired: int = 0
    taken_back: int = 0  # of reversed grants: what was left, and what is owed instead
    owed: int = 0  # spent without a grant: overage, and what reversed grants had paid for

    def grant(self, grant_id: str) -> Grant | None:
        """A grant of this account, used up or not."""
        for grant in self.grants:
            if grant.terms.grant_id == grant_id:
                return grant
        return self.used_up.get(grant_id[-1:], {}).get(grant_id)


@dataclass(frozen=True, slots=True)
class Balance:
    """granted + owed = available + held + consumed + expired + taken_back."""

    available: Amount
    held: Amount
    granted: Amount
    consumed: Amount
    expired: Amount
    owed: Amount
    taken_back: Amount


class BalanceUnits(NamedTuple):
    """A Balance in base units of CREDIT, and in its order."""

    available: int
    held: int
    granted: int
    consumed: int
    expired: int
    owed: int
    taken_back: int


def balance(account: CreditAccount, at: datetime) -> Balance:
    """The balance at a time: what has lapsed by then is lapsed, whether a fact said so or not."""
    return Balance(*[Amount(CREDIT, units) for units in balance_units(account, at)])


def balance_units(account: CreditAccount, at: datetime) -> BalanceUnits:
    """As `balance`, without an Amount for each number: every answer about an account ends with one."""
    available = held = expired = taken_back = 0
    for grant in account.grants:
        if grant.is_over(at):
            expired += grant.remaining
        else:
            available += grant.remaining
    for hold in account.holds.values():
        if hold.expires_at > at:
            held += hold.units
            continue
        for part in hold.slices:
            grant_ = account.grant(part.grant_id)
            assert grant_ is not None, "a hold is of grants of this account"
            if grant_.is_reversed:
                taken_back += part.units
            elif grant_.is_over(at):
                expired += part.units
            else:
                available += part.units
    return BalanceUnits(
        available,
        held,
        account.granted,
        account.consumed,
        account.expired + expired,
        account.owed,
        account.taken_back + taken_back,
    )


def grants_in_burn_order(account: CreditAccount, at: datetime) -> tuple[Grant, ...]:
    """The grants that can still be burnt or are held at that time, what burns first in front."""
    return tuple(grant for grant in account.grants if grant.held or not grant.is_over(at))


def evolve(account: CreditAccount | None, event: CreditAccountEvent) -> CreditAccount:
    """Fold one fact into the state. Total, and free of rules: a recorded fact has happened."""
    if isinstance(event, CreditAccountOpened):
        return CreditAccount(opened=event)
    assert account is not None, "a credit account's first fact is CreditAccountOpened"
    match event:
        case CreditsConsumed():
            return _consumed(account, event)
        case CreditsGranted():
            return _granted(account, event)
        case CreditsHeld():
            return _held(account, event)
        case HoldCaptured():
            return _captured(account, event)
        case HoldReleased():
            return _released(account, event)
        case GrantExpired():
            return _grant_expired(account, event)
        case GrantReversed():
            return _grant_reversed(account, event)
        case _:
            assert_never(event)


def _granted(account: CreditAccount, event: CreditsGranted) -> CreditAccount:
    terms = GrantTerms(
        grant_id=event.grant_id,
        units=event.amount.units,
        source=event.source,
        priority=event.priority,
        expires_at=event.expires_at,
        granted_at=event.granted_at,
        payment_id=event.payment_id,
    )
    settles = event.settles.units
    grant = Grant(terms=terms, remaining=event.amount.units - settles, held=0, spent=settles)
    grants = list(account.grants)
    insort(grants, grant, key=lambda other: other.terms.burn_order)
    account = replace(
        account,
        grants=tuple(grants),
        granted=account.granted + event.amount.units,
        owed=account.owed - settles,
    )
    return account if grant.remaining else _with_grants(account, {event.grant_id: grant})


def _consumed(account: CreditAccount, event: CreditsConsumed) -> CreditAccount:
    grants, used_up = _burnt(account, event.slices)
    # Written out, because this is the fact there are most of and replace() takes twice as long.
    return CreditAccount(
        account.opened,
        grants,
        account.holds,
        used_up,
        account.granted,
        account.consumed + event.amount.units,
        account.expired,
        account.taken_back,
        account.owed + event.overage.units,
    )


def _burnt(
    account: CreditAccount, slices: Iterable[Slice]
) -> tuple[tuple[Grant, ...], dict[str, dict[str, Grant]]]:
    """The grants when slices of them are spent. Both are in burn order, so one pass finds all."""
    grants = list(account.grants)
    used_up = account.used_up
    index = 0
    for part in slices:
        while grants[index].terms.grant_id != part.grant_id:
            index += 1
        old = grants[index]
        remaining, spent = old.remaining - part.units, old.spent + part.units
        grant = Grant(old.terms, remaining, old.held, spent, old.is_expired, old.is_reversed)
        if remaining or grant.held:
            grants[index] = grant
        else:
            del grants[index]
            used_up = _put_away(used_up, grant)
    return tuple(grants), used_up


def _held(account: CreditAccount, event: CreditsHeld) -> CreditAccount:
    changed = {
        part.grant_id: replace(
            grant, remaining=grant.remaining - part.units, held=grant.held + part.units
        )
        for part, grant in _parts(account, event.slices)
    }
    hold = Hold(event.hold_id, event.slices, event.expires_at)
    account = replace(account, holds={**account.holds, event.hold_id: hold})
    return _with_grants(account, changed)


def _captured(account: CreditAccount, event: HoldCaptured) -> CreditAccount:
    account = _let_go(account, event.released, event.lapsed, event.taken_back)
    changed = {
        part.grant_id: replace(grant, held=grant.held - part.units, spent=grant.spent + part.units)
        for part, grant in _parts(account, event.slices)
    }
    account = replace(
        account,
        holds=_without(account.holds, event.hold_id),
        consumed=account.consumed + event.captured.units,
        taken_back=account.taken_back + event.owed.units,
        owed=account.owed + event.owed.units,
    )
    return _with_grants(account, changed)


def _released(account: CreditAccount, event: HoldReleased) -> CreditAccount:
    account = replace(account, holds=_without(account.holds, event.hold_id))
    return _let_go(account, event.slices, event.lapsed, event.taken_back)


def _let_go(
    account: CreditAccount,
    released: tuple[Slice, ...],
    lapsed: tuple[Slice, ...],
    taken_back: tuple[Slice, ...],
) -> CreditAccount:
    """Slices of a hold go back to their grants, but for those that lapse or are taken back."""
    gone = {part.grant_id for part in (*lapsed, *taken_back)}
    changed = {}
    for part, grant in _parts(account, released):
        back = 0 if part.grant_id in gone else part.units
        changed[part.grant_id] = replace(
            grant, held=grant.held - part.units, remaining=grant.remaining + back
        )
    account = replace(
        account,
        expired=account.expired + sum(part.units for part in lapsed),
        taken_back=account.taken_back + sum(part.units for part in taken_back),
    )
    return _with_grants(account, changed)


def _grant_expired(account: CreditAccount, event: GrantExpired) -> CreditAccount:
    grant = account.grant(event.grant_id)
    assert grant is not None, "what expires was granted"
    account = replace(account, expired=account.expired + event.amount.units)
    over = replace(grant, remaining=grant.remaining - event.amount.units, is_expired=True)
    return _with_grants(account, {event.grant_id: over})


def _grant_reversed(account: CreditAccount, event: GrantReversed) -> CreditAccount:
    grant = account.grant(event.grant_id)
    assert grant is not None, "what is reversed was granted"
    account = replace(
        account,
        taken_back=account.taken_back + event.taken_back.units + event.owed.units,
        owed=account.owed + event.owed.units,
    )
    undone = replace(grant, remaining=grant.remaining - event.taken_back.units, is_reversed=True)
    return _with_grants(account, {event.grant_id: undone})


def _parts(account: CreditAccount, slices: Iterable[Slice]) -> list[tuple[Slice, Grant]]:
    parts = []
    for part in slices:
        grant = account.grant(part.grant_id)
        assert grant is not None, "a slice is of a grant of this account"
        parts.append((part, grant))
    return parts


def _with_grants(account: CreditAccount, changed: Mapping[str, Grant]) -> CreditAccount:
    grants, used_up = _replaced(account, changed)
    return replace(account, grants=grants, used_up=used_up)


def _replaced(
    account: CreditAccount, changed: Mapping[str, Grant]
) -> tuple[tuple[Grant, ...], dict[str, dict[str, Grant]]]:
    """The grants with some changed, and those that are used up by that put on their shelf."""
    grants = list(account.grants)
    used_up = account.used_up
    to_find = dict(changed)
    index = 0
    while to_find and index < len(grants):
        grant_id = grants[index].terms.grant_id
        grant = to_find.pop(grant_id, None)
        if grant is None:
            index += 1
        elif grant.remaining or grant.held:
            grants[index] = grant
            index += 1
        else:
            del grants[index]
            used_up = _put_away(used_up, grant)
    for grant in to_find.values():  # was on its shelf before
        used_up = _put_away(used_up, grant)
    return tuple(grants), used_up


def _put_away(used_up: dict[str, dict[str, Grant]], grant: Grant) -> dict[str, dict[str, Grant]]:
    grant_id = grant.terms.grant_id
    shelf = grant_id[-1:]
    return {**used_up, shelf: {**used_up.get(shelf, {}), grant_id: grant}}


def _without(holds: dict[str, Hold], hold_id: str) -> dict[str, Hold]:
    return {key: hold for key, hold in holds.items() if key != hold_id}
