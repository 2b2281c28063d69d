"""What may be asked of an invoice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from flamewire_ledger.domain.invoice.facts import Customer, SettledWith
from flamewire_ledger.domain.invoice.lines import InvoiceLine
from flamewire_ledger.domain.money import Amount, Asset


@dataclass(frozen=True, slots=True)
class IssueReceipt:
    """`register_id` is `register_id(merchant_id, at)`: both streams are decided on at once."""

    register_id: str
    invoice_id: str
    payment_id: str
    credit_account_id: str | None
    reference: str | None
    lines: tuple[InvoiceLine, ...]
    total: Amount
    settled_with: tuple[SettledWith, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class VoidReceipt:
    """The payment that a receipt stands on was taken back by its chain."""

    invoice_id: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class DraftInvoice:
    """Lines may come later. `due_days` count from finalisation."""

    invoice_id: str
    customer: Customer
    currency: Asset
    at: datetime
    lines: tuple[InvoiceLine, ...] = ()
    due_days: int = 14
    prices_include_tax: bool = False
    reference: str | None = None
    memo: str | None = None
    subscription_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    reverse_charge: bool = False  # the tax is the customer's to pay


@dataclass(frozen=True, slots=True)
class AddLines:
    invoice_id: str
    lines: tuple[InvoiceLine, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class FinaliseInvoice:
    """The number, and the seller, are found where the command is recorded."""

    invoice_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PayInvoice:
    """It was paid elsewhere: by bank, in cash. Without an amount: all that is due."""

    invoice_id: str
    reason: str
    at: datetime
    amount: Amount | None = None


@dataclass(frozen=True, slots=True)
class RequestInvoicePayment:
    """Goes with the RequestPayment of that payment, which is recorded with it."""

    invoice_id: str
    payment_id: str
    amount: Amount
    expires_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class RecordInvoicePayment:
    """A payment that was asked for on behalf of the invoice has succeeded.

    `settling` is the number of that success in the payment: after a chain took one back it can
    succeed again, and what is given back is given back of this one.
    """

    invoice_id: str
    payment_id: str
    amount: Amount
    settled_with: tuple[SettledWith, ...]
    at: datetime
    settling: int = 1


@dataclass(frozen=True, slots=True)
class ReverseInvoicePayment:
    """The success of that payment was undone."""

    invoice_id: str
    payment_id: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class VoidInvoice:
    invoice_id: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class MarkUncollectible:
    invoice_id: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NoteOverdue:
    """The due date has passed."""

    invoice_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CreditedLine:
    """So much of a line (1, 2, 3 …), in the terms of the invoice; None: all that is left of it."""

    line: int
    amount: Amount | None = None


@dataclass(frozen=True, slots=True)
class IssueCreditNote:
    """Without lines: all that is left of the invoice.

    `at_most`: as much of the lines as is left, and nothing where nothing is; for who cannot know
    what a person has given back already.
    """

    invoice_id: str
    credit_note_id: str
    reason: str
    at: datetime
    lines: tuple[CreditedLine, ...] = ()
    at_most: bool = False


@dataclass(frozen=True, slots=True)
class RecordDelivery:
    """Of the invoice, or of one of its credit notes."""

    invoice_id: str
    email: str
    message_id: str
    attempt: int
    at: datetime
    credit_note_id: str | None = None


@dataclass(frozen=True, slots=True)
class RecordDeliveryFailure:
    invoice_id: str
    email: str
    message_id: str
    attempt: int
    reason: str
    at: datetime
    again_at: datetime | None
    credit_note_id: str | None = None


InvoiceCommand: TypeAlias = (
    VoidReceipt
    | DraftInvoice
    | AddLines
    | PayInvoice
    | RequestInvoicePayment
    | RecordInvoicePayment
    | ReverseInvoicePayment
    | VoidInvoice
    | MarkUncollectible
    | NoteOverdue
    | RecordDelivery
    | RecordDeliveryFailure
)  # those that concern no other stream
