"""An invoice on paper: one A4 page or more, drawn from the answer that the API gives.

The same invoice gives the same bytes, whenever it is drawn: nothing in it is of the time it is
drawn at.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from fpdf import FPDF

_FONT: Final = "ledger"
_FONTS: Final = Path(__file__).parent / "static" / "fonts"
_INK: Final = (26, 26, 32)
_GREY: Final = (110, 110, 122)
_RULE: Final = (214, 214, 222)
_ACCENT: Final = (201, 79, 25)
_MARGIN: Final = 18
_WIDTH: Final = 210 - 2 * _MARGIN


@dataclass(frozen=True, slots=True)
class Document:
    """What is drawn: the invoice as answered, and whose it is."""

    invoice: Mapping[str, Any]
    seller: str
    is_test: bool


def pdf_of(document: Document) -> bytes:
    """The PDF. Takes a tenth of a second of a processor: not for the event loop."""
    from fpdf import FPDF  # half the time that this package would take to import

    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every table it prunes
    invoice = document.invoice
    pdf = FPDF(format="A4", unit="mm")
    pdf.set_margin(_MARGIN)
    pdf.set_auto_page_break(True, margin=24)
    _use_font(pdf)
    pdf.set_title(f"Invoice {invoice['number']}")
    pdf.set_author(document.seller)
    pdf.set_creator("FlameWire Ledger")
    pdf.set_creation_date(datetime.fromisoformat(invoice["issued_at"]))
    pdf.add_page()
    _head(pdf, document)
    _parties(pdf, document)
    _lines(pdf, invoice)
    _total(pdf, invoice)
    _settlement(pdf, invoice["settled_with"], invoice["currency"])
    _foot(pdf, document)
    return bytes(pdf.output())


def _use_font(pdf: FPDF) -> None:
    for style, name in (("", "DejaVuSansCondensed.ttf"), ("B", "DejaVuSansCondensed-Bold.ttf")):
        pdf.add_font(_FONT, style, _FONTS / name)


def _text(
    pdf: FPDF,
    text: str,
    *,
    width: float = 0,
    size: float = 9.5,
    style: str = "",
    colour: tuple[int, int, int] = _INK,
    align: str = "L",
    height: float = 5,
    last: bool = True,
) -> None:
    """A cell of one line, at the cursor; `last` ends the row."""
    pdf.set_font(_FONT, style, size)
    pdf.set_text_color(*colour)
    pdf.cell(
        width,
        height,
        _fitting(pdf, text, width),
        align=align,
        new_x="LMARGIN" if last else "RIGHT",
        new_y="NEXT" if last else "TOP",
    )


def _fitting(pdf: FPDF, text: str, width: float) -> str:
    """The text, cut to its cell: a reference may be longer than a line."""
    room = (width or pdf.epw) - 2
    if pdf.get_string_width(text) <= room:
        return text
    while text and pdf.get_string_width(f"{text}…") > room:
        text = text[:-1]
    return f"{text}…"


def _rule(pdf: FPDF) -> None:
    pdf.set_draw_color(*_RULE)
    pdf.set_line_width(0.2)
    pdf.line(_MARGIN, pdf.get_y() + 1, _MARGIN + _WIDTH, pdf.get_y() + 1)
    pdf.ln(3)


def _head(pdf: FPDF, document: Document) -> None:
    invoice = document.invoice
    _text(pdf, document.seller, width=_WIDTH / 2, size=15, style="B", height=9, last=False)
    _text(pdf, "Invoice", width=_WIDTH / 2, size=15, style="B", colour=_ACCENT, align="R", height=9)
    _text(pdf, "", width=_WIDTH / 2, last=False)
    _text(pdf, f"No. {invoice['number']}", width=_WIDTH / 2, size=11, align="R", height=6)
    if invoice["status"] == "void":
        _text(pdf, "VOID", size=13, style="B", colour=_ACCENT, align="R", height=7)
    if document.is_test:
        _text(
            pdf, "TEST: no money was moved", size=9, style="B", colour=_ACCENT, align="R", height=6
        )
    pdf.ln(4)
    _rule(pdf)


def _parties(pdf: FPDF, document: Document) -> None:
    invoice = document.invoice
    issued = invoice["issued_at"][:10]
    rows = [
        ("Seller", document.seller),
        ("Issued", issued),
        ("Status", "paid" if invoice["status"] == "paid" else f"void: {invoice['void_reason']}"),
        ("Reference", invoice["reference"]),
        ("Payment", invoice["payment_intent_id"]),
        ("Credit account", invoice["credit_account_id"]),
    ]
    for name, value in rows:
        if value:
            _pair(pdf, name, value)
    pdf.ln(6)


def _pair(pdf: FPDF, name: str, value: str) -> None:
    _text(pdf, name, width=32, colour=_GREY, last=False)
    _text(pdf, value, width=_WIDTH - 32)


_COLUMNS: Final = (("Description", 84, "L"), ("Quantity", 26, "R"), ("Unit price", 30, "R"))


def _lines(pdf: FPDF, invoice: Mapping[str, Any]) -> None:
    last = _WIDTH - sum(width for _, width, _ in _COLUMNS)
    for name, width, align in _COLUMNS:
        _text(pdf, name, width=width, colour=_GREY, align=align, last=False)
    _text(pdf, f"Amount ({invoice['currency']})", width=last, colour=_GREY, align="R")
    _rule(pdf)
    for line in invoice["lines"]:
        values = (line["description"], line["quantity"], line["unit_price"])
        for value, (_, width, align) in zip(values, _COLUMNS, strict=True):
            _text(pdf, value, width=width, align=align, height=6, last=False)
        _text(pdf, line["amount"], width=last, align="R", height=6)
    _rule(pdf)


def _total(pdf: FPDF, invoice: Mapping[str, Any]) -> None:
    total = f"{invoice['total']} {invoice['currency']}"
    _text(pdf, "Total", width=_WIDTH - 60, size=11, style="B", align="R", height=7, last=False)
    _text(pdf, total, width=60, size=11, style="B", align="R", height=7)
    pdf.ln(8)


def _settlement(pdf: FPDF, paid: Sequence[Mapping[str, Any]], currency: str) -> None:
    """How it was paid, so that anybody can look it up on the chain."""
    if not paid:
        return
    _text(pdf, "Paid on chain", size=11, style="B", height=7)
    _rule(pdf)
    for one in paid:
        _pair(pdf, "Network", one["network"])
        _pair(pdf, "Amount", f"{one['amount']} {one['asset']}")
        _pair(pdf, "Transaction", one["transaction_id"])
        if one["price"] is not None:
            _pair(pdf, "Rate", f"1 {one['asset']} = {one['price']} {currency}")
        if one["price_lock_id"] is not None:
            _pair(pdf, "Price lock", one["price_lock_id"])
        pdf.ln(4)


def _foot(pdf: FPDF, document: Document) -> None:
    pdf.set_auto_page_break(False)
    pdf.set_y(-18)
    _text(pdf, document.invoice["id"], size=7.5, colour=_GREY, align="C")
