"""Exports of a window: with what stood there before it, they add up to the books at its end."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from beancount import loader
from beancount.core.data import Transaction

from flamewire_ledger.exports.formats import FORMATS
from flamewire_ledger.exports.names import account_of, commodity_name
from tests.api.bookkeeping import bookkeeping, sample
from tests.api.test_disposals import dispose
from tests.api.test_exports import exported, valuation
from tests.api.world import World

Sums = dict[tuple[str, str], Decimal]
CODES = {commodity_name(it): it for it in (
    "bittensor:TAO", "bittensor:ALPHA", "ethereum:ETH", "CREDIT", "USD",
)}  # fmt: skip
OPENING = "equity:opening_balances"


@dataclass(frozen=True)
class Window:
    since: str
    until: str
    end: int  # the position at the end of it


@pytest.fixture
async def window(ledger: World) -> Window:
    """Something happens before it, in it and after it; the days of it are its own."""
    await bookkeeping(ledger)
    ledger.clock.turn(days=2)
    since = ledger.clock.now()
    ledger.clock.turn(days=2)
    end = (await bookkeeping(ledger))["sent"]
    assert (await dispose(ledger, "0.01", "withdrawal")).status_code == 201
    end = (await dispose(ledger, "0.01", "sale", "7.25")).json()["position"]
    ledger.clock.turn(days=2)
    until = ledger.clock.now()
    ledger.clock.turn(days=2)
    await sample(ledger, "TAO", "700")
    await bookkeeping(ledger)
    return Window(since.isoformat(), until.isoformat(), end)


async def balances(ledger: World, position: int) -> Sums:
    """By account and asset, debits positive, without what comes to nothing."""
    answer = await ledger.get("/v1/balances", as_of=position)
    told: Sums = {}
    for row in answer.json()["data"]:
        told[row["account"], row["asset_code"]] = Decimal(row["debits"]) - Decimal(row["credits"])
    return {place: amount for place, amount in told.items() if amount}


def of_rows(rows: list[dict[str, Any]]) -> Sums:
    sums: Sums = defaultdict(Decimal)
    for row in rows:
        sums[row["debit"], row["asset"]] += Decimal(row["amount"])
        sums[row["credit"], row["asset"]] -= Decimal(row["amount"])
    return sums


def of_csv(content: bytes, folder: Path) -> Sums:
    return of_rows(list(csv.DictReader(io.StringIO(content.decode()))))


def of_parquet(content: bytes, folder: Path) -> Sums:
    return of_rows(pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist())


def of_gnucash(content: bytes, folder: Path) -> Sums:
    """A row that begins a transaction says all of it; the others have its id and their split."""
    sums: Sums = defaultdict(Decimal)
    transaction = ""
    for row in csv.DictReader(io.StringIO(content.decode()), strict=True):
        assert bool(row["Date"]) == (row["Transaction ID"] != transaction)
        transaction = row["Transaction ID"]
        name = row["Amount With Sym"].split()[1]
        sums[account_of(row["Full Account Name"]), CODES[name]] += Decimal(row["Amount Num."])
    return sums


def of_beancount(content: bytes, folder: Path) -> Sums:
    path = folder / "books.beancount"
    path.write_bytes(content)
    checked = subprocess.run(
        [sys.executable, "-m", "beancount.scripts.check", path], capture_output=True, text=True
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    sums: Sums = defaultdict(Decimal)
    for entry in loader.load_file(str(path))[0]:
        for posting in entry.postings if isinstance(entry, Transaction) else ():
            sums[account_of(posting.account), CODES[posting.units.currency]] += posting.units.number
    assert b"pad" not in content
    return sums


def of_hledger(content: bytes, folder: Path) -> Sums:
    """By a grammar of its own lines; where there are an hledger and a ledger, they read it as well."""
    path = folder / "books.journal"
    path.write_bytes(content)
    for program, options in (("hledger", ["check", "--strict"]), ("ledger", STRICT_LEDGER)):
        if shutil.which(program) is not None:
            command = [program, "-f", str(path), *options]
            checked = subprocess.run(command, capture_output=True, text=True)
            assert (checked.returncode, checked.stderr) == (0, "")
    sums: Sums = defaultdict(Decimal)
    declared: set[str] = set()
    for line in content.decode().splitlines():
        assert HLEDGER_LINE.fullmatch(line), line
        kind, _, name = line.partition(" ")
        if kind in ("account", "commodity", "tag"):
            declared.add(name.strip('"'))
        leg = HLEDGER_LEG.match(line)
        if leg:
            account, amount, name = leg.groups()
            assert {account, name.strip('"')} <= declared
            sums[account, CODES[name.strip('"')]] += Decimal(amount)
    return sums


def of_quickbooks(content: bytes, folder: Path) -> dict[str, Decimal]:
    """Values by account, of a file that is IIF line by line: headers, accounts, then transactions."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    declared: set[str] = set()
    headers: dict[str, list[str]] = {}
    total, before = Decimal(0), ""
    text = content.decode()
    assert text.endswith("\r\n")
    for line in text.removesuffix("\r\n").split("\r\n"):
        kind, *cells = line.split("\t")
        assert kind in IIF_FOLLOWS[before], f"{kind} behind {before}"
        before = kind
        if kind.startswith("!"):
            headers[kind[1:]] = cells
            continue
        row = dict(zip(headers[kind], cells, strict=True))
        if kind == "ACCNT":
            assert row["ACCNTTYPE"] in IIF_TYPES
            declared.add(row["NAME"])
        elif kind != "ENDTRNS":
            assert re.fullmatch(r"[01]\d/[0-3]\d/20\d\d", row["DATE"])
            assert row["ACCNT"] in declared
            sums[account_of(row["ACCNT"])] += Decimal(row["AMOUNT"])
            total += Decimal(row["AMOUNT"])
        else:
            assert total == 0
    return sums


