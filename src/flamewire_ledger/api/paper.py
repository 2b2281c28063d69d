"""Paper: A4 pages with a font, a table that goes on over pages, and a footer; what documents are
drawn on. Text may be in any script: `typesetting` says how it is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from flamewire_ledger.api.paper_properties import CREATOR, Properties
from flamewire_ledger.api.typesetting import (
    FONTS,
    MAIN,
    MAIN_FILES,
    PAGES,
    Line,
    Run,
    drawable,
    is_plain,
    is_replaced,
    lines_of,
)

INK: Final = (26, 26, 32)
GREY: Final = (110, 110, 122)
ACCENT: Final = (201, 79, 25)
_RULE: Final = (214, 214, 222)
_MARGIN: Final = 18
_FOOT: Final = 22
FULL: Final = 210 - 2 * _MARGIN
_PAGE_NUMBERS: Final = 25
_SIZE: Final = 9.5
_SIZE_MIN: Final = 6.0
_WORDS_MIN: Final = 52.0  # what columns of numbers leave to the one of words
_WORDS_SHORT: Final = 40  # signs: what is longer needs more room than that anyway
_ROW: Final = 4.8
_WIDTHS_MAX: Final = 10_000  # that are remembered
_NUMBERED: Final = (
    "A sign that the fonts of this paper do not have is written as its number in Unicode, such as "
    "[U+1F469]."
)
Colour = tuple[int, int, int]
Column = tuple[float, str]  # its width, and L for words or R for numbers


class Paper:
    """Draws from above to below; what does not fit goes on over the page."""

    def __init__(self, title: str, author: str, at: datetime) -> None:
        """`at` is the one time in it."""
        from fpdf import FPDF  # half the time that this package would take to import

        draw_foot = self._foot

        class Pages(FPDF):
            def footer(self) -> None:
                draw_foot()

        self._pdf = pdf = Pages(format="A4", unit="mm", enforce_compliance="PDF/A-3B")
        self._properties = Properties.of(title, author, at)
        self._size, self._bold, self._colour = _SIZE, "", INK
        self._fonts: set[str] = set()
        self._has_numbers = False
        self._widths: dict[tuple[Run, float, str], float] = {}
        pdf.set_margin(_MARGIN)
        pdf.set_auto_page_break(True, margin=_FOOT)
        for style, name in MAIN_FILES.items():
            pdf.add_font(MAIN, style, FONTS / name)
        pdf.set_title(self._properties.title)
        pdf.set_author(self._properties.author)
        pdf.set_creator(CREATOR)
        pdf.set_lang("en")
        pdf.set_creation_date(at)
        pdf.alias_nb_pages(PAGES)
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
        size: float = _SIZE,
        style: str = "",
        colour: Colour = INK,
        align: str = "L",
    ) -> None:
        """Lines of text, as many as it takes."""
        self._style(size, style, colour)
        self._block(text, width, size * 0.53, align)

    def heading(self, text: str) -> None:
        self.keep_together(30)
        self.text(text, size=11, style="B")
        self.rule()

    def pair_of_titles(self, left: str, right: str) -> None:
        y = self._pdf.get_y()
        self._pdf.set_xy(_MARGIN + FULL * 0.68, y)
        self._style(15, "B", ACCENT)
        self._line(right, FULL * 0.32, 9, "R")
        self._pdf.set_xy(_MARGIN, y)
        self.text(left, width=FULL * 0.66, size=15, style="B")
        self._pdf.set_y(max(self._pdf.get_y(), y + 9))

    def pair(self, name: str, value: str, label_width: float) -> None:
        """A name, and beside it what it is."""
        self.keep_together(5)
        page, y = self._pdf.page, self._pdf.get_y()
        self._style(_SIZE, "", GREY)
        self._line(name, label_width, 5, "L")
        self._style(_SIZE, "", INK)
        self._block(value, FULL - label_width, 5, "L")
        if self._pdf.page == page:
            self._pdf.set_y(max(self._pdf.get_y(), y + 5))

    def side_by_side(self, left: Sequence[str], right: Sequence[str], width: float) -> None:
        """Two columns, each with its first row as a title."""
        top, ends = self._pdf.get_y(), []
        for place, rows in enumerate((left, right)):
            self._pdf.set_y(top)
            for number, row in enumerate(rows):
                self._pdf.set_x(_MARGIN + place * width)
                self._style(_SIZE, "B" if number == 1 else "", INK)
                if not number:
                    self._style(8.5, "", GREY)
                self._block(row, width - 6, 5, "L")
            ends.append(self._pdf.get_y())
        self._pdf.set_y(max(ends))

    def sums(self, rows: Sequence[tuple[str, str, bool]], amount_width: float) -> None:
        """Names and amounts below each other, and whether they are the matter; the amounts' column is
        as wide as they are.
        """
        self.keep_together(7 * len(rows))
        widest = 0.0
        for _, value, is_bold in rows:
            self._style(*((11.0, "B") if is_bold else (_SIZE, "")), INK)
            widest = max(widest, self.width_of(value))
        width = min(max(amount_width, widest + 6), FULL - 40)
        for name, value, is_bold in rows:
            size, style = (11.0, "B") if is_bold else (_SIZE, "")
            self._style(size, style, INK if is_bold else GREY)
            self._line(name, FULL - width, 6, "R")
            self._style(size, style, INK)
            self._shrink_to(width - 2, [value], _SIZE_MIN)
            self._line(value, width, 6, "R")
            self._pdf.ln(6)

    def keep_together(self, height: float) -> None:
        """Go on over the page, where so much has no room on this one."""
        if self._pdf.get_y() + height > self._pdf.h - _FOOT:
            self._pdf.add_page()

    def table(
        self, titles: Sequence[str], rows: Sequence[Sequence[str]], columns: Sequence[Column]
    ) -> None:
        """Rows under their titles, which are there again on each page. Numbers are not broken where
        there is a way not to: their columns grow as far as the first one leaves room, and then the
        numbers are smaller.
        """
        columns, size = self._fitted(titles, rows, columns)
        self._titles(titles, columns)
        for row in rows:
            self._row(titles, row, columns, size)
        self.rule()

    def _fitted(
        self, titles: Sequence[str], rows: Sequence[Sequence[str]], columns: Sequence[Column]
    ) -> tuple[Sequence[Column], float]:
        """The columns as wide as their numbers, and the size of these."""
        padding = 2 * self._pdf.c_margin + 1
        self._style(8.5, "", GREY)
        named = [padding + self.width_of(title) for title in titles]
        self._style(_SIZE, "", INK)
        words = _WORDS_MIN
        if all(len(row[0]) <= _WORDS_SHORT for row in rows):
            words = min(words, padding + self._longest(rows, 0))
        numbers = [self._longest(rows, place) for place in range(1, len(columns))]
        (_, align), *others = columns
        size = _SIZE
        while size >= _SIZE_MIN:
            needed = [
                max(name, padding + it * size / _SIZE)
                for name, it in zip(named[1:], numbers, strict=True)
            ]
            wished = [max(it, width) for it, (width, _) in zip(needed, others, strict=True)]
            for widths in (wished, needed):
                if sum(widths) <= FULL - words:
                    made = [(width, side) for width, (_, side) in zip(widths, others, strict=True)]
                    return ((FULL - sum(widths), align), *made), size
            size -= 0.5
        return columns, _SIZE_MIN  # beyond all measure: they are broken

    def _longest(self, rows: Sequence[Sequence[str]], place: int) -> float:
        return max(
            (self.width_of(text) for row in rows for text in row[place].split("\n")), default=0
        )

    def _titles(self, titles: Sequence[str], columns: Sequence[Column]) -> None:
        self._style(8.5, "", GREY)
        for title, (width, align) in zip(titles, columns, strict=True):
            self._line(title, width, 5, align)
        self._pdf.ln(5)
        self.rule()

    def _row(
        self, titles: Sequence[str], row: Sequence[str], columns: Sequence[Column], size: float
    ) -> None:
        cells: list[list[Line]] = []
        sizes = [_SIZE if align == "L" else size for _, align in columns]
        for text, (width, _), of in zip(row, columns, sizes, strict=True):
            self._style(of, "", INK)
            cells.append(self._laid(text, width))
        lines = max(map(len, cells))
        # A row that is longer than a page is cut where the page ends.
        for number in range(lines):
            needed = min(lines - number, 6) if number == 0 else 1
            if self._pdf.get_y() + needed * _ROW > self._pdf.h - _FOOT:
                self._pdf.add_page()
                self._titles(titles, columns)
            for cell, (width, align), of in zip(cells, columns, sizes, strict=True):
                self._style(of, "", INK)
                self._draw(cell[number] if number < len(cell) else (), width, _ROW, align)
            self._pdf.ln(_ROW)
        self._pdf.ln(0.8)

    def _block(self, text: str, width: float, height: float, align: str) -> None:
        """Lines below each other; the cursor goes to the margin below them."""
        x = self._pdf.get_x()
        style = self._size, self._bold, self._colour
        for line in self._laid(text, width):
            self.keep_together(height)
            self._style(*style)
            self._pdf.set_x(x)
            self._draw(line, width, height, align)
            self._pdf.ln(height)

    def _line(self, text: str, width: float, height: float, align: str) -> None:
        """One line, whatever it takes."""
        (line,) = self._laid(text.replace("\n", " "), None)
        self._draw(line, width, height, align)

    def _laid(self, text: str, width: float | None) -> list[Line]:
        """What is drawn of it; without a width, in one line."""
        made = drawable(text)
        self._has_numbers |= is_replaced(text)
        if not is_plain(made):
            room = float("inf") if width is None else width - 2 * self._pdf.c_margin
            return lines_of(made, room, self._run_width)
        if width is None:
            return [(Run(made),)]
        self._use(Run(made))
        lines = self._pdf.multi_cell(width, 1, made, align="L", dry_run=True, output="LINES")
        assert isinstance(lines, list), "that is what was asked for"
        return [(Run(line),) for line in lines] or [()]

    def _draw(self, line: Line, width: float, height: float, align: str) -> None:
        """A line at the cursor, which goes to its right."""
        pdf = self._pdf
        x, y, margin = pdf.get_x(), pdf.get_y(), pdf.c_margin
        widths = [self._run_width(run) for run in line]
        at = x if align == "L" else x + width - 2 * margin - sum(widths)
        for run, wide in zip(line, widths, strict=True):
            self._use(run)
            pdf.set_xy(at, y)
            pdf.cell(wide + 2 * margin, height, run.text)
            at += wide
        self._use(Run(""))
        pdf.set_xy(x + width, y)

    def _use(self, run: Run) -> None:
        """What is drawn or measured next is of this font, and goes this way."""
        if run.font == MAIN:
            self._pdf.set_font(MAIN, self._bold, self._size)
        else:
            if run.font not in self._fonts:
                self._pdf.add_font(run.font, "", FONTS / run.font)
                self._fonts.add(run.font)
            self._pdf.set_font(run.font, "", self._size)
        direction = "rtl" if run.is_right_to_left else "ltr"
        self._pdf.set_text_shaping(run.is_shaped, direction=direction)

    def _run_width(self, run: Run) -> float:
        """A number is measured for its column and again where it is drawn."""
        asked = run, self._size, self._bold
        if asked not in self._widths:
            if len(self._widths) >= _WIDTHS_MAX:
                self._widths.clear()
            self._use(run)
            self._widths[asked] = self._pdf.get_string_width(run.text)
            self._use(Run(""))
        return self._widths[asked]

    def width_of(self, text: str) -> float:
        """In one line, as it would be drawn next."""
        (line,) = self._laid(text.replace("\n", " "), None)
        return sum(map(self._run_width, line))

    def _shrink_to(self, room: float, texts: Sequence[str], least: float) -> None:
        while self._size > least and any(self.width_of(text) > room for text in texts):
            self._style(self._size - 0.5, self._bold, self._colour)

    def _style(self, size: float, style: str, colour: Colour) -> None:
        self._size, self._bold, self._colour = size, style, colour
        self._pdf.set_font(MAIN, style, size)
        self._pdf.set_text_color(*colour)

    def _foot(self) -> None:
        style = self._size, self._bold, self._colour
        self._pdf.set_y(-15)
        self._style(7.5, "", GREY)
        author, title = self._properties.author, self._properties.title
        whole = f"{author} · {title}"
        while author and self.width_of(whole) > FULL - _PAGE_NUMBERS - 4:
            author = author[:-1]
            whole = f"{author.rstrip()}… · {title}"
        self._line(whole, FULL - _PAGE_NUMBERS, 4, "L")
        # How many there will be is not known yet: the room is that of the number of this one.
        number = f"{self._pdf.page_no()}"
        room = self.width_of(f"{number} / {number}") + 2 * self._pdf.c_margin
        self._pdf.set_x(self._pdf.l_margin + FULL - room)
        self._pdf.cell(room, 4, f"{number} / {PAGES}", align="L")
        self._style(*style)

    def finished(self, xml: bytes | None, xml_name: str) -> bytes:
        """The document, with what machines read of it inside."""
        if self._has_numbers:
            self.gap(4)
            self.text(_NUMBERED, size=7.5, colour=GREY)
        properties = self._properties
        if xml is not None:
            self._pdf.embed_file(
                bytes=xml,
                basename=xml_name,
                mime_type="text/xml",
                desc="Factur-X",
                modification_date=properties.at,
                creation_date=properties.at,
                compress=True,
                associated_file_relationship="ALTERNATIVE",
            )
        # Else fpdf2 writes the time of now into it.
        self._pdf.set_xmp_metadata(
            properties.metadata() if xml is None else properties.facturx_metadata(xml_name)
        )
        return bytes(self._pdf.output())
