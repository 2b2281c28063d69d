"""Pages of lists: which part is asked for, what is given, and the cursors that are no ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flamewire_ledger.queries.database import Row


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
        if cursor is not None and not (cursor.isdecimal() and len(cursor) <= 18):
            raise CursorError("a cursor of this list is a position")
    return page


def entry_cursor(cursor: str | None) -> tuple[int | None, int | None]:
    """Position and line of a cursor of ledger entries."""
    if cursor is None:
        return None, None
    position, _, line = cursor.partition("-")
    if not (position.isdecimal() and line.isdecimal() and len(cursor) <= 24):
        raise CursorError("a cursor of ledger entries is <position>-<line>")
    return int(position), int(line)
