"""Paper: every script that a font is there for, and no text that means something to the machine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO

import pytest
from pypdf import PdfReader

from flamewire_ledger.api.paper import Paper
from flamewire_ledger.api.typesetting import drawable
from tests.api.test_invoice_pdf import text_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def paper(title: str = "Invoice", author: str = "Bakery") -> Paper:
    return Paper(title, author, NOON)


@pytest.mark.parametrize(
    "text", ["云服务 月费 云端", "株式会社 東京 クラウド（一月）", "클라우드 서비스"]
)
def test_chinese_japanese_and_korean_are_drawn(text: str) -> None:
    assert drawable(text) == text
    page = paper(author=text)
    page.table(("what",), [(f"{text} 25",)], ((100.0, "L"),))
    page.sums([(text, "25.00", False)], 40)
    assert text_of(page.finished(None, "")).count(text) == 3, "and at the foot"


def test_what_no_font_has_a_sign_for_is_its_number_in_the_head_and_at_the_foot() -> None:
    page = paper(author="Bakery 🥐")
    page.table(("what",), [("🥐",)], ((100.0, "L"),))
    text = text_of(page.finished(None, ""))
    assert text.count("[U+1F950]") == 2
    assert "Bakery [U+1F950] · Invoice 1 / 1" in text


def test_the_number_of_a_page_ends_at_the_margin() -> None:
    seen: dict[str, float] = {}

    def look(text: str, _: object, matrix: Sequence[float], *__: object) -> None:
        seen[text.strip()] = matrix[4]

    drawn = paper(author="Bakery").finished(None, "")
    page = PdfReader(BytesIO(drawn)).pages[0]
    page.extract_text(visitor_text=look)
    (begins,) = (at for text, at in seen.items() if text.endswith("1 / 1"))
    margin, millimetre = 18, 72 / 25.4
    assert 0 < float(page.mediabox.width) - begins - margin * millimetre < 8 * millimetre


def test_who_writes_in_letters_carries_no_further_font() -> None:
    plain, more = paper(), paper()
    plain.text("Grüße, Привет, Γειά")
    more.text("谢谢")
    fonts = [page.finished(None, "").count(b"/FontFile2") for page in (plain, more)]
    assert fonts[1] == fonts[0] + 1


@pytest.mark.parametrize("text", ["{nb} pages", "\ue000\ue000\ue000"])
def test_no_text_is_taken_for_the_number_of_pages(text: str) -> None:
    page = paper()
    page.text(text)
    drawn = text_of(page.finished(None, ""))
    assert drawable(text) in drawn
    assert drawn.endswith("1 / 1")


def test_a_name_that_xml_cannot_hold_is_no_reason_to_fail() -> None:
    assert paper(author="a\uffff").finished(None, "").startswith(b"%PDF")
