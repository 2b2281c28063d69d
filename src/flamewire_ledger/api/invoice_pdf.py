"""An invoice on paper: A4 pages drawn from the answer that the API gives.

The same invoice gives the same bytes, whenever it is drawn: nothing in it is of the time it is
drawn at. It is PDF/A-3, and carries the Factur-X document for machines where there is one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flamewire_ledger.api.invoice_xml import why_not, xml_of
from flamewire_ledger.api.paper import ACCENT, FULL, Paper

_COLUMNS: Final = ((78.0, "L"), (22.0, "R"), (26.0, "R"), (18.0, "R"), (30.0, "R"))
_LABEL: Final = 34.0
_HALF: Final = FULL / 2
_AMOUNT: Final = 44.0
_BESIDE: Final = FULL - _AMOUNT
assert sum(width for width, _ in _COLUMNS) == FULL
_XML_NAME: Final = "factur-x.xml"


@dataclass(frozen=True, slots=True)
class Document:
    """What is drawn: the invoice as answered, and whose it is."""

    invoice: Mapping[str, Any]
    seller: str  # its name, where the invoice does not say more
    is_test: bool


def pdf_of(document: Document) -> bytes:
    """The PDF. Takes a fifth of a second of a processor: not for the event loop."""
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every table it prunes
    invoice = document.invoice
    title = f"Invoice {invoice['number'] or 'draft'}"
    at = datetime.fromisoformat(invoice["issued_at"] or invoice["created_at"])
    paper = Paper(title, _seller_name(document), at)
    _head(paper, document)
    _parties(paper, document)
    _dates(paper, invoice)
    _lines(paper, invoice)
    _sums(paper, invoice)
    _taxes(paper, invoice)
    _payments(paper, invoice)
    if invoice["memo"]:
        paper.gap(4)
        paper.text(invoice["memo"])
    xml = xml_of(invoice, "facturx") if why_not(invoice) is None else None
    return paper.finished(xml, _XML_NAME)


def _seller_name(document: Document) -> str:
    seller = document.invoice["seller"]
    named: str = document.seller if seller is None else seller["name"]
    return named


def _head(paper: Paper, document: Document) -> None:
    invoice = document.invoice
    is_receipt = invoice["kind"] == "receipt"
    paper.pair_of_titles(_seller_name(document), "Receipt" if is_receipt else "Invoice")
    number = "DRAFT" if invoice["number"] is None else f"No. {invoice['number']}"
    paper.text(number, size=11, align="R")
    if invoice["status"] == "void":
        paper.text("VOID", size=13, style="B", colour=ACCENT, align="R")
    if document.is_test:
        paper.text("TEST: no money was moved", size=9, style="B", colour=ACCENT, align="R")
    paper.gap(2)
    paper.rule()


def _parties(paper: Paper, document: Document) -> None:
    invoice = document.invoice
    seller = invoice["seller"] or {"name": document.seller, "address": None}
    customer = invoice["customer"]
    left = ["From", *_party(seller)]
    right = [] if customer is None else ["Bill to", *_party(customer)]
    paper.side_by_side(left, right, _HALF)
    paper.gap(4)


def _party(party: Mapping[str, Any]) -> list[str]:
    rows = [party.get("name")]
    address = party.get("address")
    if address is not None:
        place = " ".join(it for it in (address["postal_code"], address["city"]) if it)
        rows += [address["line1"], address["line2"], place, address["state"], address["country"]]
    if party.get("tax_id"):
        rows.append(f"Tax id {party['tax_id']}")
    rows += [party.get("email"), party.get("credit_account_id")]
    return [row for row in rows if row]


def _dates(paper: Paper, invoice: Mapping[str, Any]) -> None:
    rows = [
        ("Date of issue", _day(invoice["issued_at"])),
        ("Due", _day(invoice["due_at"])),
        ("Status", _status(invoice)),
        ("Reference", invoice["reference"]),
        ("Payment", invoice["payment_intent_id"]),
        ("Credit account", invoice["credit_account_id"] if not invoice["customer"] else None),
    ]
    for name, value in rows:
        if value:
            paper.pair(name, value, _LABEL)
    paper.gap(5)


def _status(invoice: Mapping[str, Any]) -> str:
    match invoice["status"]:
        case "void":
            return f"void: {invoice['void_reason']}"
        case "paid" if invoice["paid_at"]:
            return f"paid on {_day(invoice['paid_at'])}"
        case "draft":
            return "draft: no invoice yet"
        case status:
            return str(status)


def _day(time: str | None) -> str | None:
    return None if time is None else time[:10]


def _lines(paper: Paper, invoice: Mapping[str, Any]) -> None:
    how = "incl." if invoice["prices_include_tax"] else "excl."
    amount = f"Amount ({invoice['currency']})"
    titles = ("Description", "Quantity", "Unit price", f"Tax ({how})", amount)
    if all(line["tax_rate"] is None for line in invoice["lines"]):
        titles = ("Description", "Quantity", "Unit price", "", amount)
    rows = [_row(line) for line in invoice["lines"]]
    paper.table(titles, rows, _COLUMNS)


def _row(line: Mapping[str, Any]) -> Sequence[str]:
    description = line["description"]
    if line["period"] is not None:
        period = line["period"]
        description = f"{description}\n{_day(period['start'])} to {_day(period['end'])}"
    rate = "" if line["tax_rate"] is None else f"{line['tax_rate']} %"
    sign = "−" if line["is_credit"] else ""
    return description, line["quantity"], line["unit_price"] or "", rate, f"{sign}{line['amount']}"


def _sums(paper: Paper, invoice: Mapping[str, Any]) -> None:
    currency = invoice["currency"]
    rows = [("Total", invoice["total"], True)]
    if invoice["taxes"]:
        rows.insert(0, ("Net", invoice["net"], False))
        for each in invoice["taxes"]:
            if each["rate"] is not None:
                rows.insert(-1, (f"Tax {each['rate']} %", each["tax"], False))
    if invoice["kind"] == "invoice" and invoice["number"] is not None:
        if _some(invoice["amount_credited"]):
            rows.append(("Credited", f"−{invoice['amount_credited']}", False))
        if _some(invoice["amount_paid"]):
            rows.append(("Paid", f"−{invoice['amount_paid']}", False))
        rows.append(("Due", invoice["amount_due"], True))
    paper.keep_together(7 * len(rows))
    for name, value, is_bold in rows:
        paper.sum(name, f"{value} {currency}", _BESIDE, _AMOUNT, is_bold=is_bold)
    paper.gap(6)


def _some(amount: str) -> bool:
    return bool(amount.strip("0."))


def _taxes(paper: Paper, invoice: Mapping[str, Any]) -> None:
    """What is charged at each rate, where there is more than one thing to say of it."""
    taxes = [each for each in invoice["taxes"] if each["rate"] is not None]
    if len(invoice["taxes"]) < 2 or not taxes:
        return
    paper.heading("Tax")
    columns = ((84.0, "L"), (45.0, "R"), (45.0, "R"))
    rows = [
        ("no tax" if each["rate"] is None else f"{each['rate']} %", each["net"], each["tax"])
        for each in invoice["taxes"]
    ]
    paper.table(("Rate", "Net", "Tax"), rows, columns)


def _payments(paper: Paper, invoice: Mapping[str, Any]) -> None:
    """How it was paid, so that anybody can look it up on the chain."""
    elsewhere = [each for each in invoice["payments"] if each["payment_intent_id"] is None]
    if invoice["settled_with"]:
        paper.heading("Paid on chain")
        for one in invoice["settled_with"]:
            _evidence(paper, one, invoice["currency"])
    if elsewhere:
        paper.heading("Paid elsewhere")
        for each in elsewhere:
            amount = f"{each['amount']} {invoice['currency']}"
            paper.pair(_day(each["recorded_at"]) or "", f"{amount}: {each['reason']}", _LABEL)
        paper.gap(4)


def _evidence(paper: Paper, one: Mapping[str, Any], currency: str) -> None:
    rows = [
        ("Network", one["network"]),
        ("Amount", f"{one['amount']} {one['asset']}"),
        ("Transaction", one["transaction_id"]),
    ]
    if one["price"] is not None:
        rows.append(("Rate", f"1 {one['asset']} = {one['price']} {currency}"))
    if one["locked_at"] is not None:
        locked = one["locked_at"][:19].replace("T", " ")
        rows.append(("Locked", f"{locked} UTC, by {', '.join(one['sources']) or 'no source'}"))
    if one["price_lock_id"] is not None:
        rows.append(("Price lock", one["price_lock_id"]))
    paper.keep_together(5 * len(rows))
    for name, value in rows:
        paper.pair(name, value, _LABEL)
    paper.gap(3)
