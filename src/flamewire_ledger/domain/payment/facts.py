"""What can become true of a payment. Once released, a fact is never edited: it gets a version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar, Final, Literal, TypeAlias

from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.posting import Posting
from flamewire_ledger.domain.transfer import Block, Transfer

Status: TypeAlias = Literal[
    "requires_payment", "processing", "succeeded", "requires_action", "expired", "canceled",
    "failed",
]  # fmt: skip
Label: TypeAlias = Literal[
    "underpaid", "overpaid", "late", "multiple", "wrong_asset", "wrong_network", "stale_price",
    "tolerance_applied", "manual", "reorged", "high_risk",
]  # fmt: skip
TransferStatus: TypeAlias = Literal[
    "detected", "included", "confirmed", "dropped", "reorged", "rejected"
]
Choice: TypeAlias = Literal["accept", "credit", "refund", "write_off"]
LateAction: TypeAlias = Literal["hold", "honour", "reprice"]
Why: TypeAlias = Literal["underpaid", "late", "wrong_asset", "wrong_network", "reorged", "canceled"]

# What tells the transfers to a payment from those to others: an address of its own; at an address of
# many, what their transaction says; or the exact units.
IdentifiedBy: TypeAlias = Literal["address", "mark", "amount"]

# What a transfer is to its payment. The first three count towards what is due.
Standing: TypeAlias = Literal[
    "in_time",  # at the locked rate
    "honoured",  # late, and by policy at the locked rate all the same
    "repriced",  # late, and by policy for what it was worth when it came
    "late",  # held
    "canceled",  # came although the payment had been canceled: held
    "wrong_asset",  # held in suspense, as it has no locked worth
    "wrong_network",
]


@dataclass(frozen=True, slots=True)
class PaymentOption:
    """One way to pay: so much of an asset, to this address. `derivation` finds the key again."""

    network: str
    chain_id: str  # CAIP-2
    asset_id: str  # CAIP-19
    due: Amount
    address: str
    uri: str
    price_lock_id: str | None  # None when the payment is denominated in this very asset
    derivation: str | None = None
    identified_by: IdentifiedBy = "address"
    memo: str | None = None  # what the payer has to attach
    mark: str | None = None  # what the chain shows of it


@dataclass(frozen=True, slots=True)
class LatePolicy:
    """What to do with a transfer first seen after expiry.

    `honour`: within `within_seconds` of expiry it counts at the locked rate, unless it has lost
    more than `drift_ppm_max` of that worth since; `reprice`: it counts for what it is worth when it
    came; otherwise, and by default, it is held for a person to resolve.
    """

    action: LateAction = "hold"
    within_seconds: int = 0
    drift_ppm_max: int | None = None  # None: however far the price has moved


HOLD_LATE: Final = LatePolicy()


@dataclass(frozen=True, slots=True)
class Use:
    """So many units of one transfer, taken from where they were held and put to use."""

    transfer: str  # its key
    units: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Where the payment stands after a fact, in the request's currency, at the locked rates."""

    detected: Amount  # seen and not dropped, confirmed or not, held or not
    confirmed: Amount
    excess: Amount  # unapplied beyond what was due
    due: Amount  # still to be confirmed; zero once it has succeeded


@dataclass(frozen=True, slots=True)
class PaymentRequested:
    type: ClassVar = "payment.requested.v1"
    payment_id: str
    amount: Amount  # in the currency of the request
    options: tuple[PaymentOption, ...]
    credits: Amount | None  # what a full payment buys, when it is for a credit account
    credit_account_id: str | None
    reference: str | None
    metadata: Mapping[str, str]
    tolerance_ppm: int  # parts per million of the amount that may be missing
    late_policy: LatePolicy
    requested_at: datetime
    expires_at: datetime
    invoice_id: str | None = None  # that it is to pay


@dataclass(frozen=True, slots=True)
class PaymentTransferDetected:
    """Seen for the first time (or again, after it was dropped or reorganised)."""

    type: ClassVar = "payment.transfer_detected.v1"
    payment_id: str
    transfer: Transfer
    block: Block | None  # None: still waiting for one
    totals: Totals
    seen_at: datetime
    labels: tuple[Label, ...] = ()
    standing: Standing = "in_time"
    worth: Amount | None = None  # of a repriced transfer, when it came


@dataclass(frozen=True, slots=True)
class PaymentTransferIncluded:
    """It is in a block now, or in another one than before."""

    type: ClassVar = "payment.transfer_included.v1"
    payment_id: str
    transfer: Transfer
    block: Block


@dataclass(frozen=True, slots=True)
class PaymentProcessing:
    """Enough has been seen; the chain has yet to make it final."""

    type: ClassVar = "payment.processing.v1"
    payment_id: str
    detected: Amount  # in the currency of the request
    at: datetime


@dataclass(frozen=True, slots=True)
class PaymentTransferConfirmed:
    """Final on its chain: it is ours, and on the books from here on."""

    type: ClassVar = "payment.transfer_confirmed.v1"
    payment_id: str
    transfer: Transfer
    block: Block
    confirmations: int
    worth: Amount  # in the currency of the request; zero for what was not asked for
    postings: tuple[Posting, ...]
    totals: Totals
    confirmed_at: datetime
    labels: tuple[Label, ...] = ()
    standing: Standing = "in_time"


@dataclass(frozen=True, slots=True)
class PaymentSucceeded:
    type: ClassVar = "payment.succeeded.v1"
    payment_id: str
    transaction_id: str  # of the transfer that completed it
    applied: tuple[Amount, ...]  # what was taken from unapplied, one an asset
    confirmed: Amount  # in the currency of the request
    credits: Amount | None  # to be granted to the credit account
    credit_account_id: str | None
    postings: tuple[Posting, ...]
    totals: Totals
    succeeded_at: datetime
    labels: tuple[Label, ...] = ()
    uses: tuple[Use, ...] = ()
    grant_id: str | None = None  # the grant that `credits` is to become


