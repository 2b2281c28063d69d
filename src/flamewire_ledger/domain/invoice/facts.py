"""What can become true of an invoice. Once released, a fact is never edited: it gets a version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal, TypeAlias

from flamewire_ledger.domain.invoice.lines import InvoiceLine, Sums
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.party import Address, Party
from flamewire_ledger.domain.posting import Posting

Status: TypeAlias = Literal["draft", "open", "paid", "void", "uncollectible"]


@dataclass(frozen=True, slots=True)
class Customer:
    """Who is asked to pay: a credit account, somebody with a name, or both."""

    credit_account_id: str | None = None
    name: str | None = None
    address: Address | None = None
    tax_id: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class SettledWith:
    """What paid it, on which chain, at which locked rate."""

    network: str
    transaction_id: str
    amount: Amount
    price: str | None  # per major unit of the asset, in the invoice's currency
    price_lock_id: str | None
    locked_at: datetime | None = None
    sources: tuple[str, ...] = ()  # of the rate


@dataclass(frozen=True, slots=True)
class InvoiceNumberAssigned:
    """A register (one stream a merchant, year and series) gave the next number."""

    type: ClassVar = "invoice_register.number_assigned.v1"
    register_id: str  # ir_ or cnr_, <merchant id without prefix>_<year>
    sequence: int  # 1, 2, 3 …
    document_id: str  # of the invoice or credit note that bears it
    assigned_at: datetime  # the date of that document: never before the one of the number before


@dataclass(frozen=True, slots=True)
class InvoiceIssued:
    """A receipt: it was paid before it was written."""

    type: ClassVar = "invoice.issued.v1"
    invoice_id: str
    number: str  # 2026-000001
    payment_id: str | None
    credit_account_id: str | None
    reference: str | None
    lines: tuple[InvoiceLine, ...]
    total: Amount
    settled_with: tuple[SettledWith, ...]
    issued_at: datetime
    seller: Party | None = None


@dataclass(frozen=True, slots=True)
class InvoiceDrafted:
    type: ClassVar = "invoice.drafted.v1"
    invoice_id: str
    customer: Customer
    currency: Asset
    lines: tuple[InvoiceLine, ...]
    sums: Sums
    prices_include_tax: bool
    due_days: int
    reference: str | None
    memo: str | None  # printed below the totals
    subscription_id: str | None
    metadata: Mapping[str, str]
    drafted_at: datetime
    reverse_charge: bool = False  # the tax is the customer's to pay


@dataclass(frozen=True, slots=True)
class InvoiceLinesAdded:
    type: ClassVar = "invoice.lines_added.v1"
    invoice_id: str
    lines: tuple[InvoiceLine, ...]  # these, behind those there were
    sums: Sums  # of all of them
    added_at: datetime


@dataclass(frozen=True, slots=True)
class InvoiceFinalised:
    """It has its number, and never changes again. The customer owes it from here on."""

    type: ClassVar = "invoice.finalised.v1"
    invoice_id: str
    number: str
    seller: Party | None
    customer: Customer
    lines: tuple[InvoiceLine, ...]  # all, with their shares
    sums: Sums
    due_at: datetime
    postings: tuple[Posting, ...]
    finalised_at: datetime


@dataclass(frozen=True, slots=True)
class InvoicePaymentRequested:
    """A payment was asked for on behalf of this invoice; there may be several, and one will do."""

    type: ClassVar = "invoice.payment_requested.v1"
    invoice_id: str
    payment_id: str
    amount: Amount
    expires_at: datetime
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class InvoicePaymentRecorded:
    """Something was paid towards it, by a payment or elsewhere.

    `surplus` of what came was not due any more: the payment holds it for the customer.
    """

    type: ClassVar = "invoice.payment_recorded.v1"
    invoice_id: str
    payment_id: str | None
    reason: str | None  # of what was paid elsewhere
    amount: Amount
    surplus: Amount
    settled_with: tuple[SettledWith, ...]
    paid: Amount  # all of it so far
    due: Amount
    postings: tuple[Posting, ...]
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class InvoicePaid:
    """Nothing is due any more."""

    type: ClassVar = "invoice.paid.v1"
    invoice_id: str
    paid_at: datetime


@dataclass(frozen=True, slots=True)
class InvoicePaymentReversed:
    """The chain took back what had paid it: exactly what was recorded is reversed.

    `refund_withdrawn` of it was owed to the customer, by credit notes: that is owed no more, and only
    the rest is due again.
    """

    type: ClassVar = "invoice.payment_reversed.v1"
    invoice_id: str
    payment_id: str
    amount: Amount
    reason: str
    paid: Amount
    due: Amount
    status_after: Status
    postings: tuple[Posting, ...]
    reversed_at: datetime
    refund_withdrawn: Amount


@dataclass(frozen=True, slots=True)
class InvoiceVoided:
    """It keeps its number, if it had one."""

    type: ClassVar = "invoice.voided.v1"
    invoice_id: str
    reason: str
    voided_at: datetime
    postings: tuple[Posting, ...] = ()


@dataclass(frozen=True, slots=True)
class InvoiceMarkedUncollectible:
    """Nobody expects to be paid. Should somebody pay all the same, it counts."""

    type: ClassVar = "invoice.marked_uncollectible.v1"
    invoice_id: str
    reason: str
    postings: tuple[Posting, ...]
    marked_at: datetime


@dataclass(frozen=True, slots=True)
class InvoiceFellDue:
    """It is open behind its due date: overdue. Said once, and again when what had paid it is taken
    back.
    """

    type: ClassVar = "invoice.fell_due.v1"
    invoice_id: str
    due: Amount
    due_at: datetime
    noted_at: datetime


@dataclass(frozen=True, slots=True)
class CreditNoteLine:
    """So much of one line of the invoice is given back."""

    line: int  # 1, 2, 3 … on the invoice
    description: str
    amount: Amount  # in the terms of the invoice: without tax, or with it
    tax_rate: str | None
    is_credit: bool  # the line itself gave something back: this takes that back
    net: Amount
    tax: Amount


@dataclass(frozen=True, slots=True)
class CreditNoteIssued:
    """`to_refund` of its total had been paid: it is owed to the customer."""

    type: ClassVar = "invoice.credit_note_issued.v1"
    invoice_id: str
    credit_note_id: str
    number: str  # CN-2026-000001
    invoice_number: str
    invoice_issued_at: datetime
    customer: Customer
    seller: Party | None
    lines: tuple[CreditNoteLine, ...]
    sums: Sums
    reason: str
    credited: Amount  # by all credit notes of the invoice
    due: Amount
    to_refund: Amount
    postings: tuple[Posting, ...]
    issued_at: datetime
    reverse_charge: bool = False  # as the invoice


@dataclass(frozen=True, slots=True)
class InvoiceDelivered:
    """The mail server of the customer's has it. Each try bears the same message id."""

    type: ClassVar = "invoice.delivered.v1"
    invoice_id: str
    email: str
    message_id: str
    attempt: int
    delivered_at: datetime