# What an IIF file may have behind each kind of line: a transaction is one TRNS and one SPL at least.
IIF_FOLLOWS = {
    "": ["!ACCNT"], "!ACCNT": ["ACCNT"], "ACCNT": ["ACCNT", "!TRNS"], "!TRNS": ["!SPL"],
    "!SPL": ["!ENDTRNS"], "!ENDTRNS": ["TRNS"], "TRNS": ["SPL"], "SPL": ["SPL", "ENDTRNS"],
    "ENDTRNS": ["TRNS"],
}  # fmt: skip
IIF_TYPES = {"OCASSET", "OCLIAB", "EQUITY", "INC", "EXP"}
STRICT_LEDGER = ["--args-only", "--strict", "--pedantic", "balance"]
AMOUNT = r'-?\d+(?:\.\d+)? (?:[A-Z]+|"[A-Z0-9.-]+")'
HLEDGER_LEG = re.compile(r'    ([a-z_0-9]+(?::[a-z_0-9]+)+)  (-?[\d.]+) ([A-Z]+|"[A-Z0-9.-]+")')
HLEDGER_LINE = re.compile(
    rf"|;.*|decimal-mark \.|tag [a-z]+|account \S+|commodity \S+|    ; [a-z]+: .*|    format {AMOUNT}"
    rf"|P \d{{4}}-\d\d-\d\d \S+ {AMOUNT}|\d{{4}}-\d\d-\d\d \* (?:\(\d+\) )?[a-z_0-9. ]+"
    rf"|{HLEDGER_LEG.pattern}(?: @@ {AMOUNT}|  ; unvalued: [\d.]+)?"
)

READERS = {
    "beancount": of_beancount, "hledger": of_hledger, "gnucash": of_gnucash, "csv": of_csv,
    "parquet": of_parquet,
}  # fmt: skip


def test_every_format_has_a_reader_here() -> None:
    assert {*READERS, "quickbooks"} == {*FORMATS}


async def test_opening_balances_and_the_window_are_the_books_at_its_end(
    ledger: World, window: Window, tmp_path: Path
):
    asked = {"from": window.since, "to": window.until}
    expected = await balances(ledger, window.end)
    for name, read in READERS.items():
        sums = read(await exported(ledger, name, **asked), tmp_path)
        assert OPENING in {account for account, _ in sums}
        assert {place: amount for place, amount in sums.items() if amount} == expected, name
    await values_are_those_of_the_trial_balance(ledger, window, asked)
    for name in {*FORMATS} - {"parquet"}:  # whose bytes are compressed
        whole = await exported(ledger, name)
        assert b"pening" not in whole
        assert await exported(ledger, name, **{"from": "2020-01-01T00:00:00Z"}) == whole


async def values_are_those_of_the_trial_balance(
    ledger: World, window: Window, asked: dict[str, str]
) -> None:
    sums = of_quickbooks(await exported(ledger, "quickbooks", **asked), Path())
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for line in (await valuation(ledger, as_of=window.end))["accounts"]:
        expected[line["account"]] += Decimal(line["value"])
    assert {k: v for k, v in sums.items() if v} == {k: v for k, v in expected.items() if v}
    assert sums["income:realised_gains"]


async def test_a_posting_that_is_booked_late_is_in_the_opening(ledger: World):
    """Its day is before the window, its place in the journal is in it."""
    await bookkeeping(ledger)
    ledger.clock.turn(hours=2)
    since = ledger.clock.now()
    ledger.clock.turn(days=1)
    made_at = (since - timedelta(hours=1)).isoformat()
    answer = await dispose(ledger, "0.01", "withdrawal", made_at=made_at)
    assert answer.status_code == 201, answer.text
    sums = of_csv(await exported(ledger, "csv", **{"from": since.isoformat()}), Path())
    end = answer.json()["position"]
    assert {k: v for k, v in sums.items() if v} == await balances(ledger, end)
