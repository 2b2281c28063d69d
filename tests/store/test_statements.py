"""Statements are read by name, each with its sentence."""

import pytest

from flamewire_ledger.store.statements import Statement, StatementError, parse_statements


def test_a_statement_has_a_name_a_sentence_and_its_sql():
    text = "-- Words about the file.\n\n-- one: says one.\n-- more words\nSELECT 1;\n\n-- two: says two.\nSELECT 2;\n"
    assert parse_statements(text) == {
        "one": Statement("one", "says one.", "-- more words\nSELECT 1;"),
        "two": Statement("two", "says two.", "SELECT 2;"),
    }


def test_a_name_that_comes_twice_is_refused():
    with pytest.raises(StatementError, match="twice"):
        parse_statements("-- a: x.\nSELECT 1;\n-- a: y.\nSELECT 2;")


def test_a_name_without_a_statement_is_refused():
    with pytest.raises(StatementError, match="no statement"):
        parse_statements("-- a: x.\n-- b: y.\nSELECT 2;")
