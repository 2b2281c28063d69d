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

from flamewire_ledger.api.invoice_xml import last_day, why_not, xml_of
from flamewire_ledger.api.paper import ACCENT, FULL, Paper
from flamewire_ledger.domain.money import major_text, printed_text

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
    account: Mapping[str, Any] | None = None  # the credit account's `name` and `external_id`


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
    xml = None
    if why_not(invoice) is None:
        xml = xml_of(invoice, "facturx", is_test=document.is_test)
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
    account = _account(document)
    if customer is None:
        right = ["Customer", *account] if account else []
    else:
        named = [] if customer["name"] else account
        right = ["Bill to", *named, *_party(customer)]
    paper.side_by_side(left, right, _HALF)
    paper.gap(4)


def _account(document: Document) -> list[str]:
    """Who is behind the credit account, as the merchant knows them."""
    if document.account is None:
        return []
    rows = (document.account["name"], document.account["external_id"])
    return list(dict.fromkeys(row for row in rows if row))


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
    amount, price = _printed(line["amount"]), line["unit_price"]
    if line["period"] is not None:
        period = line["period"]
        description = f"{description}\n{_day(period['start'])} to {last_day(period['end'])}"
    rate = "" if line["tax_rate"] is None else f"{line['tax_rate']} %"
    sign = "−" if line["is_credit"] else ""
    price = "" if price is None else printed_text(price, _decimals(line["amount"]))
    return description, line["quantity"], price, rate, f"{sign}{amount}"


def _printed(amount: str) -> str:
    return printed_text(amount, _decimals(amount))


def _decimals(amount: str) -> int:
    """Of its asset: an amount is written with all of them."""
    return len(amount.partition(".")[2])


def _sums(paper: Paper, invoice: Mapping[str, Any]) -> None:
    currency = invoice["currency"]
    rows = [("Total", "", invoice["total"], True)]
    if invoice["taxes"]:
        rows.insert(0, ("Net", "", invoice["net"], False))
        for each in invoice["taxes"]:
            if each["rate"] is not None:
                rows.insert(-1, (f"Tax {each['rate']} %", "", each["tax"], False))
    if invoice["kind"] == "invoice" and invoice["number"] is not None:
        rows += _settled(invoice)
    paper.keep_together(7 * len(rows))
    for name, sign, value, is_bold in rows:
        text = f"{sign}{_printed(value)} {currency}"
        paper.sum(name, text, _BESIDE, _AMOUNT, is_bold=is_bold)
    paper.gap(6)


def _settled(invoice: Mapping[str, Any]) -> list[tuple[str, str, str, bool]]:
    """From the total to what is due, so that it adds up for whoever reads it."""
    rows = []
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
    return major_text(refund, _decimals(invoice["total"])) if refund > 0 else None


def _some(amount: str) -> bool:
    return bool(amount.strip("0."))


def _taxes(paper: Paper, invoice: Mapping[str, Any]) -> None:
    """What is charged at each rate, where there is more than one thing to say of it."""
    taxes = [each for each in invoice["taxes"] if each["rate"] is not None]
    if len(invoice["taxes"]) < 2 or not taxes:
        return
    paper.heading("Tax")
    columns = ((84.0, "L"), (45.0, "R"), (45.0, "R"))
    rows = []
    for each in invoice["taxes"]:
        net, tax = (_printed(each[name]) for name in ("net", "tax"))
        rows.append(("no tax" if each["rate"] is None else f"{each['rate']} %", net, tax))
    paper.table(("Rate", "Net", "Tax"), rows, columns)


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
            amount = f"{_printed(each['amount'])} {currency}"
            paper.pair(_day(each["recorded_at"]) or "", f"{amount}: {each['reason']}", _LABEL)
        paper.gap(4)


def _evidence(paper: Paper, one: Mapping[str, Any], currency: str) -> None:
    rows = [
        ("Network", one["network"]),
        ("Amount", f"{_printed(one['amount'])} {one['asset']}"),
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
