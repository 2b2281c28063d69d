"""What a token calls itself stays a name, in whatever format it is written."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from beancount import loader
from beancount.core.data import Open

from flamewire_ledger.billing.carrying import Carried, Part
from flamewire_ledger.billing.journal import Entry, Moment
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.exports.format import Format, Heading
from flamewire_ledger.exports.formats import FORMATS
from flamewire_ledger.exports.report import Report, as_csv
from flamewire_ledger.exports.text import cell

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMES = (
    '=HYPERLINK("http://evil","x")',
    "@SUM(1+1)",
    "-2+3+cmd|' /C calc'!A0",
    'sui:0x1::a::"\n2026-01-01 open Assets:Evil\n',
    'ethereum:"\\',
    "x\r\nTRNS\tEVIL",
    "x\taccount evil",
    "x\u2028P 2026-01-01 USD 1 EUR",
)
WALLET, HELD = "assets:wallet:sui", "liabilities:suspense"


def exported(target: Format, name: str) -> bytes:
    asset = Asset(name, 9)
    moment = Moment("mer_1", False, 1, NOON, Asset("USD", 2), ())
    carried = Carried((Part(5, None),), is_new=True)
    entry = Entry(1, 1, NOON, NOON, "t", "pi_1", WALLET, HELD, Amount(asset, 5), carried, None)
    pieces = [target.head(Heading(moment, NOON))]
    pieces += [target.account(each) for each in (WALLET, HELD)]
    pieces += [target.commodity(name, 9), target.event([entry], []), target.end()]
    return b"".join(pieces)


@pytest.mark.parametrize("name", NAMES)
def test_beancount_reads_two_accounts_and_the_name(name: str) -> None:
    entries, errors, _ = loader.load_string(exported(FORMATS["beancount"](), name).decode())
    assert not errors
    assert {it.account for it in entries if isinstance(it, Open)} == {
        "Assets:Wallet:Sui", "Liabilities:Suspense",
    }  # fmt: skip
    (commodity,) = [it for it in entries if type(it).__name__ == "Commodity"]
    assert commodity.meta["asset"].split() == name.split()


@pytest.mark.parametrize("name", NAMES)
def test_an_hledger_journal_has_no_line_of_its_making(name: str) -> None:
    lines = exported(FORMATS["hledger"](), name).decode().splitlines()
    begins = [line.split(" ")[0] for line in lines if line and not line.startswith("    ")]
    assert begins == [";", "decimal-mark", *["tag"] * 5, "commodity", "account", "account", "commodity",
        "2026-03-01"]  # fmt: skip
    remarks = [line.split(" ")[4:6] for line in lines if line.startswith("    ")]
    assert remarks[:6] == [
        [";", "asset:"], ["format", "1.00"], [";", "type:"], [";", "type:"], [";", "asset:"],
        ["format", "1.000000000"],
    ]  # fmt: skip
    assert [it[0] for it in remarks[6:]] == [";", ";", WALLET, HELD]


@pytest.mark.parametrize("name", NAMES)
def test_quickbooks_has_as_many_cells_as_columns(name: str) -> None:
    text = exported(FORMATS["quickbooks"](), name).decode()
    rows = [line.split("\t") for line in text.split("\r\n") if line]
    assert [row[0] for row in rows[-3:]] == ["TRNS", "SPL", "ENDTRNS"]
    (columns,) = [row for row in rows if row[0] == "!TRNS"]
    assert {len(row) for row in rows if row[0] in ("TRNS", "SPL")} == {len(columns)}


def is_formula(value: str) -> bool:
    """An amount with a name of our making is none."""
    return cell(value) != value and not re.match(r"-[0-9.]+ [A-Z0-9.-]+\Z", value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("target", ["csv", "gnucash"])
def test_no_cell_of_a_table_is_a_formula(target: str, name: str) -> None:
    rows = list(csv.reader(io.StringIO(exported(FORMATS[target](), name).decode(), newline="")))
    assert len(rows) == {"csv": 2, "gnucash": 3}[target]
    assert not [value for row in rows for value in row if is_formula(value)]


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_of_a_report_is_a_formula(name: str) -> None:
    report = Report("revenue", 1, "USD", ("month", "asset", "value"), [("2026-03", name, "-5.00")])
    rows: Sequence[Any] = list(csv.DictReader(io.StringIO(as_csv(report.as_data()), newline="")))
    assert [row["value"] for row in rows] == ["-5.00"]
    assert not is_formula(rows[0]["asset"])


def test_numbers_stay_numbers() -> None:
    values = ("-5.00", "+3", "0.5", "plain", "", None, 7)
    assert tuple(cell(value) for value in values) == values
