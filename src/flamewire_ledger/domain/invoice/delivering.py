"""How invoices and credit notes reach the customer: each attempt that failed is noted, until one is taken."""

from __future__ import annotations

from typing import assert_never

from flamewire_ledger.domain.invoice.commands import RecordDelivery, RecordDeliveryFailure
from flamewire_ledger.domain.invoice.facts import (
    CreditNoteDelivered,
    CreditNoteDeliveryFailed,
    InvoiceDelivered,
    InvoiceDeliveryFailed,
    InvoiceEvent,
)
from flamewire_ledger.domain.invoice.state import Invoice
from flamewire_ledger.domain.rejection import NotAllowed, NotFound


def note_delivery(
    invoice: Invoice, command: RecordDelivery | RecordDeliveryFailure
) -> tuple[InvoiceEvent, ...]:
    """Said once; what was taken does not fail any more."""
    if invoice.finalised is None:
        raise NotAllowed("a draft is not delivered")
    note_id = command.credit_note_id
    if note_id is not None:
        return _of_note(invoice, command, note_id)
    last = 0 if invoice.failed is None else invoice.failed.attempt
    if invoice.delivered is not None:
        return ()
    match command:
        case RecordDelivery(id_, email, message_id, attempt, at):
            return (InvoiceDelivered(id_, email, message_id, attempt, at),)
        case RecordDeliveryFailure():
            if command.attempt <= last:
                return ()
            return (
                InvoiceDeliveryFailed(
                    invoice_id=command.invoice_id,
                    email=command.email,
                    message_id=command.message_id,
                    attempt=command.attempt,
                    reason=command.reason,
                    failed_at=command.at,
                    again_at=None if invoice.is_void else command.again_at,
                ),
            )
        case _:
            assert_never(command)


def _of_note(
    invoice: Invoice, command: RecordDelivery | RecordDeliveryFailure, note_id: str
) -> tuple[InvoiceEvent, ...]:
    if all(note.credit_note_id != note_id for note in invoice.credit_notes):
        raise NotFound(f"the invoice has no credit note {note_id}")
    sent = next((it for it in invoice.notes_sent if it.credit_note_id == note_id), None)
    if sent is not None and sent.is_delivered:
        return ()
    match command:
        case RecordDelivery(id_, email, message_id, attempt, at):
            return (CreditNoteDelivered(id_, note_id, email, message_id, attempt, at),)
        case RecordDeliveryFailure():
            if sent is not None and command.attempt <= sent.attempt:
                return ()
            return (
                CreditNoteDeliveryFailed(
                    invoice_id=command.invoice_id,
                    credit_note_id=note_id,
                    email=command.email,
                    message_id=command.message_id,
                    attempt=command.attempt,
                    reason=command.reason,
                    failed_at=command.at,
                    again_at=command.again_at,
                ),
            )
        case _:
            assert_never(command)
