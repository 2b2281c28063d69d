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

from flamewire_ledger.api.electronic_documents import FACTUR_X
from flamewire_ledger.api.invoice_xml import last_day, why_not, xml_of
from flamewire_ledger.api.letterhead import (
    Sum,
    day,
    decimals_of,
    head,
    parties,
    printed,
    reverse_charge,
    sums,
    taxes,
    total,
)
from flamewire_ledger.api.paper import FULL, Paper
from flamewire_ledger.domain.money import major_text, printed_text

_COLUMNS: Final = ((78.0, "L"), (22.0, "R"), (26.0, "R"), (18.0, "R"), (30.0, "R"))
_LABEL: Final = 34.0
assert sum(width for width, _ in _COLUMNS) == FULL


@dataclass(frozen=True, slots=True)
class Document:
    """What is drawn: the invoice as answered, and whose it is."""

    invoice: Mapping[str, Any]
    seller: str  # its name, where the invoice does not say more
    is_test: bool
    account: Mapping[str, Any] | None = None  # the credit account's `name` and `external_id`


def pdf_of(document: Document) -> bytes:
    """The PDF. Takes a fifth of a second of a processor: not for the event loop."""
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every table it prunes
    invoice = document.invoice
    title = f"{_kind(invoice)} {invoice['number'] or 'draft'}"
    at = datetime.fromisoformat(invoice["issued_at"] or invoice["created_at"])
    paper = Paper(title, _seller_name(document), at)
    _head(paper, document)
    seller = invoice["seller"] or {"name": document.seller}
    parties(paper, seller, invoice["customer"], document.account)
    _dates(paper, invoice)
    _lines(paper, invoice)
    _sums(paper, invoice)
    reverse_charge(paper, invoice)
    taxes(paper, invoice)
    _payments(paper, invoice)
    if invoice["memo"]:
        paper.gap(4)
        paper.text(invoice["memo"])
    xml = None
    if why_not(invoice) is None:
        xml = xml_of(invoice, "facturx", is_test=document.is_test)
    return paper.finished(xml, FACTUR_X)


def _seller_name(document: Document) -> str:
    seller = document.invoice["seller"]
    named: str = document.seller if seller is None else seller["name"]
    return named


def _kind(invoice: Mapping[str, Any]) -> str:
    return "Receipt" if invoice["kind"] == "receipt" else "Invoice"


def _head(paper: Paper, document: Document) -> None:
    invoice = document.invoice
    number = "DRAFT" if invoice["number"] is None else f"No. {invoice['number']}"
    is_void = invoice["status"] == "void"
    seller = _seller_name(document)
    head(paper, seller, _kind(invoice), number, is_void=is_void, is_test=document.is_test)


def _dates(paper: Paper, invoice: Mapping[str, Any]) -> None:
    rows = [
        ("Date of issue", day(invoice["issued_at"])),
        ("Due", day(invoice["due_at"])),
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
            return f"paid on {day(invoice['paid_at'])}"
        case "draft":
            return "draft: no invoice yet"
        case status:
            return str(status)


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
    amount, price = printed(line["amount"]), line["unit_price"]
    if line["period"] is not None:
        period = line["period"]
        description = f"{description}\n{day(period['start'])} to {last_day(period['end'])}"
    rate = "" if line["tax_rate"] is None else f"{line['tax_rate']} %"
    sign = "−" if line["is_credit"] else ""
    price = "" if price is None else printed_text(price, decimals_of(line["amount"]))
    return description, line["quantity"], price, rate, f"{sign}{amount}"


def _sums(paper: Paper, invoice: Mapping[str, Any]) -> None:
    rows = total(invoice, "Total")
    if invoice["kind"] == "invoice" and invoice["number"] is not None:
        rows += _settled(invoice)
    sums(paper, rows, invoice["currency"])


def _settled(invoice: Mapping[str, Any]) -> list[Sum]:
    """From the total to what is due, so that it adds up for whoever reads it."""
    rows: list[Sum] = []
    if _some(invoice["amount_credited"]):
        rows.append(("Credited", "−", invoice["amount_credited"], False))
    if _some(invoice["amount_paid"]):
        rows.append(("Paid", "−", invoice["amount_paid"], False))
    refund = _to_refund(invoice)
    if refund is not None:
        rows.append(("To be refunded", "", refund, False))
    rows.append(("Due", "", invoice["amount_due"], True))
    return rows


def _to_refund(invoice: Mapping[str, Any]) -> str | None:
    """What was both paid and credited, which is owed to the customer."""
    names = ("amount_paid", "amount_credited", "amount_due", "total")
    paid, credited, due, total = (int(invoice[f"{name}_minor"]) for name in names)
    refund = paid + credited + due - total
    return major_text(refund, decimals_of(invoice["total"])) if refund > 0 else None


def _some(amount: str) -> bool:
    return bool(amount.strip("0."))


def _payments(paper: Paper, invoice: Mapping[str, Any]) -> None:
    """How it was paid, so that anybody can look it up on the chain."""
    currency = invoice["currency"]
    elsewhere = [each for each in invoice["payments"] if each["payment_intent_id"] is None]
    if invoice["settled_with"]:
        paper.heading("Paid on chain")
        for one in invoice["settled_with"]:
            _evidence(paper, one, currency)
    if elsewhere:
        paper.heading("Paid elsewhere")
        for each in elsewhere:
            amount = f"{printed(each['amount'])} {currency}"
            paper.pair(day(each["recorded_at"]) or "", f"{amount}: {each['reason']}", _LABEL)
        paper.gap(4)


def _evidence(paper: Paper, one: Mapping[str, Any], currency: str) -> None:
    rows = [
        ("Network", one["network"]),
        ("Amount", f"{printed(one['amount'])} {one['asset']}"),
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
