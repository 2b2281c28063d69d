"""Commands on invoices, as envelopes: the register that gives the number and the invoice that takes
it are one command.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.origin import Answer, Origin
from flamewire_ledger.domain import invoice
from flamewire_ledger.domain.invoice import IssueReceipt, VoidInvoice

INVOICE: Final = Decider("invoice", invoice.evolve_invoice, invoice.Invoice, "invoice.1")
REGISTER: Final = Decider(
    "invoice_register", invoice.evolve_register, invoice.InvoiceRegister, "invoice_register.1"
)


def issue(origin: Origin, command: IssueReceipt, answer: Answer | None = None) -> Envelope:
    """Issue a receipt under the next number of its register."""
    register_id, invoice_id = command.register_id, command.invoice_id

    def decide(states: Mapping[str, Any]) -> Facts:
        numbers, facts = invoice.decide_receipt(states[register_id], states[invoice_id], command)
        return {register_id: numbers, invoice_id: facts}

    subjects = (Subject(register_id, REGISTER), Subject(invoice_id, INVOICE))
    return origin.envelope(subjects, decide, answer)


def void(origin: Origin, command: VoidInvoice, answer: Answer | None = None) -> Envelope:
    """Void an invoice; it keeps its number."""
    stream_id = command.invoice_id

    def decide(states: Mapping[str, Any]) -> Facts:
        return {stream_id: invoice.decide(states[stream_id], command)}

    return origin.envelope((Subject(stream_id, INVOICE),), decide, answer)
