"""A credit note on paper: what is given back of which invoice, and why; drawn from the answer that the
API gives, and the same bytes whenever it is drawn. It is PDF/A-3, and carries the Factur-X document for
machines where there is one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flamewire_ledger.api.credit_note_xml import why_not, xml_of
from flamewire_ledger.api.electronic_documents import FACTUR_X
from flamewire_ledger.api.letterhead import (
    day,
    head,
    parties,
    printed,
    reverse_charge,
    sums,
    taxes,
    total,
)
from flamewire_ledger.api.paper import FULL, Paper

_COLUMNS: Final = ((100.0, "L"), (22.0, "R"), (22.0, "R"), (30.0, "R"))
_LABEL: Final = 34.0
assert sum(width for width, _ in _COLUMNS) == FULL


@dataclass(frozen=True, slots=True)
class NoteDocument:
    """What is drawn: the credit note as answered, and whose it is."""

    note: Mapping[str, Any]
    seller: str  # its name, where the note does not say more
    is_test: bool
    account: Mapping[str, Any] | None = None  # the credit account's `name` and `external_id`


def pdf_of(document: NoteDocument) -> bytes:
    """The PDF. Takes a fifth of a second of a processor: not for the event loop."""
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every table it prunes
    note = document.note
    seller = note["seller"] or {"name": document.seller}
    at = datetime.fromisoformat(note["issued_at"])
    paper = Paper(f"Credit note {note['number']}", seller["name"], at)
    number = f"No. {note['number']}"
    head(paper, seller["name"], "Credit note", number, is_void=False, is_test=document.is_test)
    parties(paper, seller, note["customer"], document.account)
    for name, value in (
        ("Date of issue", day(note["issued_at"]) or ""),
        ("Invoice", f"No. {note['invoice_number']} of {day(note['invoice_issued_at'])}"),
        ("Reason", note["reason"]),
    ):
        paper.pair(name, value, _LABEL)
    paper.gap(5)
    titles = ("Description", "Invoice line", "Tax", f"Net ({note['currency']})")
    paper.table(titles, [_row(line) for line in note["lines"]], _COLUMNS)
    rows = total(note, "Credited")
    if int(note["amount_to_refund_minor"]):
        rows.append(("Of it to be refunded", "", note["amount_to_refund"], False))
    sums(paper, rows, note["currency"])
    reverse_charge(paper, note)
    taxes(paper, note)
    xml = xml_of(note, "facturx", is_test=document.is_test) if why_not(note) is None else None
    return paper.finished(xml, FACTUR_X)


def _row(line: Mapping[str, Any]) -> Sequence[str]:
    """A line that had given something back is taken back itself."""
    sign = "−" if line["is_credit"] else ""
    rate = "" if line["tax_rate"] is None else f"{line['tax_rate']} %"
    return line["description"], str(line["line"]), rate, f"{sign}{printed(line['net'])}"
