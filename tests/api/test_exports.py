"""Exports: what other programs read is what the books say, to the last unit and byte."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from beancount import loader
from beancount.core.data import Open, Transaction
from beancount.core.inventory import Inventory

from flamewire_ledger.exports.names import account_of, commodity_name
from tests.api.bookkeeping import bookkeeping
from tests.api.world import World

FORMATS = ["beancount", "hledger", "gnucash", "quickbooks", "csv", "parquet"]


async def exported(ledger: World, name: str, **query: object) -> bytes:
    response = await ledger.get(f"/v1/exports/{name}", **query)
    assert response.status_code == 200, response.text
    return response.content


async def balances(ledger: World) -> dict[tuple[str, str], int]:
    """Every account and asset that is not empty, debits positive, in base units."""
    rows = (await ledger.get("/v1/balances")).json()["data"]
    sides = {
        (row["account"], row["asset_code"]): int(row["debits_minor"]) - int(row["credits_minor"])
        for row in rows
    }
    return {key: units for key, units in sides.items() if units}


async def valuation(ledger: World, **query: object) -> dict[str, Any]:
    answer = await ledger.get("/v1/ledger/trial_balance", valuation="USD", **query)
    assert answer.status_code == 200, answer.text
    return answer.json()["valuation"]


async def test_beancount_accepts_the_books_and_has_the_same_balances(ledger: World, tmp_path: Path):
    await bookkeeping(ledger)
    path = tmp_path / "books.beancount"
    path.write_bytes(await exported(ledger, "beancount"))
    checked = subprocess.run(
        [sys.executable, "-m", "beancount.scripts.check", path], capture_output=True, text=True
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    entries, errors, options = loader.load_file(str(path))
    assert not errors
    decimals = {
        entry.meta["asset"]: int(entry.meta["decimals"])
        for entry in entries
        if type(entry).__name__ == "Commodity"
    }
    names = {commodity_name(code): code for code in decimals}
    held: dict[str, Inventory] = defaultdict(Inventory)
    for entry in entries:
        if isinstance(entry, Transaction):
            for posting in entry.postings:
                held[posting.account].add_position(posting)
    told = {}
    for account, inventory in held.items():
        for position in inventory:
            code = names[position.units.currency]
            units = position.units.number * 10 ** decimals[code]
            told[account_of(account), code] = int(units)
    assert told == await balances(ledger)
    opened = {entry.meta["account"] for entry in entries if isinstance(entry, Open)}
    assert {account for account, _ in told} <= opened
    assert options["operating_currency"] == ["USD"]


async def test_every_beancount_transaction_says_where_it_is_in_the_log(
    ledger: World, tmp_path: Path
):
    await bookkeeping(ledger)
    path = tmp_path / "books.beancount"
    path.write_bytes(await exported(ledger, "beancount"))
    entries, _, _ = loader.load_file(str(path))
    events = {event.position: event for event in await ledger.events()}
    transactions = [entry for entry in entries if isinstance(entry, Transaction)]
    assert len(transactions) >= 8
    for transaction in transactions:
        event = events[int(transaction.meta["position"])]
        assert event.type == transaction.narration
        assert event.stream_id == transaction.meta["stream"]


@pytest.mark.parametrize("name", FORMATS)
async def test_the_same_position_gives_the_same_bytes(ledger: World, name: str):
    sent = (await bookkeeping(ledger))["sent"]
    before = await exported(ledger, name, as_of=sent)
    await bookkeeping(ledger)
    assert await exported(ledger, name, as_of=sent) == before
    assert await exported(ledger, name) != before


@pytest.mark.skipif(shutil.which("hledger") is None, reason="apt-get install hledger")
async def test_hledger_accepts_the_books_and_has_the_same_balances(ledger: World, tmp_path: Path):
    await bookkeeping(ledger)
    path = tmp_path / "books.journal"
    path.write_bytes(await exported(ledger, "hledger"))
    hledger = ["hledger", "-f", str(path)]
    checked = subprocess.run([*hledger, "check", "--strict"], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    shown = subprocess.run(
        [*hledger, "balance", "--flat", "--no-total", "-O", "csv", "--layout", "bare"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(shown.stdout)))
    assert read(rows) == await balances(ledger)


async def test_the_hledger_journal_balances_by_its_own_lines(ledger: World):
    """Where there is no hledger: every transaction of the file, read here."""
    await bookkeeping(ledger)
    text = (await exported(ledger, "hledger")).decode()
    legs = re.findall(r"^    (\S+)  (-?[\d.]+) (\S+)", text, re.MULTILINE)
    rows: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for account, amount, name in legs:
        rows[account, name] += Decimal(amount)
    told = [
        {"account": account, "commodity": name, "balance": str(amount)}
        for (account, name), amount in rows.items()
        if amount
    ]
    assert read(told) == await balances(ledger)
    declared = set(re.findall(r"^account (\S+)", text, re.MULTILINE))
    assert {account for account, _, _ in legs} <= declared


def read(rows: list[dict[str, str]]) -> dict[tuple[str, str], int]:
    """Balances in base units from rows of {account, commodity, balance}."""
    decimals = {"TAO": 9, "ALPHA": 9, "ETH": 18, "CREDIT": 6}
    told = {}
    for row in rows:
        symbol, _, network = row["commodity"].strip('"').partition(".")
        code = f"{network.lower()}:{symbol}" if network else symbol
        told[row["account"], code] = int(Decimal(row["balance"]) * 10 ** decimals[symbol])
    return told


async def test_quickbooks_entries_sum_to_zero_and_accounts_stand_as_in_the_valued_trial_balance(
    ledger: World,
):
    await bookkeeping(ledger)
    text = (await exported(ledger, "quickbooks")).decode()
    assert text.endswith("\r\n")
    rows = [line.split("\t") for line in text.splitlines()]
    fields = next(row for row in rows if row[0] == "!TRNS")[1:]
    sums: dict[str, Decimal] = defaultdict(Decimal)
    total, entries = Decimal(0), 0
    for row in rows:
        if row[0] in ("TRNS", "SPL"):
            cells = dict(zip(fields, row[1:], strict=True))
            amount = Decimal(cells["AMOUNT"])
            sums[account_of(cells["ACCNT"])] += amount
            total += amount
        if row[0] == "ENDTRNS":
            entries += 1
            assert total == 0
    assert entries >= 6
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for line in (await valuation(ledger))["accounts"]:
        expected[line["account"]] += Decimal(line["value"])
    assert {k: v for k, v in sums.items() if v} == {k: v for k, v in expected.items() if v}
    assert sums["income:realised_gains"] == -Decimal((await valuation(ledger))["realised_gains"])


async def test_gnucash_has_both_sides_of_every_posting(ledger: World):
    await bookkeeping(ledger)
    rows = list(csv.DictReader(io.StringIO((await exported(ledger, "gnucash")).decode())))
    by_transaction: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        by_transaction[row["Transaction ID"]] += Decimal(row["Amount Num."])
        assert account_of(row["Full Account Name"]).partition(":")[0] in (
            "assets", "liabilities", "income", "expenses", "credits",
        )  # fmt: skip
    assert len(rows) == 2 * len(by_transaction)
    assert set(by_transaction.values()) == {Decimal(0)}


async def test_parquet_and_csv_say_the_same(ledger: World):
    import pyarrow.parquet

    await bookkeeping(ledger)
    table = pyarrow.parquet.read_table(io.BytesIO(await exported(ledger, "parquet"))).to_pylist()
    text = (await exported(ledger, "csv")).decode()
    lines = list(csv.DictReader(io.StringIO(text)))
    assert len(table) == len(lines) > 8
    for row, line in zip(table, lines, strict=True):
        shown = {
            name: "" if value is None else value.isoformat() if name.endswith("at") else str(value)
            for name, value in row.items()
        }
        assert shown == line


async def test_a_window_has_what_happened_in_it(ledger: World):
    await bookkeeping(ledger)
    late = (ledger.clock.now()).isoformat()
    text = (await exported(ledger, "csv", **{"from": late})).decode()
    rows = [it for it in csv.DictReader(io.StringIO(text)) if it["position"] != "0"]
    assert [row["credit"] for row in rows] == ["assets:wallet:ethereum", "assets:wallet:bittensor"]
    before = (await exported(ledger, "csv", to=late)).decode()
    everything = (await exported(ledger, "csv")).decode()
    own = [line for line in text.splitlines(keepends=True)[1:] if not line.startswith("0,")]
    assert before + "".join(own) == everything


async def test_what_nobody_priced_is_shown_as_unvalued(ledger: World):
    await bookkeeping(ledger)
    rows = csv.DictReader(io.StringIO((await exported(ledger, "csv")).decode()))
    alpha = [row for row in rows if row["asset"] == "bittensor:ALPHA"]
    assert [(row["value"], row["unvalued"]) for row in alpha] == [("", "3.000000000")]
    assert (await valuation(ledger))["is_partial"]


async def test_an_unknown_format_is_not_found(ledger: World):
    answer = await ledger.get("/v1/exports/abacus")
    assert answer.status_code == 404
    assert "beancount" in answer.json()["detail"]


async def test_another_merchants_books_are_not_in_it(ledger: World):
    await bookkeeping(ledger)
    other = ledger.key(await ledger.merchant("other"))
    answer = await ledger.get("/v1/exports/csv", key=other)
    assert answer.text.count("\n") == 1