@dataclass(frozen=True, slots=True)
class PaymentExcessRecorded:
    """More arrived than was due: it stays unapplied until somebody says what becomes of it."""

    type: ClassVar = "payment.excess_recorded.v1"
    payment_id: str
    excess: tuple[Amount, ...]  # one an asset, all that is unapplied now
    totals: Totals
    worth: Amount  # in the currency of the request, at the locked rate
    labels: tuple[Label, ...] = ()  # overpaid, multiple, late


@dataclass(frozen=True, slots=True)
class PaymentExpired:
    type: ClassVar = "payment.expired.v1"
    payment_id: str
    expired_at: datetime


@dataclass(frozen=True, slots=True)
class PaymentResolutionRequired:
    type: ClassVar = "payment.resolution_required.v1"
    payment_id: str
    why: Why
    held: tuple[Amount, ...]  # unapplied and in suspense, one an asset and account
    at: datetime
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True)
class PaymentTransferDropped:
    """It never became final: replaced, dropped, or failed. Nothing had been booked."""

    type: ClassVar = "payment.transfer_dropped.v1"
    payment_id: str
    transfer: Transfer
    status_after: Status
    totals: Totals
    dropped_at: datetime


@dataclass(frozen=True, slots=True)
class PaymentTransferReorganised:
    """Confirmed, and then taken back by the chain: exactly what was recorded is reversed."""

    type: ClassVar = "payment.transfer_reorganised.v1"
    payment_id: str
    transfer: Transfer
    postings: tuple[Posting, ...]
    undoes_success: bool
    status_after: Status
    totals: Totals
    reorganised_at: datetime
    labels: tuple[Label, ...] = ("reorged",)
    undone: tuple[int, ...] = ()  # the numbers of the uses (see state.Settling) that are taken back
    grants_undone: tuple[str, ...] = ()  # grants that had followed from them
    returns_until: datetime | None = None  # when waiting for it to come back ends


@dataclass(frozen=True, slots=True)
class PaymentCanceled:
    type: ClassVar = "payment.canceled.v1"
    payment_id: str
    canceled_at: datetime


@dataclass(frozen=True, slots=True)
class RefundAddress:
    """Where to send what is paid back on one network; whoever has it proved so."""

    network: str
    chain_id: str
    address: str
    ownership_id: str  # of the proof


@dataclass(frozen=True, slots=True)
class PaymentResolved:
    """A person decided what becomes of what was held."""

    type: ClassVar = "payment.resolved.v1"
    payment_id: str
    choice: Choice
    reason: str
    postings: tuple[Posting, ...]
    credits: Amount | None  # to be granted now, for choice `credit` on an excess
    credit_account_id: str | None
    status_after: Status
    totals: Totals
    resolved_at: datetime
    labels: tuple[Label, ...] = ("manual",)
    uses: tuple[Use, ...] = ()
    grant_id: str | None = None  # the grant that `credits` is to become
    refund_to: tuple[RefundAddress, ...] = ()  # for choice `refund`: what was registered by then


@dataclass(frozen=True, slots=True)
class PaymentApplicationReleased:
    """Its invoice did not need it (any more), all or a part: that is excess now, the customer's."""

    type: ClassVar = "payment.application_released.v1"
    payment_id: str
    settling: int  # the number of the use it is taken back from
    uses: tuple[Use, ...]  # what is taken back
    excess: tuple[Amount, ...]  # one an asset, all that is unapplied now
    postings: tuple[Posting, ...]
    totals: Totals
    labels: tuple[Label, ...]
    released_at: datetime


@dataclass(frozen=True, slots=True)
class EarnedCredits:
    """How much of one grant, or of the part of it that another account has, is gone by the end of a
    day (UTC), all days together. In units of credits.
    """

    grant_id: str
    bought_grant_id: str  # that this payment made: the same, or what the grant is a part of
    day: date
    spent: int
    lapsed: int
    refunded: int
    payable: tuple[Amount, ...]  # what is to be returned for `refunded`


@dataclass(frozen=True, slots=True)
class Recognised:
    """What of the money for one grant is earned, all days together: one amount an asset each."""

    bought_grant_id: str
    sales: tuple[Amount, ...]
    breakage: tuple[Amount, ...]


@dataclass(frozen=True, slots=True)
class PaymentRevenueRecognised:
    """Credits that this payment bought were burnt or lapsed: its share of the money is earned.

    The postings are the difference to what was recognised before, backwards where consumption was
    refunded.
    """

    type: ClassVar = "payment.revenue_recognised.v1"
    payment_id: str
    credit_account_id: str  # that tells of it
    day: date  # that it was earned by
    grants: tuple[EarnedCredits, ...]  # those that changed
    recognised: tuple[Recognised, ...]
    postings: tuple[Posting, ...]
    recognised_at: datetime


PaymentEvent: TypeAlias = (
    PaymentRequested
    | PaymentTransferDetected
    | PaymentTransferIncluded
    | PaymentProcessing
    | PaymentTransferConfirmed
    | PaymentSucceeded
    | PaymentExcessRecorded
    | PaymentExpired
    | PaymentResolutionRequired
    | PaymentTransferDropped
    | PaymentTransferReorganised
    | PaymentCanceled
    | PaymentResolved
    | PaymentApplicationReleased
    | PaymentRevenueRecognised
)
