"""Paper: A4 pages with a font, a table that goes on over pages, and a footer; what documents are
drawn on.

Text may be in any script. Chinese, Japanese and Korean have a font of their own, which is read only
where they are; what no font has a sign for is shown as a box. Text that runs from right to left is
put in the order in which it is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

from flamewire_ledger.api.rendering import for_xml

if TYPE_CHECKING:
    from fpdf import FPDF

_FONT: Final = "ledger"
_FONTS: Final = Path(__file__).parent / "static" / "fonts"
_MORE: Final = "more"  # in the family's stead, for the signs that it has not
_MORE_FILE: Final = "DroidSansFallback.ttf"
_FILES: Final = {"": "DejaVuSansCondensed.ttf", "B": "DejaVuSansCondensed-Bold.ttf"}
INK: Final = (26, 26, 32)
GREY: Final = (110, 110, 122)
ACCENT: Final = (201, 79, 25)
_RULE: Final = (214, 214, 222)
_MARGIN: Final = 18
_FOOT: Final = 22
FULL: Final = 210 - 2 * _MARGIN
_BOX: Final = "\u25a1"
_PAGES: Final = 3 * "\ue000"  # stands for the number of pages: no text has it, as it is no sign
_RIGHT_TO_LEFT: Final = (0x0590, 0x08FF)  # Hebrew, Arabic and their neighbours
_XMP: Final = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:pdf="http://ns.adobe.com/pdf/1.3/"
    xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<dc:creator><rdf:Seq><rdf:li>{author}</rdf:li></rdf:Seq></dc:creator>
<pdf:Producer>fpdf2 v{version}</pdf:Producer>
<pdfaid:part>3</pdfaid:part>
<pdfaid:conformance>B</pdfaid:conformance>
<xmp:CreatorTool>FlameWire Ledger</xmp:CreatorTool>
<xmp:CreateDate>{at}</xmp:CreateDate>
<xmp:ModifyDate>{at}</xmp:ModifyDate>
<xmp:MetadataDate>{at}</xmp:MetadataDate>
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>"""
Colour = tuple[int, int, int]


