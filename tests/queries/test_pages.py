"""Cursors that are no ids: what comes from outside and is no position never comes to Postgres."""

from __future__ import annotations

import pytest

from flamewire_ledger.queries.pages import CursorError, Page, entry_cursor, positions_only

ARABIC_ONE = "\u0661"  # a decimal digit for Python, and no number for Postgres


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.0", ARABIC_ONE, "9" * 19])
def test_what_is_no_position_is_no_cursor(cursor: str) -> None:
    with pytest.raises(CursorError):
        positions_only(Page(starting_after=cursor))
    with pytest.raises(CursorError):
        positions_only(Page(ending_before=cursor))


@pytest.mark.parametrize(
    "cursor", ["1", "-", "1-", "-1", f"1-{ARABIC_ONE}", "9" * 20 + "-1", "1-1-1"]
)
def test_what_is_no_position_and_line_is_no_cursor_of_postings(cursor: str) -> None:
    with pytest.raises(CursorError):
        entry_cursor(cursor)


def test_a_cursor_that_a_list_gave_out_is_one() -> None:
    page = Page(starting_after="9" * 18)
    assert positions_only(page) is page
    assert entry_cursor("123-4") == (123, 4)
