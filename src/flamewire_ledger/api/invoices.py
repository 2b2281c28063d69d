"""Invoices: drafting one, making it final, having it paid, and correcting it; as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from flamewire_ledger.api import invoice_views as views
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.currencies import find_currency, read_amount
from flamewire_ledger.api.models.credit_notes import CreateCreditNote, ListCreditNotes
from flamewire_ledger.api.models.invoices import (
    AddInvoiceLines,
    CreateInvoice,
    CustomerBody,
    InvoiceLineBody,
    ListInvoices,
    WithReason,
)
from flamewire_ledger.api.reading import Row, find, listed, page_of
from flamewire_ledger.api.rendering import as_list, to_json
from flamewire_ledger.api.streams import events_of, own
from flamewire_ledger.commands import invoice as commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Answer as Stored
from flamewire_ledger.commands.origin import Decision
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.invoice import (
    AddLines,
    CreditedLine,
    CreditNoteIssued,
    Customer,
    DraftInvoice,
    FinaliseInvoice,
    Invoice,
    InvoiceLine,
    IssueCreditNote,
    MarkUncollectible,
    Period,
    VoidInvoice,
    priced,
)
from flamewire_ledger.domain.money import Asset
from flamewire_ledger.domain.party import Address
from flamewire_ledger.domain.rejection import Malformed, NotAllowed

READ_MODEL: Final = "invoices"
CREDIT_NOTES: Final = "credit_notes"


async def create(call: Call) -> Envelope:
    body: CreateInvoice = call.body
    now = call.now()
    currency = find_currency(call.chains, body.currency, "/currency")
    account_id = body.customer.credit_account_id
    if account_id is not None:
        await own(call, "ca", account_id, "/customer/credit_account_id")
    command = DraftInvoice(
        invoice_id=derived_id("inv", now, str(call.command_id)),
        customer=_customer(body.customer),
        currency=currency,
        at=now,
        lines=_lines(body.lines, currency),
        due_days=body.due_days,
        prices_include_tax=body.prices_include_tax,
        reverse_charge=body.reverse_charge,
        reference=body.reference,
        memo=body.memo,
        metadata=body.metadata,
    )
    return commands.envelope(call.origin, command, answer(call, command.invoice_id))


def _customer(body: CustomerBody) -> Customer:
    address = None if body.address is None else Address(**body.address.model_dump())
    return Customer(body.credit_account_id, body.name, address, body.tax_id, body.email)


def _lines(bodies: Sequence[InvoiceLineBody], currency: Asset) -> tuple[InvoiceLine, ...]:
    return tuple(_line(place, body, currency) for place, body in enumerate(bodies))


def _line(place: int, body: InvoiceLineBody, currency: Asset) -> InvoiceLine:
    if (body.unit_price is None) == (body.amount is None):
        raise Malformed(
            "a line has a unit price or an amount, and not both", pointer=f"/lines/{place}"
        )
    if body.amount is not None:
        amount = read_amount(body.amount, currency, f"/lines/{place}/amount", zero=True)
    else:
        amount = priced(body.quantity, body.unit_price or "", currency, is_credit=body.is_credit)
        read_amount(amount.text, currency, f"/lines/{place}/unit_price", zero=True)
    period = None if body.period is None else Period(body.period.start, body.period.end)
    return InvoiceLine(
        description=body.description,
        quantity=body.quantity,
        unit_price=body.unit_price,
        amount=amount,
        tax_rate=body.tax_rate,
        period=period,
        is_credit=body.is_credit,
    )


async def add_lines(call: Call) -> Envelope:
    body: AddInvoiceLines = call.body
    invoice = await known(call)
    currency = currency_of(invoice)
    command = AddLines(call.path["id"], _lines(body.lines, currency), call.now())
    return commands.envelope(call.origin, command, answer(call, command.invoice_id))


async def finalise(call: Call) -> Envelope:
    await known(call)
    command = FinaliseInvoice(call.path["id"], call.now())
    return commands.finalise(call.origin, command, answer(call, command.invoice_id))


async def void(call: Call) -> Envelope:
    body: WithReason = call.body
    await known(call)
    command = VoidInvoice(call.path["id"], body.reason, call.now())
    return commands.envelope(call.origin, command, answer(call, command.invoice_id))


async def mark_uncollectible(call: Call) -> Envelope:
    body: WithReason = call.body
    await known(call)
    command = MarkUncollectible(call.path["id"], body.reason, call.now())
    return commands.envelope(call.origin, command, answer(call, command.invoice_id))


async def credit(call: Call) -> Envelope:
    body: CreateCreditNote = call.body
    currency = currency_of(await known(call))
    now = call.now()
    lines = [
        CreditedLine(
            line.line,
            None
            if line.amount is None
            else read_amount(line.amount, currency, f"/lines/{place}/amount"),
        )
        for place, line in enumerate(body.lines)
    ]
    command = IssueCreditNote(
        invoice_id=call.path["id"],
        credit_note_id=derived_id("cn", now, str(call.command_id)),
        reason=body.reason,
        at=now,
        lines=tuple(lines),
    )

    def shown(decision: Decision) -> bytes:
        issued = next(
            fact
            for fact in decision.facts[command.invoice_id]
            if isinstance(fact, CreditNoteIssued)
        )
        return to_json(views.of_note_row(views.note_row_of(issued)))

    return commands.credit(call.origin, command, shown)


async def known(call: Call) -> Invoice:
    """The invoice of the path as it is now; it is the caller's, and no receipt."""
    invoice_id = call.path["id"]
    await own(call, "inv", invoice_id)
    state: Invoice | None = None
    for event in await events_of(call, invoice_id):
        state = commands.INVOICE.evolve(state, event)
    assert state is not None, "it has a first event"
    if state.issued is not None:
        raise NotAllowed("a receipt stands on its payment: resolve that")
    return state


