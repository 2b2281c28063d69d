"""What a merchant is told of invoices, receipts and credit notes."""

from __future__ import annotations

from functools import reduce
from typing import Any, Final, Literal

from flamewire_ledger.domain.invoice import (
    CreditNoteDeliveryFailed,
    CreditNoteIssued,
    Invoice,
    InvoiceDeliveryFailed,
    Status,
    evolve_invoice,
)
from flamewire_ledger.webhooks.message import (
    Kind,
    Shape,
    Time,
    Told,
    minor,
    own_stream,
    symbol,
    text,
)


class InvoiceData(Shape):
    """An invoice. A receipt is one that was paid before it was written."""

    invoice_id: str
    kind: Literal["invoice", "receipt"]
    number: str | None  # none as long as it is a draft
    status: Status
    currency: str
    total: str
    total_minor: str
    tax: str | None
    tax_minor: str | None
    due: str | None
    due_minor: str | None
    credit_account_id: str | None
    customer_name: str | None
    customer_email: str | None
    subscription_id: str | None
    payment_intent_ids: list[str]  # that paid it, all or a part
    reference: str | None
    metadata: dict[str, str]
    reason: str | None  # of what was done to it
    pdf: str | None  # path of its document, below the address of this API
    finalized_at: Time | None
    due_at: Time | None
    paid_at: Time | None


class CreditNoteData(Shape):
    """A credit note: so much of an invoice is given back."""

    credit_note_id: str
    number: str
    invoice_id: str
    invoice_number: str
    currency: str
    total: str
    total_minor: str
    to_refund: str  # of it, what had been paid: it is owed to the customer
    to_refund_minor: str
    reason: str
    issued_at: Time


def _of(told: Told) -> InvoiceData:
    invoice: Invoice | None = reduce(evolve_invoice, told.own, None)
    assert invoice is not None, "an invoice's stream holds at least the fact that is told"
    return _receipt(invoice, told.fact) if invoice.issued is not None else _drafted(invoice, told)


def _receipt(invoice: Invoice, fact: Any) -> InvoiceData:
    issued = invoice.issued
    assert issued is not None
    return InvoiceData(
        invoice_id=issued.invoice_id,
        kind="receipt",
        number=issued.number,
        status=invoice.status,
        currency=symbol(issued.total),
        total=issued.total.text,
        total_minor=str(issued.total.units),
        tax=None,
        tax_minor=None,
        due=None,
        due_minor=None,
        credit_account_id=issued.credit_account_id,
        customer_name=None,
        customer_email=None,
        subscription_id=None,
        payment_intent_ids=[] if issued.payment_id is None else [issued.payment_id],
        reference=issued.reference,
        metadata={},
        reason=_reason(fact),
        pdf=_path(issued.invoice_id),
        finalized_at=issued.issued_at,
        due_at=None,
        paid_at=issued.issued_at,
    )


def _drafted(invoice: Invoice, told: Told) -> InvoiceData:
    drafted, final, sums = invoice.drafted, invoice.finalised, invoice.sums
    assert drafted is not None, "an invoice is a receipt, or was drafted"
    assert sums is not None, "what is drafted has sums"
    customer = drafted.customer if final is None else final.customer
    paid_by = [it.payment_id for it in invoice.applied if it.payment_id is not None]
    return InvoiceData(
        invoice_id=drafted.invoice_id,
        kind="invoice",
        number=None if final is None else final.number,
        status=invoice.status,
        currency=symbol(sums.total),
        total=sums.total.text,
        total_minor=str(sums.total.units),
        tax=sums.tax.text,
        tax_minor=str(sums.tax.units),
        due=text(invoice.due),
        due_minor=minor(invoice.due),
        credit_account_id=customer.credit_account_id,
        customer_name=customer.name,
        customer_email=customer.email,
        subscription_id=drafted.subscription_id,
        payment_intent_ids=list(dict.fromkeys(paid_by)),
        reference=drafted.reference,
        metadata=dict(drafted.metadata),
        reason=_reason(told.fact),
        pdf=None if final is None else _path(drafted.invoice_id),
        finalized_at=None if final is None else final.finalised_at,
        due_at=None if final is None else final.due_at,
        paid_at=invoice.paid_at,
    )


def _reason(fact: Any) -> str | None:
    reason = getattr(fact, "reason", None)
    return None if reason is None else str(reason)


def _path(invoice_id: str) -> str:
    return f"/v1/invoices/{invoice_id}.pdf"


def _if_given_up(told: Told) -> InvoiceData | None:
    fact = told.fact
    assert isinstance(fact, InvoiceDeliveryFailed)
    return _of(told) if fact.again_at is None else None


def _note(told: Told) -> CreditNoteData:
    assert isinstance(told.fact, CreditNoteIssued)
    return _note_data(told.fact)


def _note_if_given_up(told: Told) -> CreditNoteData | None:
    failed = told.fact
    assert isinstance(failed, CreditNoteDeliveryFailed)
    issued = next(
        it
        for it in told.own
        if isinstance(it, CreditNoteIssued) and it.credit_note_id == failed.credit_note_id
    )
    return _note_data(issued) if failed.again_at is None else None


def _note_data(fact: CreditNoteIssued) -> CreditNoteData:
    return CreditNoteData(
        credit_note_id=fact.credit_note_id,
        number=fact.number,
        invoice_id=fact.invoice_id,
        invoice_number=fact.invoice_number,
        currency=symbol(fact.sums.total),
        total=fact.sums.total.text,
        total_minor=str(fact.sums.total.units),
        to_refund=fact.to_refund.text,
        to_refund_minor=str(fact.to_refund.units),
        reason=fact.reason,
        issued_at=fact.issued_at,
    )


def _kind(name: str, says: str, *events: str) -> Kind:
    return Kind(f"invoice.{name}", says, events, InvoiceData, _of, own_stream)


INVOICE_KINDS: Final = (
    _kind("drafted", "It was drafted.", "invoice.drafted.v1"),
    _kind("finalized", "It has its number, and is owed.", "invoice.finalised.v1"),
    _kind(
        "paid",
        "Nothing is due any more; or a receipt was written for what was paid.",
        "invoice.paid.v1",
        "invoice.issued.v1",
    ),
    _kind(
        "payment_reversed",
        "The chain took back what had paid it: it is due again.",
        "invoice.payment_reversed.v1",
    ),
    _kind("overdue", "It is open behind its due date.", "invoice.fell_due.v1"),
    _kind("voided", "It was a mistake. It keeps its number.", "invoice.voided.v1"),
    _kind("uncollectible", "Nobody expects it to be paid.", "invoice.marked_uncollectible.v1"),
    Kind(
        "invoice.delivery_failed",
        "It could not be sent by e-mail, and is not tried again.",
        ("invoice.delivery_failed.v1",),
        InvoiceData,
        _if_given_up,
        own_stream,
    ),
    Kind(
        "credit_note.issued",
        "An invoice, or part of it, was given back.",
        ("invoice.credit_note_issued.v1",),
        CreditNoteData,
        _note,
    ),
    Kind(
        "credit_note.delivery_failed",
        "It could not be sent by e-mail, and is not tried again.",
        ("invoice.credit_note_delivery_failed.v1",),
        CreditNoteData,
        _note_if_given_up,
        own_stream,
    ),
)
