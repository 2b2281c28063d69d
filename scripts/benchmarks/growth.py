"""The same ledger when its log is small and when it is large: appending, starting and memory.

The log is filled by SQL with copies of three real commands (an account opened, filled, burnt from),
each with its event, its command under a random id, and its stream: every index has the size it would
have. Then the same load goes to the same accounts as before.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from flamewire_ledger.cli.embedded_postgres import EmbeddedPostgres
from flamewire_ledger.store.statements import read_statements
from scripts.benchmarks.batch import CONNECTIONS
from scripts.benchmarks.figure import Figure, spread
from scripts.benchmarks.insert_reference import COMMANDS
from scripts.benchmarks.load.accounts import open_accounts
from scripts.benchmarks.load.verify import head_of
from scripts.benchmarks.measuring import GENERATOR, Session
from scripts.benchmarks.options import Options
from scripts.benchmarks.processes import API
from scripts.benchmarks.progress import bar
from scripts.benchmarks.running import RunningLedger, api_only
from scripts.benchmarks.servers import postgres_server

SECONDS: Final = 8.0
_GROWTH_MAX: Final = 1.3
_RESIDENT_MEGABYTES_MAX: Final = 200.0
_STRETCH_EVENTS: Final = 100_000
_EVENTS_OF_AN_ACCOUNT: Final = 1_000
_SQL: Final = {
    name: statement.query
    for name, statement in read_statements(Path(__file__).with_suffix(".sql")).items()
}


@dataclass(frozen=True, slots=True)
class Size:
    """What was measured with a log of so many events."""

    events: int
    rates: Sequence[float]  # commands/s
    spent: Sequence[float]  # µs of processor time a command, API and Postgres
    starts: Sequence[float]  # seconds until it was ready
    resident_megabytes: float
    note: str


def run(options: Options) -> list[Figure]:
    options = options.lasting(SECONDS)
    with postgres_server() as server:
        accounts: list[str] = []
        with api_only(server=server) as ledger:
            key = ledger.key
            with ledger.client() as client:
                accounts = open_accounts(client, options.accounts)
                pattern = _pattern(ledger)
        sizes = []
        for events in (options.small_events, options.large_events):
            fill(server.url, events - head_of(server.url), pattern)
            sizes.append(_measure(server, key, accounts, options))
    return _figures(*sizes)


def _pattern(ledger: RunningLedger) -> str:
    """An account that was opened, filled and burnt from: its three commands are what is copied."""
    with ledger.client() as client:
        (account,) = open_accounts(client, 1)
        burnt = client.post(
            f"/v1/credit_accounts/{account}/consume",
            content=json.dumps({"amount": "0.000001", "reference": "call"}),
            headers={"Content-Type": "application/json", "Idempotency-Key": f"burn-{account}"},
        )
    burnt.raise_for_status()
    return account


def fill(url: str, events: int, pattern: str) -> None:
    """So many more events in the log, of accounts that are there once it returns."""
    if events <= 0:
        return
    given: dict[str, Any] = {
        "account": pattern,
        "events": events,
        "accounts": max(1, events // _EVENTS_OF_AN_ACCOUNT),
        "base": head_of(url),
    }
    with psycopg.connect(url, autocommit=True) as connection, bar("filling", events) as show:
        # Parameters are put in by psycopg: the plan of a stretch should know how long it is.
        cursor = psycopg.ClientCursor(connection)
        cursor.execute(_SQL["make_patterns"], given)
        cursor.execute(_SQL["hasten"])
        cursor.execute(_SQL["make_room"], given)
        for first in range(0, events, _STRETCH_EVENTS):
            last = min(first + _STRETCH_EVENTS, events) - 1
            cursor.execute(_SQL["fill"], {**given, "first": first, "last": last})
            show(last + 1, f"{last + 1:,} events")
        cursor.execute(_SQL["set_streams"], given)
        cursor.execute(_SQL["set_head"], given)
        cursor.execute(_SQL["settle"])
        cursor.execute(_SQL["write_down"])


def _measure(server: EmbeddedPostgres, key: str, accounts: list[str], options: Options) -> Size:
    starts = [_start_seconds(server, key) for _ in range(options.runs)]
    with api_only(server=server, key=key) as ledger:
        session = Session(ledger, options, accounts, after=head_of(server.url))
        rates, spent = [], []
        for _ in range(options.runs):
            plan = session.plan("consume_batch", batch=COMMANDS, connections=CONNECTIONS)
            measured = session.load(f"at {session.after:,} events", plan)
            rates.append(measured.result.commands_per_second)
            spent.append(sum(us for part, us in measured.parts.items() if part != GENERATOR))
        resident = ledger.costs()[API].resident_bytes / 1e6
        session.prove(read_models=False)
        return Size(session.after, rates, spent, starts, resident, measured.note)


def _start_seconds(server: EmbeddedPostgres, key: str) -> float:
    with api_only(server=server, key=key) as ledger:
        return ledger.children[0].ready_seconds


def _figures(small: Size, large: Size) -> list[Figure]:
    at, reference = f"at {large.events:,} events", f"at {small.events:,} events"
    return [
        Figure(
            f"batches of 1 000 {at}", unit="commands/s", reference=statistics.median(small.rates),
            reference_name=reference, ratio_target=round(1 / _GROWTH_MAX, 2),
            note=large.note, **spread(large.rates),
        ),
        Figure(
            f"processor time of API and Postgres {at}", unit="µs a command",
            reference=statistics.median(small.spent), reference_name=reference, less_is_better=True,
            ratio_target=_GROWTH_MAX, **spread(large.spent),
        ),
        Figure(
            f"start of the API to ready {at}", unit="s", reference=statistics.median(small.starts),
            reference_name=reference, less_is_better=True, ratio_target=_GROWTH_MAX,
            **spread(large.starts),
        ),
        Figure(
            f"resident memory of the API after the load {at}", large.resident_megabytes, "MB",
            small.resident_megabytes, reference, _RESIDENT_MEGABYTES_MAX, less_is_better=True,
            ratio_target=_GROWTH_MAX,
        ),
    ]  # fmt: skip
