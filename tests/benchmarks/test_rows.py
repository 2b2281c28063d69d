"""Every row runs from end to end, small: what it measures means nothing, that it measures does."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from scripts.benchmarks import __main__ as bench
from scripts.benchmarks import (
    batch,
    everything,
    growth,
    hot,
    price,
    reconcile,
    single,
    soak,
    visible,
)
from scripts.benchmarks.figure import BenchmarkFailed, Figure
from scripts.benchmarks.options import Options
from scripts.benchmarks.running import RunningLedger
from tests.benchmarks.conftest import SMALL


def assert_measured(figures: Sequence[Figure], count: int) -> None:
    assert len(figures) == count
    for figure in figures:
        assert math.isfinite(figure.value), figure
        assert figure.value >= 0, figure
        if figure.unit == "commands/s":
            assert figure.value > 0, figure
            assert figure.reference > 0, figure


def test_batches_to_the_api_alone(api: RunningLedger):
    figures = batch.measure(api, SMALL)
    assert_measured(figures, 2)
    assert all("API" in it.note and "load generator" in it.note for it in figures)


def test_one_command_a_request_beside_an_empty_endpoint(api: RunningLedger):
    assert_measured(single.measure(api, SMALL, 3_500), 3)


def test_a_hot_account_beside_many(api: RunningLedger):
    assert_measured(hot.measure(api, SMALL), 1)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_log_that_grows():
    options = replace(SMALL, small_events=200, large_events=50_000)
    figures = growth.run(options)
    assert_measured(figures, 4)
    assert figures[0].name.endswith("at 50,000 events")


def test_batches_with_everything_running(whole: RunningLedger):
    figures = everything.measure(whole, SMALL)
    assert_measured(figures, 4)
    assert all(part in figures[0].note for part in ("API", "backstage", "Postgres", "RabbitMQ"))


def test_how_long_until_it_is_seen(whole: RunningLedger):
    options = replace(SMALL, seconds=3.0, commands_per_second=50.0)
    figures = visible.measure(whole, options)
    assert_measured(figures, 3)
    assert all(figure.value > 0 for figure in figures)


@pytest.mark.slow
def test_a_soak_under_faults(whole: RunningLedger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(soak, "KILLS", 2)  # the writer and the backstage; a broker takes 20 s
    options = replace(SMALL, seconds=6.0, commands_per_second=100.0, kill=True)
    figures = soak.measure(whole, options)
    assert_measured(figures, 4)
    assert "killed: API, backstage" in figures[0].note


def test_a_row_that_fails_leaves_the_others_and_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(options: Options) -> list[Figure]:
        raise BenchmarkFailed("two commands are not there")

    def work() -> list[Figure]:
        return [Figure("x", 1, "s", 2, "y", 3, less_is_better=True)]

    runs = {"batch": fail, "start": lambda options: work()}
    monkeypatch.setattr(bench, "benchmark", runs.__getitem__)
    assert bench.main(["batch", "start", "--json"]) == 1
    written = json.loads(capsys.readouterr().out)
    assert written["failures"] == {"batch": "two commands are not there"}
    assert [(it["benchmark"], it["ratio"], it["is_met"]) for it in written["figures"]] == [
        ("start", 0.5, True)
    ]


def test_every_benchmark_that_is_offered_is_there():
    for name in {**bench.BENCHMARKS, **bench.ALONE}:
        assert callable(bench.benchmark(name))


def test_the_price_of_a_lock_from_both_caches():
    figures = price.run(replace(SMALL, seconds=0.2))
    assert_measured(figures, 2)
    assert all(figure.value > 0 for figure in figures)


def test_transfers_matched_three_ways():
    assert len(reconcile.planted(1_000).match().discrepancies) == len(reconcile.PLANTS)
