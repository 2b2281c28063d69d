"""The metered RPC gateway's README does what it says, from an empty folder, line by line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]
EXAMPLE = CHECKOUT / "examples" / "rpc_gateway"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The output folder of a month, and what was printed."""
    folder = tmp_path_factory.mktemp("empty")
    (lines,) = re.findall(
        r"From any folder.*?```sh\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.DOTALL
    )
    done = subprocess.run(
        ["bash", "-euc", lines],
        cwd=folder, env={**os.environ, "CHECKOUT": str(CHECKOUT)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "out", done.stdout


@pytest.fixture(scope="module")
def outcome(played: tuple[Path, str]) -> dict[str, Any]:
    return dict(json.loads((played[0] / "outcome.json").read_text()))


def test_no_file_of_the_example_knows_the_ledger_from_inside():
    for file in EXAMPLE.glob("*.py"):
        assert not re.search(r"(?m)^\s*(import|from) flamewire_ledger", file.read_text()), file


@pytest.mark.timeout(320)
def test_burnt_and_lapsed_and_left_is_what_was_granted_to_each(outcome: dict[str, Any]):
    customers = outcome["customers"]
    assert len(customers) == 6
    for it in customers:
        assert it["burnt"] + it["lapsed"] + it["left"] == it["granted"]
        assert it["burnt"] == it["gateway_burnt"] > 0
    assert any(it["lapsed"] for it in customers)
    assert sum(it["bought"] for it in customers) == 15_800 * 1_000_000


def test_no_call_is_lost_when_the_ledger_is_killed(
    played: tuple[Path, str], outcome: dict[str, Any]
):
    (waited,) = re.findall(r"(\d+) calls were served and wait on disk", played[1])
    assert int(waited) > 0
    assert sum(it["calls"] for it in outcome["customers"]) == outcome["calls_answered"]


def test_payers_did_what_payers_do_and_all_was_booked(outcome: dict[str, Any]):
    assert {"underpaid", "overpaid", "late"} <= set(outcome["labels"])
    assert {asset: it["usd"] for asset, it in outcome["paid"].items()} == {
        "TAO": "25.00",
        "ETH": "135.81",
        "SUI": "35.00",
        "USDC": "80.00",
    }
    assert outcome["funnel"] == {
        "asked for": 7, "something came": 6, "settled": 6, "by itself": 3
    }  # fmt: skip


def test_a_customer_without_credits_is_told_how_to_pay(played: tuple[Path, str]):
    assert re.search(r"402: this costs \S+ credits and \S+ are left; pay one of these", played[1])


def test_all_that_has_to_be_true_is(outcome: dict[str, Any]):
    assert outcome["checks"]
    assert {what: is_so for what, is_so in outcome["checks"].items() if not is_so} == {}


def test_invoices_books_and_a_chart_are_left_behind(played: tuple[Path, str]):
    out, _ = played
    invoices = sorted((out / "invoices").iterdir())
    assert len(invoices) == 7
    assert all(it.read_bytes().startswith(b"%PDF-") for it in invoices)
    assert (out / "charts.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "events.jsonl").read_text().count('"type": "credit_account.consumed.v1"') > 20
    bean_check = Path(sys.executable).with_name("bean-check")
    done = subprocess.run(
        [bean_check, out / "books.beancount"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
