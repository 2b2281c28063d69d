"""What is decided on an invoice: its life from a draft to its end. What is paid is in `paying`, what
is given back in `crediting`, how it reaches the customer in `delivering`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, TypeAlias, assert_never

from flamewire_ledger.domain.invoice.books import charged
from flamewire_ledger.domain.invoice.commands import (
    AddLines,
    DraftInvoice,
    FinaliseInvoice,
    InvoiceCommand,
    MarkUncollectible,
    NoteOverdue,
    PayInvoice,
    RecordDelivery,
    RecordDeliveryFailure,
    RecordInvoicePayment,
    RequestInvoicePayment,
    ReverseInvoicePayment,
    VoidInvoice,
    VoidReceipt,
)
from flamewire_ledger.domain.invoice.delivering import note_delivery
from flamewire_ledger.domain.invoice.facts import (
    InvoiceDrafted,
    InvoiceEvent,
    InvoiceFellDue,
    InvoiceFinalised,
    InvoiceLinesAdded,
    InvoiceMarkedUncollectible,
    InvoicePaid,
    InvoiceRegisterEvent,
    InvoiceVoided,
)
from flamewire_ledger.domain.invoice.lines import InvoiceLine, added_up, checked
from flamewire_ledger.domain.invoice.numbers import InvoiceRegister, next_number
from flamewire_ledger.domain.invoice.paying import pay_elsewhere, record, request, reverse
from flamewire_ledger.domain.invoice.receipts import void_receipt
from flamewire_ledger.domain.invoice.state import Invoice
from flamewire_ledger.domain.money import Asset
from flamewire_ledger.domain.party import Party
from flamewire_ledger.domain.posting import BAD_DEBTS, RECEIVABLE, Posting
from flamewire_ledger.domain.rejection import AlreadyExists, Malformed, NotAllowed, NotFound

DUE_DAYS_MAX: Final = 3_650
Facts: TypeAlias = tuple[InvoiceEvent, ...]


def decide(invoice: Invoice | None, command: InvoiceCommand) -> Facts:
    """Facts that follow from the command, or a Rejection. An empty tuple: nothing new to say."""
    if isinstance(command, DraftInvoice):
        return _draft(invoice, command)
    invoice = known(invoice, command.invoice_id)
    match command:
        case VoidReceipt():
            return void_receipt(invoice, command)
        case AddLines():
            return _add(invoice, command)
        case PayInvoice():
            return pay_elsewhere(invoice, command)
        case RequestInvoicePayment():
            return request(invoice, command)
        case RecordInvoicePayment():
            return record(invoice, command)
        case ReverseInvoicePayment():
            return reverse(invoice, command)
        case VoidInvoice():
            return _void(invoice, command)
        case MarkUncollectible():
            return _give_up(invoice, command)
        case NoteOverdue():
            return _note_overdue(invoice, command)
        case RecordDelivery() | RecordDeliveryFailure():
            return note_delivery(invoice, command)
        case _:
            assert_never(command)


def known(invoice: Invoice | None, invoice_id: str) -> Invoice:
    if invoice is None:
        raise NotFound(f"there is no invoice {invoice_id}")
    return invoice


def _draft(invoice: Invoice | None, command: DraftInvoice) -> Facts:
    if invoice is not None:
        raise AlreadyExists(f"invoice {command.invoice_id} exists")
    customer = command.customer
    if customer.credit_account_id is None and not (customer.name or "").strip():
        raise Malformed("a customer has a name or a credit account", pointer="/customer")
    if not 0 <= command.due_days <= DUE_DAYS_MAX:
        raise Malformed(f"an invoice is due in 0 to {DUE_DAYS_MAX} days", pointer="/due_days")
    if command.reverse_charge and not (customer.tax_id or "").strip():
        raise Malformed(
            "a reverse charge names the tax id of the customer, who owes the tax",
            pointer="/customer/tax_id",
        )
    lines = _checked(command.lines, command.currency, reverse_charge=command.reverse_charge)
    _, sums = added_up(lines, command.currency, prices_include_tax=command.prices_include_tax)
    return (
        InvoiceDrafted(
            invoice_id=command.invoice_id,
            customer=customer,
            currency=command.currency,
            lines=lines,
            sums=sums,
            prices_include_tax=command.prices_include_tax,
            due_days=command.due_days,
            reference=command.reference,
            memo=command.memo,
            subscription_id=command.subscription_id,
            metadata=command.metadata,
            drafted_at=command.at,
            reverse_charge=command.reverse_charge,
        ),
    )


def _checked(
    lines: tuple[InvoiceLine, ...], currency: Asset, *, reverse_charge: bool
) -> tuple[InvoiceLine, ...]:
    made = tuple(checked(line, currency) for line in lines)
    if reverse_charge and any(line.tax_rate is not None for line in made):
        raise Malformed(
            "the customer owes the tax of a reverse charge: its lines have no rate",
            pointer="/lines",
        )
    return made


def _add(invoice: Invoice, command: AddLines) -> Facts:
    drafted = _still_a_draft(invoice)
    if not command.lines:
        return ()
    lines = _checked(command.lines, drafted.currency, reverse_charge=drafted.reverse_charge)
    _, sums = added_up(
        (*invoice.lines, *lines),
        drafted.currency,
        prices_include_tax=drafted.prices_include_tax,
    )
    return (InvoiceLinesAdded(command.invoice_id, lines, sums, command.at),)


def decide_finalise(
    register_id: str,
    register: InvoiceRegister | None,
    invoice: Invoice | None,
    seller: Party | None,
    command: FinaliseInvoice,
) -> tuple[tuple[InvoiceRegisterEvent, ...], Facts]:
    """The number, and the invoice that bears it: (facts of the register, facts of the invoice).

    An invoice over nothing is paid at once. One that is final already takes no second number.
    """
    invoice = known(invoice, command.invoice_id)
    if invoice.finalised is not None and not invoice.is_void:
        return (), ()
    drafted = _still_a_draft(invoice)
    if not invoice.lines:
        raise NotAllowed("an invoice has at least one line: add some first")
    if drafted.reverse_charge and (seller is None or not (seller.tax_id or "").strip()):
        raise NotAllowed("a reverse charge names your tax id: say it with POST /v1/seller")
    lines, sums = added_up(
        invoice.lines, drafted.currency, prices_include_tax=drafted.prices_include_tax
    )
    assigned, number = next_number(register, register_id, command.invoice_id, command.at)
    finalised = InvoiceFinalised(
        invoice_id=command.invoice_id,
        number=number,
        seller=seller,
        customer=drafted.customer,
        lines=lines,
        sums=sums,
        due_at=assigned.assigned_at + timedelta(days=drafted.due_days),
        postings=charged(sums),
        finalised_at=assigned.assigned_at,
    )
    if sums.total.is_zero:
        return (assigned,), (finalised, InvoicePaid(command.invoice_id, finalised.finalised_at))
    return (assigned,), (finalised,)


def _still_a_draft(invoice: Invoice) -> InvoiceDrafted:
    if invoice.drafted is None or invoice.status != "draft":
        raise NotAllowed(
            f"only a draft changes; this invoice is {invoice.status}: issue a credit note, or another"
        )
    return invoice.drafted


def _void(invoice: Invoice, command: VoidInvoice) -> Facts:
    """A draft, or an open invoice towards which nothing was paid or given back."""
    if invoice.is_void:
        return ()
    if not command.reason.strip():
        raise Malformed("voiding an invoice has a reason", pointer="/reason")
    if invoice.issued is not None:
        raise NotAllowed("a receipt stands on its payment: resolve that")
    if invoice.status not in ("draft", "open") or invoice.applied or invoice.credit_notes:
        raise NotAllowed(
            "only an open invoice of which nothing was paid or given back can be voided: "
            "issue a credit note for what is left"
        )
    made = () if invoice.finalised is None else invoice.finalised.postings
    postings = tuple(posting.reversed() for posting in made)
    return (InvoiceVoided(command.invoice_id, command.reason, command.at, postings),)


def _give_up(invoice: Invoice, command: MarkUncollectible) -> Facts:
    if invoice.is_uncollectible:
        return ()
    if not command.reason.strip():
        raise Malformed("giving up an invoice has a reason", pointer="/reason")
    if invoice.status != "open" or invoice.due is None:
        raise NotAllowed(f"only an open invoice is given up; this one is {invoice.status}")
    postings = (Posting(BAD_DEBTS, RECEIVABLE, invoice.due),)
    return (InvoiceMarkedUncollectible(command.invoice_id, command.reason, postings, command.at),)


def _note_overdue(invoice: Invoice, command: NoteOverdue) -> Facts:
    """It moves no money, and is said once."""
    finalised = invoice.finalised
    if finalised is None:
        raise NotAllowed("a draft is not due")
    if invoice.status != "open" or invoice.due is None or invoice.fell_due_at is not None:
        return ()
    if command.at <= finalised.due_at:
        raise NotAllowed(f"invoice {command.invoice_id} is not due yet")
    fell = InvoiceFellDue(command.invoice_id, invoice.due, finalised.due_at, noted_at=command.at)
    return (fell,)
