"""What may be asked of a payment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeAlias

from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment.facts import (
    HOLD_LATE,
    Choice,
    EarnedCredits,
    LatePolicy,
    PaymentOption,
    RefundAddress,
    Why,
)
from flamewire_ledger.domain.transfer import Block, Transfer


@dataclass(frozen=True, slots=True)
class RequestPayment:
    payment_id: str
    amount: Amount
    options: tuple[PaymentOption, ...]
    credits: Amount | None
    credit_account_id: str | None
    reference: str | None
    requested_at: datetime
    expires_at: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)
    tolerance_ppm: int = 0
    late_policy: LatePolicy = HOLD_LATE
    invoice_id: str | None = None


@dataclass(frozen=True, slots=True)
class RecordTransfer:
    """A transfer to one of this payment's addresses was seen, or is in a (new) block.

    Repeating it says nothing new. `worth_now` is what it is worth at this moment in the currency of
    the request, for a late transfer under the policy `reprice`; None when no price was to be had.
    """

    payment_id: str
    transfer: Transfer
    block: Block | None
    seen_at: datetime
    worth_now: Amount | None = None


@dataclass(frozen=True, slots=True)
class ConfirmTransfer:
    """The transfer is final on its chain, in this block.

    `is_assigned`: a person said that it is this payment's, and no books hold it but this one's.
    """

    payment_id: str
    transfer: Transfer
    block: Block
    confirmations: int
    seen_at: datetime  # first seen; used when the transfer was never recorded before
    at: datetime
    worth_now: Amount | None = None
    is_assigned: bool = False


@dataclass(frozen=True, slots=True)
class DropTransfer:
    """The transfer is in no block any more, or never came into one."""

    payment_id: str
    transfer: Transfer
    at: datetime


@dataclass(frozen=True, slots=True)
class ExpirePayment:
    payment_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CancelPayment:
    payment_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ResolvePayment:
    payment_id: str
    choice: Choice
    reason: str
    at: datetime
    refund_to: tuple[RefundAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class RequireResolution:
    """What the payment had bought was spent before the chain took the money back."""

    payment_id: str
    why: Why
    at: datetime


@dataclass(frozen=True, slots=True)
class ReleaseApplied:
    """Of `amount`, which its success was to pay of an invoice, `surplus` was not due any more.

    `settling` is the number of that success among what the payment was settled by: when a chain
    takes one back, another may have taken its place before this is decided.
    """

    payment_id: str
    settling: int
    surplus: Amount
    amount: Amount
    at: datetime


@dataclass(frozen=True, slots=True)
class RecogniseRevenue:
    """A credit account says how much of what this payment bought is burnt or lapsed by now."""

    payment_id: str
    credit_account_id: str
    day: date
    grants: tuple[EarnedCredits, ...]
    at: datetime


PaymentCommand: TypeAlias = (
    RequestPayment
    | RecordTransfer
    | ConfirmTransfer
    | DropTransfer
    | ExpirePayment
    | CancelPayment
    | ResolvePayment
    | RequireResolution
    | ReleaseApplied
    | RecogniseRevenue
)
