"""What can become true of a credit account. Amounts of credits are in units of CREDIT."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Literal, TypeAlias

from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.posting import Posting

CREDIT: Final = Asset("CREDIT", 6)
NOTHING: Final = Amount(CREDIT, 0)
Source: TypeAlias = Literal["purchased", "granted", "promotion", "refund"]
PRIORITY_DEFAULT: Final = 50  # smaller burns first


@dataclass(frozen=True, slots=True)
class Slice:
    """So much of one grant."""

    grant_id: str
    units: int


@dataclass(frozen=True, slots=True)
class CreditAccountOpened:
    type: ClassVar = "credit_account.opened.v1"
    account_id: str
    external_id: str | None
    name: str | None
    overage_max: Amount  # how far below zero it may go; zero for most
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class CreditsGranted:
    type: ClassVar = "credit_account.granted.v1"
    account_id: str
    grant_id: str
    amount: Amount
    source: Source
    priority: int
    expires_at: datetime | None
    payment_id: str | None  # for purchased
    cost: Amount | None  # what was paid for it, in the currency of the payment
    settles: Amount  # how much of the grant went to what the account owed
    postings: tuple[Posting, ...]
    granted_at: datetime


@dataclass(frozen=True, slots=True)
class CreditsConsumed:
    type: ClassVar = "credit_account.consumed.v1"
    account_id: str
    amount: Amount
    slices: tuple[Slice, ...]
    overage: Amount  # the part no grant covered
    reference: str | None
    postings: tuple[Posting, ...]
    consumed_at: datetime


@dataclass(frozen=True, slots=True)
class CreditsHeld:
    type: ClassVar = "credit_account.held.v1"
    account_id: str
    hold_id: str
    amount: Amount
    slices: tuple[Slice, ...]
    expires_at: datetime
    postings: tuple[Posting, ...]
    held_at: datetime


@dataclass(frozen=True, slots=True)
class HoldCaptured:
    """The captured part is burnt, the rest is available again (or lapses, where its grant has)."""

    type: ClassVar = "credit_account.hold_captured.v1"
    account_id: str
    hold_id: str
    captured: Amount
    slices: tuple[Slice, ...]
    released: tuple[Slice, ...]  # everything that was not captured
    reference: str | None
    postings: tuple[Posting, ...]
    captured_at: datetime
    lapsed: tuple[Slice, ...] = ()  # of `released`: their grant had expired
    taken_back: tuple[Slice, ...] = ()  # of `released`: their grant had been reversed
    owed: Amount = NOTHING  # of `captured`: their grant had been reversed


@dataclass(frozen=True, slots=True)
class HoldReleased:
    type: ClassVar = "credit_account.hold_released.v1"
    account_id: str
    hold_id: str
    amount: Amount
    slices: tuple[Slice, ...]
    expired: bool  # let go by the clock rather than by the caller
    postings: tuple[Posting, ...]
    released_at: datetime
    lapsed: tuple[Slice, ...] = ()  # of `slices`: their grant had expired
    taken_back: tuple[Slice, ...] = ()  # of `slices`: their grant had been reversed


@dataclass(frozen=True, slots=True)
class GrantExpired:
    """The grant is over. What was left of it lapsed (breakage), were it nothing."""

    type: ClassVar = "credit_account.grant_expired.v1"
    account_id: str
    grant_id: str
    amount: Amount
    postings: tuple[Posting, ...]
    expired_at: datetime


@dataclass(frozen=True, slots=True)
class GrantReversed:
    """The payment behind it was undone: what was left is taken back, what was spent is owed.

    What is held stays so: a capture makes it owed, a release takes it back. What lapsed has lapsed.
    """

    type: ClassVar = "credit_account.grant_reversed.v1"
    account_id: str
    grant_id: str
    taken_back: Amount
    owed: Amount
    payment_id: str | None
    postings: tuple[Posting, ...]
    reversed_at: datetime


CreditAccountEvent: TypeAlias = (
    CreditAccountOpened
    | CreditsGranted
    | CreditsConsumed
    | CreditsHeld
    | HoldCaptured
    | HoldReleased
    | GrantExpired
    | GrantReversed
)
