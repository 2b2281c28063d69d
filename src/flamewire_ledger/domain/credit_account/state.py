"""What the facts of a credit account add up to, and its balance at a time.

Grants with something left in them are kept apart from those that are used up, so that the millionth
call costs what the first did. Time is never part of the state: a grant that is past its time may
still be among the living ones, and everything that reads them asks when.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

from flamewire_ledger.domain.credit_account.facts import (
    CREDIT,
    CreditAccountOpened,
    EarnedGrant,
    RecurringGrantSet,
    Slice,
    Source,
)
from flamewire_ledger.domain.money import Amount

_NEVER = datetime.max.replace(tzinfo=UTC)
NO_DAY: Final = datetime.min.replace(tzinfo=UTC)  # all that was earned is told


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
    cost: Amount | None = None
    bought_grant_id: str | None = None  # that the payment made: this, or what this is a part of

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
    spent: int  # burnt, given to what the account owed, or to another account
    is_expired: bool = False  # a fact said so; time may have run out before
    is_reversed: bool = False
    warned_days: int = 0  # how many days ahead of its end a warning was last given

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
class RecurringRule:
    """A rule that makes grants, until it is canceled or over."""

    terms: RecurringGrantSet
    next_period: int
    next_at: datetime | None  # None: it has made its last


@dataclass(frozen=True, slots=True)
class Returned:
    """What of a purchase was taken back, and is to be returned for it."""

    units: int
    payable: tuple[Amount, ...]


@dataclass(frozen=True, slots=True)
class Seldom:
    """What changes seldom, in one place, so that the facts there are most of carry one reference."""

    overage_units_max: int = 0
    transferred_in: int = 0
    transferred_out: int = 0
    recurring: dict[str, RecurringRule] = field(default_factory=dict)  # those not canceled
    refunded: dict[int, int] = field(default_factory=dict)  # of consumptions, by their position
    settled: dict[str, int] = field(
        default_factory=dict
    )  # what grants gave for debts, oldest first
    moved: dict[str, int] = field(default_factory=dict)  # what went of grants to other accounts
    # Of grants that were bought: what lapsed, what was taken back, and what was last told as earned.
    lapsed: dict[str, int] = field(default_factory=dict)
    returned: dict[str, Returned] = field(default_factory=dict)
    told: dict[str, EarnedGrant] = field(default_factory=dict)
    # The midnight behind the last change of what is earned; NO_DAY once that is told.
    day_ends_at: datetime = NO_DAY
    told_until: datetime = NO_DAY  # the end of the last day that was told


@dataclass(frozen=True, slots=True)
class CreditAccount:
    """granted + owed + transferred_in = consumed + expired + taken_back + transferred_out + what
    remains and is held of the grants.
    """

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
    seldom: Seldom = field(default_factory=Seldom)

    @property
    def overage_max(self) -> Amount:
        """How far below zero it may go."""
        return Amount(CREDIT, self.seldom.overage_units_max)

    def grant(self, grant_id: str) -> Grant | None:
        """A grant of this account, used up or not."""
        for grant in self.grants:
            if grant.terms.grant_id == grant_id:
                return grant
        return self.used_up.get(grant_id[-1:], {}).get(grant_id)


@dataclass(frozen=True, slots=True)
class Balance:
    """granted + owed + transferred_in = available + held + consumed + expired + taken_back +
    transferred_out.
    """

    available: Amount
    held: Amount
    granted: Amount
    consumed: Amount
    expired: Amount
    owed: Amount
    taken_back: Amount
    transferred_in: Amount
    transferred_out: Amount


class BalanceUnits(NamedTuple):
    """A Balance in base units of CREDIT, and in its order."""

    available: int
    held: int
    granted: int
    consumed: int
    expired: int
    owed: int
    taken_back: int
    transferred_in: int
    transferred_out: int


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
        account.seldom.transferred_in,
        account.seldom.transferred_out,
    )


def free_units(account: CreditAccount, at: datetime) -> int:
    """What may leave the account at a time: what is available beyond what it owes."""
    now = balance_units(account, at)
    return max(0, now.available - now.owed)


def grants_in_burn_order(account: CreditAccount, at: datetime) -> tuple[Grant, ...]:
    """The grants that can still be burnt or are held at that time, what burns first in front."""
    return tuple(grant for grant in account.grants if grant.held or not grant.is_over(at))
