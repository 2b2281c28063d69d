"""Prices of a running ledger, whose sources are a stand-in over loopback that fails as it is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.prices.stand_in import PRICES, StandIn, serving
from tests.system.running_ledger import RunningLedger, create_payment, eventually
from tests.system.test_guides import blocks


class Market:
    """The stand-in with the ledger's sandbox clock, as far as it was moved."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)
        self.stand_in = StandIn(self.now)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture(scope="module")
def market() -> Market:
    return Market()


@pytest.fixture(scope="module")
def ledger(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLedger]:
    rules = tmp_path_factory.mktemp("rules") / "rules.toml"
    rules.write_text('[[rule]]\nname = "fees"\npair = "SUI-*"\nspread_percent = "1"\n')
    with serving(market.stand_in) as url:
        running = RunningLedger(
            tmp_path_factory.mktemp("ledger"),
            {
                "FLAMEWIRE_SANDBOX_PRICE_SOURCES_URL": url,
                "FLAMEWIRE_PRICE_SOURCES_URL": url,
                "FLAMEWIRE_PRICE_RULES_FILE": str(rules),
            },
        )
        running.start()
        yield running
        running.stop()


def later(ledger: RunningLedger, market: Market, seconds: int = 120) -> None:
    with ledger.client() as client:
        body = {"advance_seconds": seconds}
        client.post("/v1/sandbox/clock", json=body).raise_for_status()
    market.ahead += timedelta(seconds=seconds)


def lock(ledger: RunningLedger, base: str = "TAO") -> tuple[int, dict]:
    with ledger.client() as client:
        answer = client.post("/v1/price_locks", json={"base": base, "quote": "USD"})
        return answer.status_code, answer.json()


def test_with_two_of_five_failing_locks_go_on_and_say_who_failed(
    ledger: RunningLedger, market: Market
):
    market.stand_in.faults = {"kraken": "tenfold", "coinbase": "error in a 200"}
    status, made = lock(ledger)
    assert status == 201
    assert abs(Decimal(made["price"]) - PRICES["TAO"]) < PRICES["TAO"] / 100
    dropped = {it["source"].partition(":")[0]: it["dropped"] for it in made["quotes"]}
    assert "outlier" in dropped["kraken"]
    assert "refused" in dropped["coinbase"]
    assert [name for name, why in dropped.items() if why is None] == [
        "cryptocompare", "coingecko", "binance",
    ]  # fmt: skip
    with ledger.client() as client:
        paid = create_payment(client, "while-two-fail", network="bittensor")
        read = client.get(f"/v1/price_locks/{paid['payment_options'][0]['price_lock_id']}").json()
        assert len(read["quotes"]) == 5


def test_with_four_failing_there_is_no_price_and_a_problem_says_so(
    ledger: RunningLedger, market: Market
):
    later(ledger, market, 700)  # past what the last good price serves
    market.stand_in.faults = {
        "kraken": "down", "coinbase": "nan", "cryptocompare": "error in a 200", "binance": "wrong shape",
    }  # fmt: skip
    status, problem = lock(ledger)
    assert (status, problem["code"]) == (503, "price_unavailable")
    assert "of 5 asked" in problem["detail"]
    market.stand_in.faults = {}
    later(ledger, market, 400)
    assert lock(ledger)[0] == 201


def test_a_rule_is_explained_in_the_lock(ledger: RunningLedger, market: Market):
    status, made = lock(ledger, "SUI")
    assert status == 201
    assert made["pricing"]["rule"] == "fees"
    market_price = Decimal(made["pricing"]["market_price"])
    assert Decimal(made["price"]) == (market_price * Decimal("0.99")).normalize()


def test_what_was_asked_for_has_a_history(ledger: RunningLedger, market: Market):
    lock(ledger)
    with ledger.client() as client:
        path = "/v1/prices/TAO-USD/history"
        found = eventually(lambda: client.get(path).json()["data"])
        assert found[0]["source"] == "quorum"


def past(ledger: RunningLedger) -> list[dict]:
    """The sandbox's prices from before there was one."""
    before = (datetime.now(UTC) - timedelta(days=20)).isoformat()
    with ledger.client() as client:
        return client.get("/v1/prices/TAO-USD/history", params={"before": before}).json()["data"]


def test_the_past_is_filled_in_once(ledger: RunningLedger, market: Market):
    market.ahead = timedelta(0)  # the real past, by the real clock
    first = ledger.flamewire("prices", "backfill", "TAO-USD", "--days", "30", "--json")
    assert json.loads(first.stdout) == [{"symbol": "TAO", "added": 30 * 24 + 1}]
    again = ledger.flamewire("prices", "backfill", "tao-usd", "--days", "30", "--json")
    assert json.loads(again.stdout)[0]["added"] <= 1  # a full hour may have passed between the two
    assert past(ledger) == []
    ledger.flamewire("prices", "backfill", "TAO-USD", "--sandbox")
    assert {it["source"] for it in eventually(lambda: past(ledger))} == {"coingecko"}
    unknown = ledger.flamewire("prices", "backfill", "EUR-USD", check=False)
    assert unknown.returncode != 0
    assert "EUR" in unknown.stderr
    wrong = ledger.flamewire("prices", "backfill", "TAO", check=False)
    assert wrong.returncode == 2


def test_the_guide_runs_as_it_stands(ledger: RunningLedger, tmp_path: Path):
    stand_in, up, fault, past = blocks("prices-and-locks.md", "sh")
    typed = stand_in.replace("flamewire", f"{sys.executable} -m flamewire_ledger").split()
    typed[typed.index("8701")] = "0"
    with subprocess.Popen(typed, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        url = running.stdout.readline().strip()
        assert up.startswith("FLAMEWIRE_SANDBOX_PRICE_SOURCES_URL=")  # as this ledger was started
        said = subprocess.check_output(["bash", "-c", fault.replace("http://127.0.0.1:8701", url)])
        running.terminate()
    assert json.loads(said) == {"kraken": "down", "coinbase": "tenfold"}
    environment = {**os.environ, "URL": ledger.url, "KEY": ledger.key}
    requests = [line for line in past.splitlines() if line.startswith("curl")]
    for line in requests:
        told = subprocess.check_output(["bash", "-c", line], env=environment, cwd=tmp_path)
        assert json.loads(told)["object"] == "list"
    (command,) = set(past.splitlines()) - set(requests)
    assert ledger.flamewire(*command.split()[1:]).returncode == 0


def test_a_rules_file_that_is_wrong_is_said_in_a_sentence(tmp_path: Path):
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nname = "a"\nspread_percent = "60"\n')
    running = RunningLedger(tmp_path / "data", {"FLAMEWIRE_PRICE_RULES_FILE": str(rules)})
    ended = running.flamewire("up", "--port", "0", check=False)
    assert ended.returncode == 2
    assert "50 %" in ended.stderr
    assert "Traceback" not in ended.stderr