def currency_of(invoice: Invoice) -> Asset:
    assert invoice.drafted is not None, "it is no receipt"
    return invoice.drafted.currency


def answer(call: Call, invoice_id: str) -> Stored:
    """The invoice after the command."""
    now = call.now()

    def shown(decision: Decision) -> bytes:
        return to_json(views.of_row(views.row_of_state(decision.after[invoice_id]), now))

    return shown


async def get(call: Call) -> Answer:
    row = await row_of(call)
    payments: Sequence[Row] = ()
    if row["asked"]:
        payments = await call.parts.reads.ask(
            READ_MODEL,
            "payments_of_invoice",
            {
                "merchant_id": call.merchant_id,
                "payment_ids": [each["payment_id"] for each in row["asked"]],
            },
        )
    return Answer(to_json(_placed(row, views.of_row(row, call.now(), payments))))


def _placed(row: Row, view: dict[str, Any]) -> dict[str, Any]:
    return {**view, "position": row["position"]}


async def row_of(call: Call) -> Row:
    invoice_id = call.path["id"]
    return await find(
        call, "invoice", READ_MODEL, lambda: call.parts.reads.invoice(call.merchant_id, invoice_id)
    )


async def list_all(call: Call) -> Answer:
    query: ListInvoices = call.query
    now = call.now()
    listing = await listed(
        call,
        READ_MODEL,
        lambda: call.parts.reads.invoices(
            call.merchant_id,
            page_of(call),
            now=now,
            status=query.status,
            payment_id=query.payment_intent_id,
            credit_account_id=query.credit_account_id,
            subscription_id=query.subscription_id,
            overdue=query.overdue,
        ),
        ids="inv",
    )
    data = [_placed(row, views.of_row(row, now)) for row in listing.rows]
    return Answer(as_list(data, has_more=listing.has_more))


async def get_credit_note(call: Call) -> Answer:
    row = await note_row_of(call)
    return Answer(to_json(_placed(row, views.of_note_row(row))))


async def note_row_of(call: Call) -> Row:
    asked = {"merchant_id": call.merchant_id, "credit_note_id": call.path["id"]}

    async def question() -> Row | None:
        rows = await call.parts.reads.ask(CREDIT_NOTES, "credit_note_by_id", asked)
        return rows[0] if rows else None

    return await find(call, "credit note", CREDIT_NOTES, question)


async def list_credit_notes(call: Call) -> Answer:
    query: ListCreditNotes = call.query
    listing = await listed(
        call,
        CREDIT_NOTES,
        lambda: call.parts.reads.listing(
            "credit_notes", page_of(call), merchant_id=call.merchant_id, invoice_id=query.invoice_id
        ),
        ids="cn",
    )
    data = [_placed(row, views.of_note_row(row)) for row in listing.rows]
    return Answer(as_list(data, has_more=listing.has_more))
