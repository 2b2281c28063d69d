"""Credit notes: what is given back of an invoice that is final, line by line, never more than is left.

Tax is given back at the line's rate, counted from the first credit note of a line on: notes over all
of a line give back exactly its tax, however they are cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flamewire_ledger.domain.invoice.books import given_back
from flamewire_ledger.domain.invoice.commands import CreditedLine, IssueCreditNote
from flamewire_ledger.domain.invoice.facts import (
    CreditNoteIssued,
    CreditNoteLine,
    InvoiceEvent,
    InvoiceFinalised,
    InvoicePaid,
    InvoiceRegisterEvent,
)
from flamewire_ledger.domain.invoice.lines import InvoiceLine, Sums, TaxLine, half_up, part_of_tax
from flamewire_ledger.domain.invoice.numbers import InvoiceRegister, next_number
from flamewire_ledger.domain.invoice.state import Invoice
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.rejection import (
    InvalidAmount,
    Malformed,
    NotAllowed,
    NotFound,
)

CREDIT_NOTES_MAX: Final = 200  # of one invoice


def decide_credit_note(
    register_id: str,
    register: InvoiceRegister | None,
    invoice: Invoice | None,
    command: IssueCreditNote,
) -> tuple[tuple[InvoiceRegisterEvent, ...], tuple[InvoiceEvent, ...]]:
    """The number, and the note that bears it: (facts of the register, facts of the invoice)."""
    if invoice is None:
        raise NotFound(f"there is no invoice {command.invoice_id}")
    if command.at_most and invoice.is_void:
        return (), ()
    finalised = _creditable(invoice, command)
    wanted = command.lines
    if command.at_most:
        wanted = _as_far_as_left(invoice, finalised, wanted)
        if not wanted:
            return (), ()
    lines = _lines(invoice, finalised, wanted)
    sums = _sums(lines, finalised)
    _within_what_is_left(invoice, finalised, sums)
    assert invoice.due is not None, "it is final"
    assert invoice.drafted is not None, "it is no receipt"
    from_due = min(sums.total.units, invoice.due.units)
    due = Amount(sums.total.asset, invoice.due.units - from_due)
    assigned, number = next_number(register, register_id, command.credit_note_id, command.at)
    issued = CreditNoteIssued(
        invoice_id=command.invoice_id,
        credit_note_id=command.credit_note_id,
        number=f"CN-{number}",
        invoice_number=finalised.number,
        invoice_issued_at=finalised.finalised_at,
        customer=finalised.customer,
        seller=finalised.seller,
        lines=lines,
        sums=sums,
        reason=command.reason,
        credited=Amount(sums.total.asset, invoice.credited_units + sums.total.units),
        due=due,
        to_refund=Amount(sums.total.asset, sums.total.units - from_due),
        postings=given_back(invoice, sums, from_due),
        issued_at=assigned.assigned_at,
        reverse_charge=invoice.drafted.reverse_charge,
    )
    if due.is_zero and not invoice.due.is_zero:
        return (assigned,), (issued, InvoicePaid(command.invoice_id, issued.issued_at))
    return (assigned,), (issued,)


def _creditable(invoice: Invoice, command: IssueCreditNote) -> InvoiceFinalised:
    if not command.reason.strip():
        raise Malformed("a credit note has a reason", pointer="/reason")
    if invoice.issued is not None:
        raise NotAllowed("a receipt stands on its payment: resolve that")
    if invoice.finalised is None or invoice.is_void:
        raise NotAllowed(f"nothing is owed by an invoice that is {invoice.status}")
    if len(invoice.credit_notes) >= CREDIT_NOTES_MAX:
        raise NotAllowed(f"an invoice has at most {CREDIT_NOTES_MAX} credit notes")
    return invoice.finalised


def _lines(
    invoice: Invoice, finalised: InvoiceFinalised, wanted: Sequence[CreditedLine]
) -> tuple[CreditNoteLine, ...]:
    credited, left = _credited_and_left(invoice, finalised)
    count = len(finalised.lines)
    assert invoice.drafted is not None, "it is final, and no receipt"
    includes_tax = invoice.drafted.prices_include_tax
    asked = wanted or [CreditedLine(it) for it in range(1, count + 1) if left[it]]
    if len({each.line for each in asked}) != len(asked):
        raise Malformed("each line of the invoice is there once", pointer="/lines")
    made: list[CreditNoteLine] = []
    for place, each in enumerate(asked):
        if each.line not in left:
            raise Malformed(f"the invoice has lines 1 to {count}", pointer=f"/lines/{place}/line")
        units = left[each.line] if each.amount is None else each.amount.units
        line = finalised.lines[each.line - 1]
        if each.amount is not None and each.amount.asset != line.amount.asset:
            raise Malformed("a credit note is in the currency of its invoice", pointer="/lines")
        if not 0 < units <= left[each.line]:
            text = Amount(line.amount.asset, left[each.line]).text
            raise InvalidAmount(f"{text} is left of this line", pointer=f"/lines/{place}/amount")
        before = credited.get(each.line, 0)
        made.append(_line(each.line, line, before, units, includes_tax=includes_tax))
    return tuple(made)


def _credited_and_left(
    invoice: Invoice, finalised: InvoiceFinalised
) -> tuple[dict[int, int], dict[int, int]]:
    """Units of each line that was credited, and of each line what is left."""
    credited: dict[int, int] = {}
    for note in invoice.credit_notes:
        for given in note.lines:
            credited[given.line] = credited.get(given.line, 0) + given.amount.units
    left = {it: line.amount.units - credited.get(it, 0) for it, line in _numbered(finalised)}
    return credited, left


def _as_far_as_left(
    invoice: Invoice, finalised: InvoiceFinalised, wanted: Sequence[CreditedLine]
) -> tuple[CreditedLine, ...]:
    """Of these lines what is left of them; of a rate at which less is left in all, all that is."""
    asset = finalised.sums.total.asset
    _, left = _credited_and_left(invoice, finalised)
    rooms = _left_at_rates(invoice, finalised)
    asked = [
        CreditedLine(it.line, Amount(asset, units))
        for it in wanted
        if it.amount is not None and (units := min(it.amount.units, left[it.line]))
    ]
    found: list[CreditedLine] = []
    for rate, (net_left, tax_left) in rooms.items():
        at_rate = [it for it in asked if finalised.lines[it.line - 1].tax_rate == rate]
        made = _lines(invoice, finalised, at_rate) if at_rate else ()
        net, tax = (sum(line.net.units for line in made), sum(line.tax.units for line in made))
        if net <= net_left and tax <= tax_left:
            found += at_rate
        elif net_left + tax_left:
            found += [
                CreditedLine(it)
                for it, line in _numbered(finalised)
                if left[it] and line.tax_rate == rate
            ]
    return tuple(found)


def _numbered(finalised: InvoiceFinalised) -> Sequence[tuple[int, InvoiceLine]]:
    return list(enumerate(finalised.lines, start=1))


def _line(
    number: int, line: InvoiceLine, before: int, units: int, *, includes_tax: bool
) -> CreditNoteLine:
    tax = _tax(line, before + units, includes_tax) - _tax(line, before, includes_tax)
    asset = line.amount.asset
    return CreditNoteLine(
        line=number,
        description=line.description,
        amount=Amount(asset, units),
        tax_rate=line.tax_rate,
        is_credit=line.is_credit,
        net=Amount(asset, units - tax if includes_tax else units),
        tax=Amount(asset, tax),
    )


def _tax(line: InvoiceLine, units: int, includes_tax: bool) -> int:
    """The tax of so much of a line: as of a line of that size, and no more than the whole one bears."""
    assert line.tax is not None, "shares are known when an invoice is final"
    if units == line.amount.units:
        return line.tax.units
    return min(half_up(units * part_of_tax(line.tax_rate, includes_tax)), line.tax.units)


def _sums(lines: Sequence[CreditNoteLine], finalised: InvoiceFinalised) -> Sums:
    asset = finalised.sums.total.asset
    by_rate: dict[str | None, tuple[int, int]] = {}
    for line in lines:
        sign = -1 if line.is_credit else 1
        net, tax = by_rate.get(line.tax_rate, (0, 0))
        by_rate[line.tax_rate] = (net + sign * line.net.units, tax + sign * line.tax.units)
    if any(net < 0 or tax < 0 for net, tax in by_rate.values()):
        raise Malformed("a credit note gives something back at each rate", pointer="/lines")
    taxes = tuple(
        TaxLine(rate, Amount(asset, net), Amount(asset, tax))
        for rate, (net, tax) in by_rate.items()
    )
    net = sum(each.net.units for each in taxes)
    tax = sum(each.tax.units for each in taxes)
    if not net + tax:
        raise NotAllowed("nothing is left of this invoice to be given back")
    return Sums(Amount(asset, net), Amount(asset, tax), Amount(asset, net + tax), taxes)


def _within_what_is_left(invoice: Invoice, finalised: InvoiceFinalised, sums: Sums) -> None:
    """At each rate, and so in all. Lines that gave something back are why lines alone do not say."""
    left = _left_at_rates(invoice, finalised)
    for each in sums.taxes:
        net, tax = left[each.rate]
        if each.net.units > net or each.tax.units > tax:
            raise InvalidAmount("this is more than is left of the invoice", pointer="/lines")


def _left_at_rates(
    invoice: Invoice, finalised: InvoiceFinalised
) -> dict[str | None, tuple[int, int]]:
    """(net, tax) in units."""
    left = {each.rate: (each.net.units, each.tax.units) for each in finalised.sums.taxes}
    for note in invoice.credit_notes:
        for each in note.sums.taxes:
            net, tax = left[each.rate]
            left[each.rate] = (net - each.net.units, tax - each.tax.units)
    return left
