"""The report of a reconciliation on paper, drawn from the answer that the API gives.

The same report gives the same bytes, whenever it is drawn: nothing in it is of the time it is
drawn at.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flamewire_ledger.api.rendering import plain

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
_EXCEPTIONS_MAX: Final = 500  # on paper; the others are in the CSV
_COLUMNS: Final = ("opening", "in", "out", "fees", "closing")
_NAME_WIDTH: Final = 27
_COLUMN_WIDTH: Final = (_WIDTH - _NAME_WIDTH) / len(_COLUMNS)


def pdf_of(report: Mapping[str, Any]) -> bytes:
    """The PDF. Takes a tenth of a second of a processor or more: not for the event loop."""
    from fpdf import FPDF  # half the time that this package would take to import

    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every table it prunes
    pdf = FPDF(format="A4", unit="mm")
    pdf.set_margin(_MARGIN)
    pdf.set_auto_page_break(True, margin=20)
    for style, name in (("", "DejaVuSansCondensed.ttf"), ("B", "DejaVuSansCondensed-Bold.ttf")):
        pdf.add_font(_FONT, style, _FONTS / name)
    pdf.set_title(f"Reconciliation of {report['network']} at block {report['block']}")
    pdf.set_creator("FlameWire Ledger")
    pdf.set_creation_date(datetime.fromisoformat(report["completed_at"]))
    pdf.footer = partial(_footer, pdf, report["id"])  # type: ignore[method-assign]
    pdf.add_page()
    _head(pdf, report)
    _assets(pdf, report["assets"])
    _payments(pdf, report["payments"])
    _exceptions(pdf, report["exceptions"])
    _evidence(pdf, report)
    return bytes(pdf.output())


def _footer(pdf: FPDF, report_id: str) -> None:
    """A page that was taken out is known to be missing."""
    pdf.set_y(-14)
    page = f"{pdf.page_no()} / {{nb}}"
    _text(pdf, report_id, width=_WIDTH / 2, size=7.5, colour=_GREY, last=False)
    _text(pdf, page, width=_WIDTH / 2, size=7.5, colour=_GREY, align="R")


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
    """A cell of one line, at the cursor, made smaller until it fits; `last` ends the row."""
    room = (width or pdf.epw) - 2
    pdf.set_font(_FONT, style, size)
    while pdf.get_string_width(text) > room and size > 5:
        size -= 0.25
        pdf.set_font(_FONT, style, size)
    pdf.set_text_color(*colour)
    pdf.cell(
        width,
        height,
        text,
        align=align,
        new_x="LMARGIN" if last else "RIGHT",
        new_y="NEXT" if last else "TOP",
    )


def _wrapped(pdf: FPDF, text: str, *, size: float = 8.5, indent: float = 0) -> None:
    pdf.set_font(_FONT, "", size)
    pdf.set_text_color(*_INK)
    pdf.set_x(_MARGIN + indent)
    pdf.multi_cell(_WIDTH - indent, 4.4, text, align="L", new_x="LMARGIN", new_y="NEXT")


def _rule(pdf: FPDF) -> None:
    pdf.set_draw_color(*_RULE)
    pdf.set_line_width(0.2)
    pdf.line(_MARGIN, pdf.get_y() + 1, _MARGIN + _WIDTH, pdf.get_y() + 1)
    pdf.ln(3)


def _title(pdf: FPDF, text: str) -> None:
    pdf.ln(4)
    _text(pdf, text, size=11, style="B", height=7)
    _rule(pdf)


def _pair(pdf: FPDF, name: str, value: str) -> None:
    _text(pdf, name, width=36, colour=_GREY, last=False)
    _text(pdf, value, width=_WIDTH - 36)


def _head(pdf: FPDF, report: Mapping[str, Any]) -> None:
    _text(pdf, "Reconciliation", width=_WIDTH / 2, size=15, style="B", height=9, last=False)
    name = report["network"]
    _text(pdf, name, width=_WIDTH / 2, size=15, style="B", colour=_ACCENT, align="R", height=9)
    if not report["livemode"]:
        _text(pdf, "TEST: no money was moved", size=9, style="B", colour=_ACCENT, align="R")
    pdf.ln(2)
    _rule(pdf)
    _pair(pdf, "Chain", report["chain_id"])
    _pair(pdf, "Blocks", f"{report['first_block']} to {report['block']}")
    _pair(pdf, "Made", report["completed_at"])
    open_ = "none" if not report["found"] else str(report["found"])
    _pair(pdf, "Transfers that agree", str(report["matched"]))
    _pair(pdf, "Open exceptions", open_)
    _pair(pdf, "Opened, settled now", f"{report['opened']}, {report['settled']}")


def _assets(pdf: FPDF, assets: Sequence[Mapping[str, Any]]) -> None:
    _title(pdf, "Chain and books")
    if not assets:
        _text(pdf, "Nothing was ever received.", colour=_GREY)
        return
    _row(pdf, "", [name.capitalize() for name in _COLUMNS], colour=_GREY)
    size = _size_of_all(pdf, assets)
    for asset in assets:
        if pdf.will_page_break(30):
            pdf.add_page()
        _text(pdf, asset["asset_code"], style="B", height=7)
        for side, called in (("chain", "on the chain"), ("ledger", "in the books")):
            _row(pdf, called, [asset[side][name] for name in _COLUMNS], size=size)
        _sum(pdf, "drift: the books have more than the chain", asset, "drift", size)
        if asset["left_untold_minor"] != "0":
            _sum(pdf, "left our addresses, and no disposal says so", asset, "left_untold", size)
        if "held" in asset["chain"]:
            _sum(pdf, "held at our addresses", asset["chain"], "held", size, is_wrong=False)
        pdf.ln(2)


def _row(
    pdf: FPDF,
    name: str,
    cells: Sequence[str],
    *,
    size: float = 9.5,
    colour: tuple[int, int, int] = _INK,
) -> None:
    _text(pdf, name, width=_NAME_WIDTH, last=False)
    for number, cell in enumerate(cells, 1):
        is_last = number == len(cells)
        _text(
            pdf, cell, width=_COLUMN_WIDTH, size=size, colour=colour, align="R", last=is_last
        )  # fmt: skip


def _sum(
    pdf: FPDF,
    called: str,
    of: Mapping[str, Any],
    name: str,
    size: float,
    *,
    is_wrong: bool = True,
) -> None:
    """One amount under the column of what it closed with; standing out where it should be nothing."""
    stands_out = is_wrong and of[f"{name}_minor"] != "0"
    _text(pdf, called, width=_WIDTH - _COLUMN_WIDTH, colour=_GREY, last=False)
    _text(
        pdf, of[name], width=_COLUMN_WIDTH, size=size, align="R",
        colour=_ACCENT if stands_out else _INK, style="B" if stands_out else "",
    )  # fmt: skip


def _size_of_all(pdf: FPDF, assets: Sequence[Mapping[str, Any]]) -> float:
    """The size at which the longest amount has room: columns are compared by their length."""
    pdf.set_font(_FONT, "", 9.5)
    amounts = [
        asset[side][name] for asset in assets for side in ("chain", "ledger") for name in _COLUMNS
    ]
    widest = max(map(pdf.get_string_width, amounts))
    return max(5, min(9.5, 9.5 * (_COLUMN_WIDTH - 2) / widest))


def _payments(pdf: FPDF, payments: Mapping[str, int]) -> None:
    _title(pdf, "Payments")
    for standing, count in payments.items():
        _pair(pdf, standing.replace("_", " "), str(count))
    if not payments:
        _text(pdf, "None was made or ended in this time.", colour=_GREY)


def _exceptions(pdf: FPDF, exceptions: Sequence[Mapping[str, Any]]) -> None:
    _title(pdf, "Exceptions")
    for it in exceptions[:_EXCEPTIONS_MAX]:
        if pdf.will_page_break(28):
            pdf.add_page()
        kind = it["kind"].replace("_", " ")
        _text(pdf, kind, width=_WIDTH / 2, style="B", colour=_ACCENT, last=False)
        _text(pdf, f"{_age(it['age_seconds'])} old", width=_WIDTH / 2, align="R", colour=_GREY)
        _text(pdf, it["subject"], size=8)
        _text(pdf, _amounts(it), size=8.5)
        _wrapped(pdf, it["to_do"].replace("`", ""))
        pdf.ln(2)
    if len(exceptions) > _EXCEPTIONS_MAX:
        _text(pdf, f"… and {len(exceptions) - _EXCEPTIONS_MAX} more: see the CSV.", style="B")
    if not exceptions:
        _text(pdf, "Nothing disagrees.", colour=_GREY)


def _amounts(it: Mapping[str, Any]) -> str:
    said = f"expected {it['expected']}, found {it['found']}"
    if it["expected"] is not None and it["asset_code"] is None:
        came = plain(int(it["found_minor"]), 10_000)
        said = f"{came} % of what was asked for came"
    if it["expected"] is None:
        is_of_invoice = it["kind"].startswith("invoice_")
        payment = f"its payment is {it['stream_id']}"
        said = payment if is_of_invoice else "counted by its payment, in no wallet"
    asset = f" {it['asset_code']}" if it["asset_code"] else ""
    instead = f" ({it['found_instead']})" if it["found_instead"] else ""
    where = f", block {it['block']}" if it["block"] is not None else ""
    return f"{said}{asset}{instead}{where}"


def _age(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    if days:
        return f"{days} d"
    hours, rest = divmod(rest, 3600)
    return f"{hours} h" if hours else f"{rest // 60} min"


def _evidence(pdf: FPDF, report: Mapping[str, Any]) -> None:
    if pdf.will_page_break(40):
        pdf.add_page()
    _title(pdf, "What it can be checked against")
    _pair(pdf, "Block", f"{report['block']}, {report['block_at']}")
    _pair(pdf, "Block hash", report["block_hash"])
    for pin in report["log"]:
        _pair(pdf, "Log", f"partition {pin['partition']}, position {pin['position']}")
        _pair(pdf, "Merkle root", pin["merkle_root"])
    _pair(pdf, "Code", f"flamewire-ledger {report['code_version']}")
    _pair(pdf, "Report", report["id"])
