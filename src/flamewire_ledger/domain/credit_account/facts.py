"""What can become true of a credit account. Amounts of credits are in units of CREDIT."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar, Final, Literal, TypeAlias

from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.posting import Posting

CREDIT: Final = Asset("CREDIT", 6)
NOTHING: Final = Amount(CREDIT, 0)
Source: TypeAlias = Literal["purchased", "granted", "promotion", "refund"]
PRIORITY_DEFAULT: Final = 50  # smaller burns first
Every: TypeAlias = Literal["month", "week", "day"]
SkipReason: TypeAlias = Literal["lapsed", "too_many_grants"]
DaysAhead: TypeAlias = Literal[30, 7, 1]


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
class RecurringPeriod:
    """Which period of a recurring grant a grant is for, and when the next one is due (None: the
    last).
    """

    rule_id: str
    number: int  # the anchor's is 0
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class TransferredGrant:
    """A part of a grant as it goes on in another account: whatever was promised of it stays so."""

    grant_id: str
    from_grant_id: str
    units: int
    settles: int  # of `units`: what the receiver owed
    source: Source
    priority: int
    expires_at: datetime | None
    payment_id: str | None
    cost: Amount | None  # this part's
    granted_at: datetime  # of the first grant: its age counts in the burn order
    bought_grant_id: str | None = None  # that the payment made, and this is a part of


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
    recurring: RecurringPeriod | None = None  # by a rule rather than by a command


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
    What was to be returned of the purchase is not to be returned: a person is asked whether it was.
    """

    type: ClassVar = "credit_account.grant_reversed.v1"
    account_id: str
    grant_id: str
    taken_back: Amount
    owed: Amount
    payment_id: str | None
    postings: tuple[Posting, ...]
    reversed_at: datetime


@dataclass(frozen=True, slots=True)
class CreditsRefunded:
    """A consumption, or the last part of it, that counts no more.

    It goes back to where the consumption took it from, as that was recorded: `slices`, to the grants
    that were burnt. What no grant had covered, or a grant that was reversed since, was owed: `owed`
    is owed no more, and what others had settled of it goes back to these, `settled`.
    """

    type: ClassVar = "credit_account.refunded.v1"
    account_id: str
    refund_id: str
    consumption: int  # position of the event that burnt it
    amount: Amount  # slices + settled + owed
    slices: tuple[Slice, ...]
    settled: tuple[Slice, ...]
    lapsed: tuple[Slice, ...]  # of `slices` and `settled`: their grant had expired
    taken_back: tuple[
        Slice, ...
    ]  # burnt of grants that were reversed since; in `settled` and `owed`
    owed: Amount
    reference: str | None
    reason: str | None
    postings: tuple[Posting, ...]
    refunded_at: datetime


@dataclass(frozen=True, slots=True)
class PurchaseRefunded:
    """What was left of a purchase is taken back, and its share of what was paid is to be returned."""

    type: ClassVar = "credit_account.purchase_refunded.v1"
    account_id: str
    grant_id: str
    amount: Amount
    payable: tuple[Amount, ...]  # in what was paid, rounded down
    payment_id: str
    reason: str | None
    postings: tuple[Posting, ...]
    refunded_at: datetime


@dataclass(frozen=True, slots=True)
class CreditsTransferredOut:
    """Its postings move all of the transfer, the receiver's only what settles a debt."""

    type: ClassVar = "credit_account.transferred_out.v1"
    account_id: str
    transfer_id: str
    to_account_id: str
    amount: Amount
    slices: tuple[Slice, ...]
    reference: str | None
    postings: tuple[Posting, ...]
    transferred_at: datetime


@dataclass(frozen=True, slots=True)
class CreditsTransferredIn:
    type: ClassVar = "credit_account.transferred_in.v1"
    account_id: str
    transfer_id: str
    from_account_id: str
    amount: Amount
    grants: tuple[TransferredGrant, ...]
    settles: Amount  # how much of it went to what the account owed
    reference: str | None
    postings: tuple[Posting, ...]
    transferred_at: datetime


@dataclass(frozen=True, slots=True)
class OverageSet:
    type: ClassVar = "credit_account.overage_set.v1"
    account_id: str
    overage_max: Amount
    before: Amount
    reason: str | None
    set_at: datetime


@dataclass(frozen=True, slots=True)
class ExpiryWarned:
    """Credits lapse in so many days, or in less: after an outage only the nearest warning is given."""

    type: ClassVar = "credit_account.expiry_warned.v1"
    account_id: str
    grant_id: str
    days: DaysAhead
    amount: Amount  # what is left of the grant and not held
    expires_at: datetime
    warned_at: datetime


@dataclass(frozen=True, slots=True)
class RecurringGrantSet:
    type: ClassVar = "credit_account.recurring_grant_set.v1"
    account_id: str
    rule_id: str
    amount: Amount
    every: Every
    anchor: datetime  # when period 0 begins
    source: Source
    priority: int
    expires_after_seconds: int | None  # counted from the beginning of the period
    until: datetime | None  # periods begin before it
    first_period: int  # the first that begins no earlier than the rule was made
    next_at: datetime | None
    set_at: datetime


@dataclass(frozen=True, slots=True)
class RecurringGrantSkipped:
    """Periods that are not granted. `lapsed`: their credits would have lapsed before they could be, as
    the ledger was down. `too_many_grants`: the account had as many with something left as it may.
    """

    type: ClassVar = "credit_account.recurring_grant_skipped.v1"
    account_id: str
    rule_id: str
    first_period: int
    last_period: int
    next_at: datetime | None
    skipped_at: datetime
    reason: SkipReason = "lapsed"


@dataclass(frozen=True, slots=True)
class RecurringGrantCanceled:
    type: ClassVar = "credit_account.recurring_grant_canceled.v1"
    account_id: str
    rule_id: str
    reason: str | None
    canceled_at: datetime


@dataclass(frozen=True, slots=True)
class EarnedGrant:
    """How much of a grant that was bought is gone by the end of a day, all days together.

    `spent` was burnt here, or settled what the account owed; what went on in another account is
    told of there. A refunded consumption makes it less again.
    """

    grant_id: str
    payment_id: str
    bought_grant_id: str  # that the payment made: this one, or the one it is a part of
    spent: int
    lapsed: int
    refunded: int  # of the purchase, taken back
    payable: tuple[Amount, ...]  # what is to be returned for that


@dataclass(frozen=True, slots=True)
class CreditsEarned:
    """A day (UTC) on which credits were burnt or lapsed is over: of what was bought, so much is earned.

    Only of grants of which that is not what was told last.
    """

    type: ClassVar = "credit_account.earned.v1"
    account_id: str
    day: date
    grants: tuple[EarnedGrant, ...]
    earned_at: datetime


CreditAccountEvent: TypeAlias = (
    CreditAccountOpened
    | CreditsGranted
    | CreditsConsumed
    | CreditsHeld
    | HoldCaptured
    | HoldReleased
    | GrantExpired
    | GrantReversed
    | CreditsRefunded
    | PurchaseRefunded
    | CreditsTransferredOut
    | CreditsTransferredIn
    | OverageSet
    | ExpiryWarned
    | RecurringGrantSet
    | RecurringGrantSkipped
    | RecurringGrantCanceled
    | CreditsEarned
)
