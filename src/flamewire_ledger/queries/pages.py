"""Pages of lists: which part is asked for, what is given, and the cursors that are no ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flamewire_ledger.queries.database import Row

_POSITION_DIGITS_MAX: Final = 18  # of a bigint
_LINE_DIGITS_MAX: Final = 5  # of a posting in its event, a smallint


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list: behind or before an id (or a position), never both."""

    limit: int = 20
    starting_after: str | None = None
    ending_before: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    rows: Sequence[Row]
    has_more: bool


class CursorError(ValueError):
    """A cursor that no list gave out."""


def positions_only(page: Page) -> Page:
    """The page, if its cursors are positions; CursorError otherwise."""
    for cursor in (page.starting_after, page.ending_before):
        if cursor is not None and not _is_number(cursor, _POSITION_DIGITS_MAX):
            raise CursorError("a cursor of this list is a position")
    return page


def entry_cursor(cursor: str | None) -> tuple[int | None, int | None]:
    """Position and line of a cursor of ledger entries."""
    if cursor is None:
        return None, None
    position, _, line = cursor.partition("-")
    if not (_is_number(position, _POSITION_DIGITS_MAX) and _is_number(line, _LINE_DIGITS_MAX)):
        raise CursorError("a cursor of ledger entries is <position>-<line>")
    return int(position), int(line)


def _is_number(text: str, digits_max: int) -> bool:
    """What Postgres reads as one: there are digits of other scripts, and numbers too large."""
    return text.isascii() and text.isdecimal() and len(text) <= digits_max