@dataclass(frozen=True, slots=True)
class InvoiceDeliveryFailed:
    type: ClassVar = "invoice.delivery_failed.v1"
    invoice_id: str
    email: str
    message_id: str
    attempt: int
    reason: str
    failed_at: datetime
    again_at: datetime | None  # None: it is not tried again


@dataclass(frozen=True, slots=True)
class CreditNoteDelivered:
    """As InvoiceDelivered, of one of its credit notes."""

    type: ClassVar = "invoice.credit_note_delivered.v1"
    invoice_id: str
    credit_note_id: str
    email: str
    message_id: str
    attempt: int
    delivered_at: datetime


@dataclass(frozen=True, slots=True)
class CreditNoteDeliveryFailed:
    type: ClassVar = "invoice.credit_note_delivery_failed.v1"
    invoice_id: str
    credit_note_id: str
    email: str
    message_id: str
    attempt: int
    reason: str
    failed_at: datetime
    again_at: datetime | None  # None: it is not tried again


InvoiceEvent: TypeAlias = (
    InvoiceIssued
    | InvoiceDrafted
    | InvoiceLinesAdded
    | InvoiceFinalised
    | InvoicePaymentRequested
    | InvoicePaymentRecorded
    | InvoicePaid
    | InvoicePaymentReversed
    | InvoiceVoided
    | InvoiceMarkedUncollectible
    | InvoiceFellDue
    | CreditNoteIssued
    | InvoiceDelivered
    | InvoiceDeliveryFailed
    | CreditNoteDelivered
    | CreditNoteDeliveryFailed
)
InvoiceRegisterEvent: TypeAlias = InvoiceNumberAssigned