class Paper:
    """Draws from above to below; what does not fit goes on over the page."""

    def __init__(self, title: str, author: str, at: datetime) -> None:
        """`at` is the one time in it."""
        from fpdf import FPDF  # half the time that this package would take to import

        class Pages(FPDF):
            def footer(self) -> None:
                self.set_fallback_fonts([_MORE] if foot_needs_more else [], exact_match=False)
                _footer(self, author, title)

        self._pdf = pdf = Pages(format="A4", unit="mm", enforce_compliance="PDF/A-3B")
        pdf.set_margin(_MARGIN)
        pdf.set_auto_page_break(True, margin=_FOOT)
        for style, name in _FILES.items():
            pdf.add_font(_FONT, style, _FONTS / name)
        title, author = for_xml(title), for_xml(author)
        pdf.set_title(title)
        pdf.set_author(author)
        pdf.set_creator("FlameWire Ledger")
        pdf.set_lang("en")
        pdf.set_creation_date(at)
        pdf.alias_nb_pages(_PAGES)
        self._title, self._author, self._at = title, author, at
        self._has_more = False
        self._choose_fonts(f"{author}{title}")  # for the foot of each page
        foot_needs_more = self._has_more
        pdf.add_page()

    def gap(self, height: float) -> None:
        self._pdf.ln(height)

    def rule(self) -> None:
        pdf = self._pdf
        pdf.set_draw_color(*_RULE)
        pdf.set_line_width(0.2)
        y = pdf.get_y() + 1
        pdf.line(_MARGIN, y, _MARGIN + FULL, y)
        pdf.ln(3)

    def text(
        self,
        text: str,
        *,
        width: float = FULL,
        size: float = 9.5,
        style: str = "",
        colour: Colour = INK,
        align: str = "L",
    ) -> None:
        """Lines of text, as many as it takes."""
        self._style(size, style, colour)
        self._pdf.multi_cell(
            width, size * 0.53, self._shown(text), align=align, new_x="LMARGIN", new_y="NEXT"
        )

    def heading(self, text: str) -> None:
        self.keep_together(30)
        self.text(text, size=11, style="B")
        self.rule()

    def pair_of_titles(self, left: str, right: str) -> None:
        y = self._pdf.get_y()
        self._pdf.set_xy(_MARGIN + FULL * 0.68, y)
        self._style(15, "B", ACCENT)
        self._pdf.cell(FULL * 0.32, 9, right, align="R", new_x="LMARGIN", new_y="TOP")
        self.text(left, width=FULL * 0.66, size=15, style="B")
        self._pdf.set_y(max(self._pdf.get_y(), y + 9))

    def pair(self, name: str, value: str, label_width: float) -> None:
        """A name, and beside it what it is."""
        self.keep_together(5)
        y = self._pdf.get_y()
        self._style(9.5, "", GREY)
        self._pdf.cell(label_width, 5, self._shown(name), new_x="RIGHT", new_y="TOP")
        self._style(9.5, "", INK)
        self._pdf.multi_cell(
            FULL - label_width, 5, self._shown(value), align="L", new_x="LMARGIN", new_y="NEXT"
        )
        self._pdf.set_y(max(self._pdf.get_y(), y + 5))

    def side_by_side(self, left: Sequence[str], right: Sequence[str], width: float) -> None:
        """Two columns, each with its first row as a title."""
        top, ends = self._pdf.get_y(), []
        for place, rows in enumerate((left, right)):
            self._pdf.set_y(top)
            for number, row in enumerate(rows):
                self._pdf.set_x(_MARGIN + place * width)
                self._style(8.5 if not number else 9.5, "B" if number == 1 else "", INK)
                if not number:
                    self._style(8.5, "", GREY)
                self._pdf.multi_cell(
                    width - 6, 5, self._shown(row), align="L", new_x="LMARGIN", new_y="NEXT"
                )
            ends.append(self._pdf.get_y())
        self._pdf.set_y(max(ends))

    def sum(
        self, name: str, value: str, beside: float, width: float, *, is_bold: bool = False
    ) -> None:
        size, style = (11.0, "B") if is_bold else (9.5, "")
        self._style(size, style, INK if is_bold else GREY)
        self._pdf.cell(beside, 6, self._shown(name), align="R", new_x="RIGHT", new_y="TOP")
        self._style(size, style, INK)
        self._choose_fonts(value)
        while self._pdf.get_string_width(value) > width - 2 and size > 5:
            size -= 0.5
            self._style(size, style, INK)
        self._pdf.cell(width, 6, value, align="R", new_x="LMARGIN", new_y="NEXT")

    def keep_together(self, height: float) -> None:
        """Go on over the page, where so much has no room on this one."""
        if self._pdf.get_y() + height > self._pdf.h - _FOOT:
            self._pdf.add_page()

    def table(
        self,
        titles: Sequence[str],
        rows: Sequence[Sequence[str]],
        columns: Sequence[tuple[float, str]],
    ) -> None:
        """Rows under their titles, which are there again on each page."""
        self._titles(titles, columns)
        for row in rows:
            self._row(titles, row, columns)
        self.rule()

    def _titles(self, titles: Sequence[str], columns: Sequence[tuple[float, str]]) -> None:
        self._style(8.5, "", GREY)
        for title, (width, align) in zip(titles, columns, strict=True):
            self._pdf.cell(width, 5, self._shown(title), align=align, new_x="RIGHT", new_y="TOP")
        self._pdf.ln(5)
        self.rule()

    def _row(
        self, titles: Sequence[str], row: Sequence[str], columns: Sequence[tuple[float, str]]
    ) -> None:
        pdf, height = self._pdf, 4.8
        self._style(9.5, "", INK)
        cells: list[Any] = [  # of text, as `output` asks for
            pdf.multi_cell(
                width, height, self._shown(text), align=align, dry_run=True, output="LINES"
            )
            for text, (width, align) in zip(row, columns, strict=True)
        ]
        lines = max(map(len, cells))
        # A row that is longer than a page is cut where the page ends.
        for number in range(lines):
            needed = min(lines - number, 6) if number == 0 else 1
            if pdf.get_y() + needed * height > pdf.h - _FOOT:
                pdf.add_page()
                self._titles(titles, columns)
                self._style(9.5, "", INK)
            for cell, (width, align) in zip(cells, columns, strict=True):
                text = cell[number] if number < len(cell) else ""
                self._choose_fonts(text)
                pdf.cell(width, height, text, align=align, new_x="RIGHT", new_y="TOP")
            pdf.ln(height)
        pdf.ln(0.8)

    def _shown(self, text: str) -> str:
        made = shown(text)
        self._choose_fonts(made)
        return made

    def _choose_fonts(self, text: str) -> None:
        """For a text that is drawn next."""
        needs_more = not _signs().issuperset(text) and not _more_signs().isdisjoint(text)
        if needs_more and not self._has_more:
            self._pdf.add_font(_MORE, "", _FONTS / _MORE_FILE)
            self._has_more = True
        self._pdf.set_fallback_fonts([_MORE] if needs_more else [], exact_match=False)
        if self._has_more:
            # fpdf2 leaves the page with the font of the last sign, and takes its own word that it
            # is another.
            size = self._pdf.font_size_pt
            self._pdf.set_font_size(size + 1)
            self._pdf.set_font_size(size)

    def _style(self, size: float, style: str, colour: Colour) -> None:
        self._pdf.set_font(_FONT, style, size)
        self._pdf.set_text_color(*colour)

    def finished(self, xml: bytes | None, xml_name: str) -> bytes:
        """The document, with what machines read of it inside."""
        if xml is not None:
            self._pdf.embed_file(
                bytes=xml,
                basename=xml_name,
                mime_type="text/xml",
                desc="Factur-X invoice",
                modification_date=self._at,
                creation_date=self._at,
                compress=True,
                associated_file_relationship="ALTERNATIVE",
            )
        # Else fpdf2 writes the time of now into it.
        metadata = self._metadata() if xml is None else self._facturx_metadata(xml_name)
        self._pdf.set_xmp_metadata(metadata)
        return bytes(self._pdf.output())

    def _metadata(self) -> str:
        """What PDF/A asks for, as it is in the document's own properties."""
        at = self._at.astimezone(UTC).isoformat(timespec="seconds")
        return _XMP.format(
            title=escape(self._title), author=escape(self._author), at=at, version=_version()
        )

    def _facturx_metadata(self, xml_name: str) -> str:
        """As Factur-X 1.0, section 6.3 asks for; with the time of the document."""
        from facturx import generate_xmp_object
        from lxml import etree

        described = generate_xmp_object(
            {
                "pdfa3_flavor": "B",
                "title": self._title,
                "author": self._author,
                "subject": self._title,
                "producer": f"fpdf2 v{_version()}",
                "creator_tool": "FlameWire Ledger",
                "timestamp": self._at.isoformat(timespec="seconds"),
                "urn": "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#",
                "documenttype": "INVOICE",
                "xml_filename": xml_name,
                "version": "1.0",
                "xmp_level": "EN 16931",
            }
        )
        text: str = etree.tostring(described, encoding="unicode")
        return text


