"""What the facts of an invoice add up to: where it stands, what is due, and what was given back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from flamewire_ledger.domain.invoice.facts import (
    CreditNoteDelivered,
    CreditNoteDeliveryFailed,
    CreditNoteIssued,
    InvoiceDelivered,
    InvoiceDeliveryFailed,
    InvoiceDrafted,
    InvoiceEvent,
    InvoiceFellDue,
    InvoiceFinalised,
    InvoiceIssued,
    InvoiceLinesAdded,
    InvoiceMarkedUncollectible,
    InvoicePaid,
    InvoicePaymentRecorded,
    InvoicePaymentRequested,
    InvoicePaymentReversed,
    InvoiceVoided,
    SettledWith,
    Status,
)
from flamewire_ledger.domain.invoice.lines import InvoiceLine, Sums
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.posting import Posting


@dataclass(frozen=True, slots=True)
class Asked:
    """A payment that was asked for on behalf of the invoice."""

    payment_id: str
    amount: Amount
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Applied:
    """What was paid towards it, and how that stands in the books."""

    payment_id: str | None
    amount: Amount
    postings: tuple[Posting, ...]
    reason: str | None
    settled_with: tuple[SettledWith, ...]
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class NoteDelivery:
    """How far a credit note of it is on its way."""

    credit_note_id: str
    attempt: int  # the last one
    is_delivered: bool


@dataclass(frozen=True, slots=True)
class Invoice:
    """Either a receipt (`issued`), or drafted and what became of that."""

    issued: InvoiceIssued | None = None
    drafted: InvoiceDrafted | None = None
    lines: tuple[InvoiceLine, ...] = ()
    sums: Sums | None = None
    finalised: InvoiceFinalised | None = None
    due: Amount | None = None  # since it is final
    asked: tuple[Asked, ...] = ()
    applied: tuple[Applied, ...] = ()
    credit_notes: tuple[CreditNoteIssued, ...] = ()
    withdrawn_units: int = 0  # of what credit notes owed to the customer
    voided: InvoiceVoided | None = None
    given_up: InvoiceMarkedUncollectible | None = None
    paid_at: datetime | None = None
    fell_due_at: datetime | None = None
    delivered: InvoiceDelivered | None = None
    failed: InvoiceDeliveryFailed | None = None  # the last attempt at delivering it
    notes_sent: tuple[NoteDelivery, ...] = ()  # credit notes that were tried to be delivered

    @property
    def status(self) -> Status:
        if self.is_void:
            return "void"
        if self.issued is not None:
            return "paid"
        if self.due is None:
            return "draft"
        if self.due.is_zero:
            return "paid"
        return "uncollectible" if self.is_uncollectible else "open"

    @property
    def is_void(self) -> bool:
        return self.voided is not None

    @property
    def is_uncollectible(self) -> bool:
        return self.given_up is not None

    @property
    def paid_units(self) -> int:
        return sum(each.amount.units for each in self.applied)

    @property
    def credited_units(self) -> int:
        return sum(note.sums.total.units for note in self.credit_notes)

    @property
    def refund_units(self) -> int:
        """What is owed to the customer: it had been paid, and was given back."""
        return sum(note.to_refund.units for note in self.credit_notes) - self.withdrawn_units


def evolve_invoice(invoice: Invoice | None, event: InvoiceEvent) -> Invoice:
    """Fold one fact into the invoice."""
    if isinstance(event, InvoiceIssued):
        return Invoice(issued=event)
    if isinstance(event, InvoiceDrafted):
        return Invoice(drafted=event, lines=event.lines, sums=event.sums)
    assert invoice is not None, "an invoice's first fact is that it was issued or drafted"
    match event:
        case InvoiceLinesAdded():
            return replace(invoice, lines=invoice.lines + event.lines, sums=event.sums)
        case InvoiceFinalised():
            due = event.sums.total
            return replace(invoice, finalised=event, lines=event.lines, sums=event.sums, due=due)
        case InvoicePaymentRequested():
            asked = Asked(event.payment_id, event.amount, event.expires_at)
            return replace(invoice, asked=(*invoice.asked, asked))
        case InvoicePaymentRecorded():
            return _applied(invoice, event)
        case InvoicePaymentReversed():
            left = tuple(it for it in invoice.applied if it.payment_id != event.payment_id)
            withdrawn = invoice.withdrawn_units + event.refund_withdrawn.units
            again = replace(invoice, applied=left, due=event.due, withdrawn_units=withdrawn)
            # It is to fall due again, and paid it is no more, unless nothing is due all the same.
            paid_at = invoice.paid_at if event.due.is_zero else None
            return replace(again, paid_at=paid_at, fell_due_at=None)
        case InvoiceVoided():
            return replace(invoice, voided=event)
        case InvoiceMarkedUncollectible():
            return replace(invoice, given_up=event)
        case CreditNoteIssued():
            return replace(invoice, credit_notes=(*invoice.credit_notes, event), due=event.due)
        case InvoicePaid() | InvoiceFellDue() | InvoiceDelivered() | InvoiceDeliveryFailed():
            return _noted(invoice, event)
        case CreditNoteDelivered() | CreditNoteDeliveryFailed():
            others = tuple(
                it for it in invoice.notes_sent if it.credit_note_id != event.credit_note_id
            )
            is_delivered = isinstance(event, CreditNoteDelivered)
            made = NoteDelivery(event.credit_note_id, event.attempt, is_delivered)
            return replace(invoice, notes_sent=(*others, made))
        case _:
            assert_never(event)


def _applied(invoice: Invoice, event: InvoicePaymentRecorded) -> Invoice:
    if event.amount.is_zero:
        return invoice
    applied = Applied(
        payment_id=event.payment_id,
        amount=event.amount,
        postings=event.postings,
        reason=event.reason,
        settled_with=event.settled_with,
        recorded_at=event.recorded_at,
    )
    return replace(invoice, applied=(*invoice.applied, applied), due=event.due)


def _noted(
    invoice: Invoice,
    event: InvoicePaid | InvoiceFellDue | InvoiceDelivered | InvoiceDeliveryFailed,
) -> Invoice:
    """Facts that move no money."""
    match event:
        case InvoicePaid():
            return replace(invoice, paid_at=event.paid_at)
        case InvoiceFellDue():
            return replace(invoice, fell_due_at=event.noted_at)
        case InvoiceDelivered():
            return replace(invoice, delivered=event, failed=None)
        case InvoiceDeliveryFailed():
            return replace(invoice, failed=event)
        case _:
            assert_never(event)
