"""Receipts: invoices that were paid before they were written, by a payment that stands on its own."""

from __future__ import annotations

from flamewire_ledger.domain.invoice.commands import IssueReceipt, VoidReceipt
from flamewire_ledger.domain.invoice.facts import (
    InvoiceEvent,
    InvoiceIssued,
    InvoiceRegisterEvent,
    InvoiceVoided,
)
from flamewire_ledger.domain.invoice.numbers import InvoiceRegister, next_number
from flamewire_ledger.domain.invoice.state import Invoice
from flamewire_ledger.domain.party import Party
from flamewire_ledger.domain.rejection import AlreadyExists, Malformed, NotAllowed


def decide_receipt(
    register: InvoiceRegister | None,
    invoice: Invoice | None,
    command: IssueReceipt,
    seller: Party | None = None,
) -> tuple[tuple[InvoiceRegisterEvent, ...], tuple[InvoiceEvent, ...]]:
    """The number, and the receipt that bears it: (facts of the register, facts of the invoice)."""
    if invoice is not None:
        raise AlreadyExists(f"invoice {command.invoice_id} exists")
    if not command.lines:
        raise Malformed("an invoice has at least one line", pointer="/lines")
    if any(line.amount.asset != command.total.asset for line in command.lines):
        raise Malformed("an invoice is in one currency", pointer="/lines")
    if sum(line.signed_units for line in command.lines) != command.total.units:
        raise Malformed("the lines of an invoice add up to its total", pointer="/total")
    assigned, number = next_number(register, command.register_id, command.invoice_id, command.at)
    issued = InvoiceIssued(
        invoice_id=command.invoice_id,
        number=number,
        payment_id=command.payment_id,
        credit_account_id=command.credit_account_id,
        reference=command.reference,
        lines=command.lines,
        total=command.total,
        settled_with=command.settled_with,
        issued_at=assigned.assigned_at,
        seller=seller,
    )
    return (assigned,), (issued,)


def void_receipt(invoice: Invoice, command: VoidReceipt) -> tuple[InvoiceEvent, ...]:
    """It keeps its number. The books are the payment's to reverse. A second time: nothing new."""
    if invoice.issued is None:
        raise NotAllowed(f"invoice {command.invoice_id} is no receipt")
    if invoice.is_void:
        return ()
    return (InvoiceVoided(command.invoice_id, command.reason, command.at),)
