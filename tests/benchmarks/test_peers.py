"""The comparison with peers: it is told truthfully, and those that need no installing run for a second.

django-hordak and emmett are installed by `scripts/bench peers` alone: Django and Node packages for two
rows of a benchmark are not worth a test run's time. Their pins and locks are looked at here.
"""

import json
import os
import re
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest

from scripts.benchmarks.figure import BenchmarkFailed
from scripts.benchmarks.peers import ledger, others, postgres
from scripts.benchmarks.peers.comparison import (
    COMPARISONS,
    GROUPS,
    Comparison,
    Runs,
    figures,
    run_all,
)
from scripts.benchmarks.peers.contender import Contender, Measured, PeerMissing, measure
from scripts.benchmarks.peers.installed import PEERS, folder_of
from scripts.benchmarks.peers.lines import repeat
from scripts.benchmarks.peers.program import Program

MEASURED = Measured(1_000.0, 1_000, 100.0)
PYTHON = "import sys\nfor line in sys.stdin: {}"


def contender(url: str, acknowledged: int, recorded: str) -> Contender:
    """One that inserts three rows and says it was so many."""

    def work(seconds: float) -> Measured:
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO t SELECT generate_series(1, 3)")
        return Measured(acknowledged / seconds, acknowledged, 1.0)

    return Contender("peer", "a peer", url, recorded, work)


@pytest.fixture
def table_url(database_url: str) -> str:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE t (n integer)")
    return database_url


def test_what_the_database_has_is_what_was_acknowledged(table_url: str):
    whole = "SELECT count(*), count(*), count(*) FROM t"
    assert measure(contender(table_url, 3, whole), 1.0).acknowledged == 3
    with pytest.raises(BenchmarkFailed, match="acknowledged 4 transfers and its database gained 3"):
        measure(contender(table_url, 4, whole), 1.0)


def test_a_transfer_with_one_side_is_found(table_url: str):
    with pytest.raises(BenchmarkFailed, match="do not balance"):
        measure(contender(table_url, 3, "SELECT count(*), count(*), 0 FROM t"), 1.0)


def test_a_peer_that_is_missing_is_a_row_that_missed_and_says_what_to_install():
    found = {"ours": Runs("ours", (MEASURED,)), "theirs": Runs("theirs", fault="install Node.js.")}
    for at_least in (3.0, None):
        (figure,) = figures(found, [Comparison("row", "ours", "theirs 100", at_least)])
        assert figure.is_met is False
        assert "install Node.js." in figure.note


def test_a_row_has_our_rate_over_theirs():
    found = {
        "ours": Runs("ours", tuple(Measured(rate, 1, 50.0) for rate in (900.0, 1_000.0, 5_000.0))),
        "theirs": Runs("theirs", (MEASURED,)),
    }
    (figure,) = figures(found, [Comparison("row", "ours", "theirs", 1.1)])
    assert (figure.value, figure.low, figure.high, figure.ratio) == (1_000.0, 900.0, 5_000.0, 1.0)
    assert figure.is_met is False


def test_a_group_that_cannot_start_leaves_the_others_running(table_url: str):
    @contextmanager
    def absent(server: object):
        raise PeerMissing("install it.")
        yield

    @contextmanager
    def present(server: object):
        yield [contender(table_url, 3, "SELECT count(*), count(*), count(*) FROM t")]

    found = run_all(None, {"absent": absent, "peer": present}, seconds=0.1, rounds=2)
    assert found["absent"].fault == "install it."
    assert len(found["peer"].measured) == 2, "the round that warms up is not counted"


def test_every_comparison_names_contenders_that_there_are():
    keys = {key for each in COMPARISONS for key in (each.ours, each.theirs)}
    assert {key.split()[0] for key in keys} == GROUPS.keys()


def test_a_program_that_ends_early_is_a_failure_with_its_last_words():
    words = PYTHON.format("sys.exit('no table')")
    ready = "print('{\"ready\": true}', flush=True)\n"
    with (
        Program(["python3", "-c", ready + words], os.environ, processes=2) as program,
        pytest.raises(BenchmarkFailed, match="no table"),
    ):
        program.measure(0.1)


def test_work_is_repeated_until_its_time_is_up():
    assert repeat(lambda: 2)(0.01) > 2


def test_pgbench_is_understood():
    report = (
        "number of transactions actually processed: 240\nlatency = 8 ms\ntps = 120.0 (without …)"
    )
    assert postgres.found_in(report) == (240_000, 2.0)
    with pytest.raises(BenchmarkFailed):
        postgres.found_in("number of transactions actually processed: 0")


def test_rows_of_the_reference_are_as_large_as_was_asked(database_url: str):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(postgres.TABLE)
        connection.execute(postgres.script(400).encode())
        row = connection.execute(
            "SELECT count(*), avg(pg_column_size(r.*)), count(DISTINCT data) FROM plain_rows AS r"
        ).fetchone()
    assert row[0] == row[2] == postgres.ROWS
    assert abs(row[1] - 400) <= 8


def test_peers_are_pinned_with_hashes_and_without_a_registry():
    requirements = (PEERS / "hordak" / "requirements.txt").read_text()
    pins = re.findall(r"^[\w.\[\]-]+==\S+", requirements, re.MULTILINE)
    assert any(pin.startswith("django-hordak==") for pin in pins)
    assert len(re.findall(r"==.*\\\n +--hash=sha256:", requirements)) == len(pins)
    packages = json.loads((PEERS / "emmett" / "package-lock.json").read_text())["packages"]
    assert "node_modules/@event-driven-io/emmett-postgresql" in packages
    assert all(
        "resolved" not in it and ("integrity" in it) is bool(name) for name, it in packages.items()
    )


def test_without_node_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("scripts.benchmarks.peers.installed.PLACE", tmp_path)
    with pytest.raises(PeerMissing, match=r"install Node\.js"):
        folder_of("emmett")


@pytest.mark.slow
def test_the_ledger_and_postgres_run_and_keep_what_they_acknowledged(postgres_server):
    groups = {
        "ledger": ledger.contenders,
        "postgres": lambda server: postgres.contenders(server, lambda: ledger.row_bytes(server)),
    }
    found = run_all(postgres_server, groups, seconds=0.3, rounds=1)
    assert {key: runs.fault for key, runs in found.items() if runs.fault} == {}
    (figure,) = figures(found, [each for each in COMPARISONS if each.theirs == "postgres"])
    assert figure.value > 0
    assert figure.ratio > 0


@pytest.mark.slow
def test_eventsourcing_runs_and_keeps_what_it_acknowledged(postgres_server, monkeypatch):
    ways = {key: replace(way, processes=1) for key, way in others.EVENTSOURCING.items()}
    monkeypatch.setattr(others, "EVENTSOURCING", ways)
    found = run_all(postgres_server, {"": others.eventsourcing}, seconds=0.3, rounds=1)
    assert {key: runs.fault for key, runs in found.items() if runs.fault} == {}
    assert found.keys() == {each.theirs for each in COMPARISONS if "sourcing" in each.theirs}
    assert all(runs.rates[0] > 0 for runs in found.values())
