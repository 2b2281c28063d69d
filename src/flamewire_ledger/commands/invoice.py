"""Commands on invoices, as envelopes: the register that gives the number and the document that takes
it are one command, and so are an invoice and the payment that is made for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.merchant import MERCHANT
from flamewire_ledger.commands.origin import Answer, Origin
from flamewire_ledger.commands.payment import PAYMENT, request
from flamewire_ledger.domain import invoice, payment
from flamewire_ledger.domain.invoice import (
    FinaliseInvoice,
    InvoiceCommand,
    InvoicePaymentRecorded,
    IssueCreditNote,
    IssueReceipt,
    RecordInvoicePayment,
    RequestInvoicePayment,
    credit_note_register_id,
    register_id,
)
from flamewire_ledger.domain.merchant import Merchant
from flamewire_ledger.domain.party import Party
from flamewire_ledger.domain.payment import ReleaseApplied, RequestPayment
from flamewire_ledger.domain.price_lock import LockPrice, UsePriceLock

INVOICE: Final = Decider("invoice", invoice.evolve_invoice, invoice.Invoice, "invoice.5")
REGISTER: Final = Decider(
    "invoice_register", invoice.evolve_register, invoice.InvoiceRegister, "invoice_register.2"
)


def envelope(origin: Origin, command: InvoiceCommand, answer: Answer | None = None) -> Envelope:
    """One command on one invoice."""
    stream_id = command.invoice_id

    def decide(states: Mapping[str, Any]) -> Facts:
        return {stream_id: invoice.decide(states[stream_id], command)}

    return origin.envelope((Subject(stream_id, INVOICE),), decide, answer)


def issue(origin: Origin, command: IssueReceipt, answer: Answer | None = None) -> Envelope:
    """Issue a receipt under the next number of its register."""
    register, invoice_id = command.register_id, command.invoice_id
    merchant_id = origin.merchant_id

    def decide(states: Mapping[str, Any]) -> Facts:
        numbers, facts = invoice.decide_receipt(
            states[register], states[invoice_id], command, _seller(states[merchant_id])
        )
        return {register: numbers, invoice_id: facts}

    return origin.envelope(_numbered(register, invoice_id, merchant_id), decide, answer)


def finalise(origin: Origin, command: FinaliseInvoice, answer: Answer | None = None) -> Envelope:
    """Give it the next number of the merchant's register, and the seller as the merchant is now."""
    merchant_id, invoice_id = origin.merchant_id, command.invoice_id
    register = register_id(merchant_id, command.at)

    def decide(states: Mapping[str, Any]) -> Facts:
        numbers, facts = invoice.decide_finalise(
            register, states[register], states[invoice_id], _seller(states[merchant_id]), command
        )
        return {register: numbers, invoice_id: facts}

    return origin.envelope(_numbered(register, invoice_id, merchant_id), decide, answer)


def credit(origin: Origin, command: IssueCreditNote, answer: Answer | None = None) -> Envelope:
    """Issue a credit note under the next number of its own register."""
    register = credit_note_register_id(origin.merchant_id, command.at)
    invoice_id = command.invoice_id

    def decide(states: Mapping[str, Any]) -> Facts:
        numbers, facts = invoice.decide_credit_note(
            register, states[register], states[invoice_id], command
        )
        return {register: numbers, invoice_id: facts}

    subjects = (Subject(register, REGISTER), Subject(invoice_id, INVOICE))
    return origin.envelope(subjects, decide, answer)


def request_payment(
    origin: Origin,
    command: RequestInvoicePayment,
    payment_command: RequestPayment,
    locks: Sequence[LockPrice | UsePriceLock],
    answer: Answer | None = None,
) -> Envelope:
    """Ask for a payment on behalf of an invoice: both know of each other, or neither does."""
    made = request(origin, payment_command, locks)
    invoice_id = command.invoice_id

    def decide(states: Mapping[str, Any]) -> Facts:
        facts = {invoice_id: invoice.decide(states[invoice_id], command)}
        return {**facts, **made.decide(states)}

    return origin.envelope((Subject(invoice_id, INVOICE), *made.subjects), decide, answer)


def look(origin: Origin, invoice_id: str, payment_id: str, answer: Answer) -> Envelope:
    """Nothing new, answered with both as they are."""
    subjects = (Subject(invoice_id, INVOICE), Subject(payment_id, PAYMENT))
    return origin.envelope(subjects, lambda _: {}, answer)


def record_payment(
    origin: Origin, command: RecordInvoicePayment, answer: Answer | None = None
) -> Envelope:
    """A payment has succeeded: it pays the invoice, and what is not due any more stays the
    customer's, in the payment.
    """
    invoice_id, payment_id = command.invoice_id, command.payment_id

    def decide(states: Mapping[str, Any]) -> Facts:
        facts = invoice.decide(states[invoice_id], command)
        decided: dict[str, Sequence[Any]] = {invoice_id: facts}
        for fact in facts:
            if isinstance(fact, InvoicePaymentRecorded) and not fact.surplus.is_zero:
                release = ReleaseApplied(
                    payment_id, command.settling, fact.surplus, command.amount, command.at
                )
                decided[payment_id] = payment.decide(states[payment_id], release)
        return decided

    subjects = (Subject(invoice_id, INVOICE), Subject(payment_id, PAYMENT))
    return origin.envelope(subjects, decide, answer)


def _numbered(register: str, invoice_id: str, merchant_id: str) -> tuple[Subject, ...]:
    return (
        Subject(merchant_id, MERCHANT),
        Subject(register, REGISTER),
        Subject(invoice_id, INVOICE),
    )


def _seller(merchant: Merchant | None) -> Party | None:
    """Who is printed as the seller: what the merchant said of itself, or its name."""
    if merchant is None:
        return None
    return merchant.seller or Party(merchant.registered.name)
