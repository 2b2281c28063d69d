"""Papers can be archived: each is PDF/A-3B, whatever is on it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from flamewire_ledger.api import invoice_views as views
from flamewire_ledger.api.credit_note_pdf import NoteDocument
from flamewire_ledger.api.credit_note_pdf import pdf_of as note_pdf_of
from flamewire_ledger.domain.invoice import Customer, InvoiceLine, IssueCreditNote, PayInvoice
from flamewire_ledger.domain.money import Amount
from tests.api.archive_rules import broken_requirements
from tests.api.test_invoice_pdf import drawn, office
from tests.api.test_invoice_xml import SELLER
from tests.api.test_typesetting import SCRIPTS
from tests.domain.invoice import billing
from tests.domain.invoice.billing import EUR, days, line, opened


@pytest.fixture(autouse=True)
def seller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(billing, "SELLER", SELLER)


def note() -> bytes:
    made = office()
    made.do(PayInvoice("inv_1", "by bank", days(1)))
    made.do(IssueCreditNote("inv_1", "cn_1", "late", days(2)))
    shown = views.of_note_row(views.note_row_of(made.known.credit_notes[0]))
    return note_pdf_of(NoteDocument(shown, "shop", is_test=True))


def in_all_scripts() -> bytes:
    lines = [InvoiceLine(text, "1", None, Amount(EUR, 100), "19") for text in SCRIPTS.values()]
    return drawn(office(*lines, memo="👩‍💻 and \u202emore & <less>"))


PAPERS: dict[str, Any] = {
    "with its XML": lambda: drawn(office()),
    "without XML": lambda: drawn(opened(line(1), customer=Customer(name="Ada & <Sons>"))),
    "over pages": lambda: drawn(office(*[line(1, "19")] * 90)),
    "in all scripts": in_all_scripts,
    "a credit note": note,
}


@pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
def test_it_keeps_what_pdf_a_3_asks_for(paper: Any) -> None:
    assert broken_requirements(paper()) == []


@pytest.mark.parametrize(
    ("old", "new", "clause"),
    [
        (rb"pdfaid:part>3<", b"pdfaid:part>9<", "6.6.4"),
        (rb"GTS_PDFA1", b"GTS_PDFX1", "6.2.3"),
        (rb"/FontFile2 ", b"/FontFileX ", "6.2.11.4"),
        (rb"/AFRelationship /Alternative", b"/AFRelationship /Unspecified", "6.8"),
        (rb"/Lang ", b"/AA 1 ", "6.6.1"),
        (rb"%%EOF\n?$", b"%%EOF more", "6.1.3"),
        (rb"prefix>fx<", b"prefix>gx<", "6.6.2.3"),
    ],
)
def test_what_would_break_it_is_found(old: bytes, new: bytes, clause: str) -> None:
    pdf = drawn(office())
    broken, times = re.subn(old, new, pdf, count=1)
    assert times == 1
    assert any(it.startswith(clause) for it in broken_requirements(broken))
