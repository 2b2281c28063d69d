"""Runs from fixed seeds, and what makes a run worth something: it repeats, and it is wild."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import pytest

from tests.services.place import ROOT
from tests.simulation.broken import Broken
from tests.simulation.conftest import ACTIONS
from tests.simulation.world import Report

SEEDS = (2, 4, 32, 34)
# With those that read the same runs: one worker has them.
pytestmark = pytest.mark.xdist_group("simulation")


@pytest.mark.parametrize("seed", SEEDS)
def test_everything_holds_under_faults(seed: int, run_of: Callable[[int], Report]) -> None:
    try:
        run_of(seed)
    except Broken as broken:
        pytest.fail(f"scripts/simulate {seed} --actions {ACTIONS}: {broken}")


def test_the_runs_had_everything_in_them(run_of: Callable[[int], Report]) -> None:
    reports = {seed: run_of(seed) for seed in SEEDS}
    statuses: Counter[str] = Counter()
    payers: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    for report in reports.values():
        statuses += report.statuses
        payers += report.payers
        faults += report.faults
    assert statuses.keys() >= {"succeeded", "requires_action", "expired", "canceled"}
    assert payers.keys() >= {
        "normal", "reorg", "reorg_before_final", "reorg_and_back", "drop", "failed", "late",
        "wrong_asset", "wrong_network", "no mark", "a wrong mark", "double", "under", "over", "a little under",
    }  # fmt: skip
    requests: Counter[str] = sum((it.requests for it in reports.values()), Counter())
    assert requests.keys() >= {
        "transfer: done", "refund: done", "refund purchase: done", "set recurring grant: done",
        "set top-up: done", "usage: accepted", "usage: duplicate", "usage: insufficient_credits",
        "subscribe: done", "change plan: done", "pause: done", "resume: done", "cancel now: done",
        "finalise: done", "ask for payment of invoice: done", "pay elsewhere: done", "void: done",
        "credit note: done", "own an address: done",
    }  # fmt: skip
    recorded = {event.type for report in reports.values() for event in report.events}
    assert recorded >= {
        "top_up.requested.v1", "top_up.closed.v1", "subscription.past_due.v1",
        "subscription.recovered.v1", "invoice.paid.v1", "usage.threshold_reached.v1",
    }  # fmt: skip
    assert faults.keys() >= {
        "the api is killed",
        "the watcher is killed",
        "the reactor is killed",
        "the store is down for a while",
        "an answer to a change is lost",
        "a change is made when given up",
        "a delivery comes twice",
        "a delivery is overtaken",
        "a delivery is lost",
        "the read models fall behind",
    }


def test_the_same_seed_gives_the_same_run_in_any_process() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", "5", "--actions", "100"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.partition("time ")[0]
        for hash_seed in ("0", "1")
    }
    assert len(told) == 1
    assert "events" in told.pop()


def test_a_run_that_breaks_says_its_seed_and_the_rule(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.simulation import __main__ as command

    def breaks(seed: int, actions: int) -> Report:
        raise Broken("a rule", "what shows it")

    monkeypatch.setattr(command, "simulate", breaks)
    monkeypatch.setattr(sys, "argv", ["simulate", "77"])
    assert command.main() == 1
    said = capsys.readouterr().out
    assert "seed 77" in said
    assert "a rule" in said
    assert "scripts/simulate 77" in said
