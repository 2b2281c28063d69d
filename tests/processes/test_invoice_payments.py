"""What a payment for an invoice leads to when a chain takes it back in between."""

from __future__ import annotations

from dataclasses import replace

from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.invoice import RecordInvoicePayment, ReverseInvoicePayment
from flamewire_ledger.processes.invoice_payments import InvoicePayments
from tests.processes.stories import (
    LOCK,
    NOON,
    PAYMENT,
    confirmed,
    known,
    locked,
    minutes,
    reorganised,
    requested,
    resolved,
    stream,
    succeeded,
)

PROCESS = InvoicePayments()
ASKED = replace(requested(None), invoice_id=derived_id("inv", NOON, "invoice"))


def commands(*events: object) -> list[object]:
    facts = stream(PAYMENT, *events)
    past = known(facts, stream(LOCK, locked()))
    return [it.command for fact in facts for it in PROCESS.react(fact, past)]


def test_each_success_is_told_with_its_number():
    """So that what is given back is given back of the one that paid, whenever that is decided."""
    first, undone, second = commands(
        *(ASKED, confirmed(), succeeded(None), reorganised()),
        *(confirmed(), succeeded(None, at=minutes(9))),
    )
    assert isinstance(undone, ReverseInvoicePayment)
    assert isinstance(first, RecordInvoicePayment)
    assert isinstance(second, RecordInvoicePayment)
    assert (first.settling, second.settling) == (1, 2)


def test_what_a_person_decided_before_is_counted_too():
    *_, last = commands(
        ASKED, confirmed(), resolved("refund", 0, None), confirmed(), succeeded(None)
    )
    assert isinstance(last, RecordInvoicePayment)
    assert last.settling == 2
