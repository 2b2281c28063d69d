"""The metered RPC gateway's README does what it says, from an empty folder, line by line."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import chdir
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]
EXAMPLE = CHECKOUT / "examples" / "rpc_gateway"
BILLION = 10**9
Move = tuple[str, str, int, Decimal, datetime]  # name, in or out, units, worth in cents, when
REPORTS = ("revenue", "volumes", "funnel", "finality", "breakage", "mrr", "exceptions")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The output folder of a month, and what was printed."""
    folder = tmp_path_factory.mktemp("empty")
    (lines,) = re.findall(
        r"From any folder.*?```sh\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.DOTALL
    )
    done = typed(lines, folder, seconds=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "out", done.stdout


def typed(lines: str, folder: Path, *, seconds: float) -> subprocess.CompletedProcess[str]:
    """What a shell makes of the lines. When it takes too long, all that was started ends with it."""
    with subprocess.Popen(
        ["bash", "-euc", lines],
        cwd=folder, env={**os.environ, "CHECKOUT": str(CHECKOUT)}, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as shell:  # fmt: skip
        try:
            out, err = shell.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGINT)  # as Ctrl-C does
            out, err = shell.communicate(timeout=60)
    return subprocess.CompletedProcess(lines, shell.returncode, out, err)


@pytest.fixture(scope="module")
def outcome(played: tuple[Path, str]) -> dict[str, Any]:
    return dict(json.loads((played[0] / "outcome.json").read_text()))


def report(played: tuple[Path, str], name: str) -> list[dict[str, Any]]:
    return list(json.loads((played[0] / "reports" / f"{name}.json").read_text())["rows"])


def test_no_file_of_the_example_knows_the_ledger_from_inside():
    for file in EXAMPLE.rglob("*.py"):
        assert not re.search(r"(?m)^\s*(import|from) flamewire_ledger", file.read_text()), file


def test_the_readme_of_the_repository_runs_the_same():
    line = ".venv/bin/python examples/rpc_gateway demo --out out"
    assert f"```sh\n{line}\n```" in (CHECKOUT / "README.md").read_text()
    its_own = (EXAMPLE / "README.md").read_text().replace('"', "").replace("$CHECKOUT/", "")
    assert line in its_own


@pytest.mark.timeout(320)
def test_all_that_has_to_be_true_is(outcome: dict[str, Any]):
    assert outcome["checks"]
    assert {what: is_so for what, is_so in outcome["checks"].items() if not is_so} == {}


def test_what_was_burnt_is_the_price_of_the_calls_and_the_rest_lapsed_or_is_left(
    outcome: dict[str, Any],
):
    customers = outcome["customers"]
    assert len(customers) == 6
    for it in customers:
        assert it["burnt"] + it["lapsed"] + it["left"] == it["granted"] + it["owed"]
        assert it["burnt"] == it["priced"] > 0
    assert any(it["lapsed"] for it in customers)
    assert sum(it["bought"] for it in customers) == 15_800 * 1_000_000


def test_no_call_is_lost_when_the_ledger_is_killed(
    played: tuple[Path, str], outcome: dict[str, Any]
):
    (waited,) = re.findall(r"(\d+) calls were served and wait on disk", played[1])
    assert int(waited) > 500
    assert sum(it["calls"] for it in outcome["customers"]) == outcome["calls_answered"]
    assert set(outcome["calls_reported"]) <= {"accepted", "duplicate"}


def test_payers_did_what_payers_do(played: tuple[Path, str], outcome: dict[str, Any]):
    assert {"underpaid", "overpaid", "late"} <= set(outcome["labels"])
    rows = report(played, "funnel")
    funnel = {key: sum(int(row[key]) for row in rows) for key in ("created", "paid")}
    assert funnel == {"created": 9, "paid": 7}  # the one that came short, a person settled
    assert outcome["funnel"] == {
        "asked for": 9, "something came": 8, "settled": 8, "by itself": 5
    }  # fmt: skip


def test_a_customer_without_credits_is_told_how_to_pay(played: tuple[Path, str]):
    assert "402: not enough credits are left: pay one of these" in played[1]


def test_credits_that_were_bought_and_burnt_are_revenue_at_their_price(
    played: tuple[Path, str], outcome: dict[str, Any]
):
    """To a cent for each payment and month: what rounding leaves is earned with the last credit."""
    rows = [it for it in report(played, "revenue") if it["earned_with"] == "credits_burnt"]
    burnt = Decimal(sum(it["bought_and_burnt"] for it in outcome["customers"])) / 1_000_000
    short = burnt / 100 - sum(Decimal(it["value"]) for it in rows)
    assert rows
    assert 0 <= short <= Decimal("0.01") * len(rows)


def test_all_four_assets_came_in_and_are_in_the_report_of_volumes(played: tuple[Path, str]):
    came = {row["asset"] for row in report(played, "volumes")}
    assert {it.rpartition(":")[2] for it in came} == {"TAO", "ETH", "SUI", "USDC"}


def test_what_runs_and_what_lapsed_is_reported(played: tuple[Path, str]):
    mrr = report(played, "mrr")
    assert mrr[-1]["mrr"] == "137.00"  # two of three pro plans and the enterprise one
    assert sum(int(row["lapses"]) for row in report(played, "breakage")) > 0


def test_every_report_has_its_chart(played: tuple[Path, str]):
    folder = played[0] / "reports"
    for name in REPORTS:
        assert (folder / f"{name}.svg").read_bytes().startswith(b"<?xml")
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (folder / f"{name}.csv").read_text().count("\n") >= 1


def test_invoices_are_left_behind_without_a_gap_in_their_numbers(played: tuple[Path, str]):
    documents = sorted((played[0] / "invoices").iterdir())
    assert all(it.read_bytes().startswith(b"%PDF-") for it in documents)
    numbers = [it.stem.rpartition("-") for it in documents]
    notes = [number for series, _, number in numbers if series.startswith("CN-")]
    assert notes == ["000001"]
    invoices = [int(number) for series, _, number in numbers if not series.startswith("CN-")]
    assert invoices == list(range(1, 13))


def test_bean_check_accepts_the_books_of_the_whole_history(played: tuple[Path, str]):
    out, _ = played
    done = subprocess.run(
        [Path(sys.executable).with_name("bean-check"), out / "books.beancount"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    recorded = (out / "events.jsonl").read_text()
    assert recorded.count('"type": "usage.recorded.v1"') > 10


def test_the_exported_postings_add_up_to_the_trial_balance(played: tuple[Path, str]):
    sums: dict[tuple[str, str], int] = defaultdict(int)
    turnover: dict[str, int] = defaultdict(int)
    with (played[0] / "books.csv").open() as file:
        for row in csv.DictReader(file):
            sums[row["debit"], row["asset"]] += int(row["amount_minor"])
            sums[row["credit"], row["asset"]] -= int(row["amount_minor"])
            turnover[row["asset"]] += int(row["amount_minor"])
    trial = json.loads((played[0] / "trial_balance.json").read_text())
    for side in ("debits_minor", "credits_minor"):
        assert turnover == {it["asset_code"]: int(it[side]) for it in trial["lines"]}
    valued = trial["valuation"]
    told = {
        (it["account"], it["asset_code"]): int(it["balance_minor"]) for it in valued["accounts"]
    }
    exported = {key: it for key, it in sums.items() if it and key[1] != "CREDIT"}
    assert exported == {key: it for key, it in told.items() if it}
    assert (valued["is_balanced"], valued["is_partial"]) == (True, False)


@pytest.fixture(scope="module")
def rp2_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    with chdir(tmp_path_factory.mktemp("rp2")):
        from tests.billing import rp2_engine

        yield rp2_engine


@pytest.mark.parametrize("method", ["fifo", "lifo"])
def test_rp2_agrees_on_every_gain(
    method: str, played: tuple[Path, str], rp2_engine: ModuleType, tmp_path: Path
):
    """From the exported postings rp2 takes the same lots as the report for the tax office, and finds
    the same gains; what a cent is rounded to may differ.
    """
    out, _ = played
    tax = json.loads((out / "reports" / f"tax_lots_{method}.json").read_text())
    assert {line["kind"] for line in tax["disposals"]} == {"refund", "sale"}
    told: dict[tuple[str, str], tuple[int, int]] = {}
    proceeds: dict[str, Decimal] = defaultdict(Decimal)
    for line in tax["disposals"]:
        amount = int(Decimal(line["amount"]) * BILLION)
        told[line["disposal_id"], line["lot_id"]] = amount, int(Decimal(line["gain"]) * 100)
        proceeds[line["disposal_id"]] += Decimal(line["proceeds"]) * 100
    configuration = rp2_engine.configured(tmp_path)
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for moves in moves_of(out).values():
        steps = [
            (kind, units, (proceeds[name] if kind == "out" else cost) / units, at)
            for name, kind, units, cost, at in moves
        ]
        for disposal, lot, units, gain, _ in rp2_engine.theirs(steps, method, configuration):
            found[moves[int(disposal)][0], moves[int(lot)][0]] = units, gain
    assert len(found) >= 4  # of three disposals: one takes from two lots, or two do
    assert found.keys() == told.keys()
    for key, (units, gain) in found.items():
        assert told[key][0] == units
        assert abs(told[key][1] - gain) <= 1
    assert any(gain > 0 for _, gain in found.values())
    assert any(gain < 0 for _, gain in found.values())


def moves_of(out: Path) -> dict[str, list[Move]]:
    """What came into the wallets and left them, by asset."""
    found: dict[str, list[Move]] = defaultdict(list)
    with (out / "books.csv").open() as file:
        for row in csv.DictReader(file):
            comes, goes = (row[side].startswith("assets:wallet:") for side in ("debit", "credit"))
            if comes != goes:
                # rp2 keeps 13 decimals of all it has: in billionths, that is enough.
                units = int(Decimal(row["amount"]) * BILLION)
                name, kind = f"{row['position']}-{row['line']}", "in" if comes else "out"
                cost, at = Decimal(row["value_minor"]), datetime.fromisoformat(row["at"])
                found[row["asset"]].append((name, kind, units, cost, at))
    return found