def _footer(pdf: FPDF, author: str, title: str) -> None:
    pdf.set_y(-15)
    pdf.set_font(_FONT, "", 7.5)
    pdf.set_text_color(*GREY)
    left = shown(f"{author} · {title}")
    while left and pdf.get_string_width(left) > FULL - 30:
        left = left[:-2] + "…"
    pdf.cell(FULL - 25, 4, left, new_x="RIGHT", new_y="TOP")
    pdf.cell(25, 4, f"{pdf.page_no()} / {_PAGES}", align="R")


def _version() -> str:
    from fpdf import FPDF_VERSION

    return str(FPDF_VERSION)


def shown(text: str) -> str:
    """The text as it can be drawn: signs there are, in the order they are seen."""
    known, more = _signs(), frozenset[str]()
    if not known.issuperset(text):
        more = _more_signs()
    drawn = "".join(it if it in known or it in more or it == "\n" else _BOX for it in text)
    if not any(_RIGHT_TO_LEFT[0] <= ord(sign) <= _RIGHT_TO_LEFT[1] for sign in drawn):
        return drawn
    from fpdf.bidi import BidiParagraph

    return "\n".join(
        BidiParagraph(text=line).get_reordered_string() if line else ""
        for line in drawn.split("\n")
    )


@lru_cache(maxsize=1)
def _signs() -> frozenset[str]:
    """The signs that both styles have."""
    normal, bold = (_of_file(name) for name in _FILES.values())
    return normal & bold


@lru_cache(maxsize=1)
def _more_signs() -> frozenset[str]:
    return _of_file(_MORE_FILE)


def _of_file(name: str) -> frozenset[str]:
    from fontTools.ttLib import TTFont

    table: dict[int, Any] = TTFont(_FONTS / name, lazy=True).getBestCmap()
    return frozenset(map(chr, table)) - set(_PAGES)
