"""After a run: is every acknowledged command in the store, exactly once, as it was asked for, and in the
read models? Anything else makes the benchmark fail: a figure of commands that are not there is none.

Commands whose answer nobody got (abandoned after all tries) may be in the store, once: they are
looked up first, and what is there is checked like the rest.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import psycopg

from flamewire_ledger.api.idempotency import command_of
from flamewire_ledger.store.statements import read_statements
from scripts.benchmarks.figure import BenchmarkFailed
from scripts.benchmarks.load.commands import PAYMENT_AMOUNT
from scripts.benchmarks.load.plan import Plan, Result, units_of

_SQL: Final = {
    name: statement.query
    for name, statement in read_statements(Path(__file__).with_name("verify.sql")).items()
}
_STORE_CHECKS: Final = (
    "acknowledged_twice",
    "command_missing",
    "position_wrong",
    "events_wrong",
    "event_unasked",
    "event_altered",
    "position_missing",
)
_READ_MODEL_CHECKS: Final = ("balance_wrong", "entries_wrong", "payment_wrong")
_CATCH_UP_SECONDS_MAX: Final = 600.0
_TYPES: Final = {
    "consume": "credit_account.consumed.v1",
    "consume_batch": "credit_account.consumed.v1",
    "payment_batch": "payment.requested.v1",
}


class NotAsAcknowledged(BenchmarkFailed):
    """What is in the database is not what the generator was told."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the slowest read model is behind the store."""

    events: int
    seconds: float  # the age of the oldest event that it lacks


@dataclass(frozen=True, slots=True)
class Verified:
    commands: int
    found_unanswered: int  # of those that were abandoned


def head_of(url: str) -> int:
    """The last position recorded."""
    with psycopg.connect(url, autocommit=True) as connection:
        return int(_one(connection, "head")[0])


def lag_of(connection: psycopg.Connection[Any]) -> Lag:
    """Now. The connection is to be in autocommit mode, or it would see the past."""
    events, seconds = _one(connection, "lag")
    return Lag(int(events), float(seconds))


def checkpoints_of(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """How far each live read model has come."""
    return dict(connection.execute(_SQL["checkpoints"]).fetchall())


def recorded_at(
    connection: psycopg.Connection[Any], after: int, until: int
) -> Sequence[tuple[int, float]]:
    """When the events of a stretch of positions were recorded, in seconds since the epoch."""
    return connection.execute(_SQL["recorded_at"], {"after": after, "until": until}).fetchall()


def detected_at(connection: psycopg.Connection[Any], payments: Sequence[str]) -> dict[str, float]:
    """When the first transfer to each of these payments was recorded as seen."""
    return dict(connection.execute(_SQL["detected_at"], {"streams": payments}).fetchall())


def wait_until_projected(url: str, seconds_max: float = _CATCH_UP_SECONDS_MAX) -> float:
    """The seconds it took until every read model had everything; BenchmarkFailed when it does not come."""
    began = time.monotonic()
    with psycopg.connect(url, autocommit=True) as connection:
        while (lag := lag_of(connection)).events > 0:
            if time.monotonic() - began > seconds_max:
                raise BenchmarkFailed(
                    f"after {seconds_max:g} s, read models lack {lag.events:,} events"
                )
            time.sleep(0.01)
    return time.monotonic() - began


def verify(url: str, results: Sequence[Result], *, after: int, read_models: bool) -> Verified:
    """Compare all that was acknowledged by these runs with all that was recorded after a position.

    Raises NotAsAcknowledged with every check that failed. The read models have to be up to date.
    """
    checks = (*_STORE_CHECKS, *(_READ_MODEL_CHECKS if read_models else ()))
    with psycopg.connect(url) as connection:
        _fill(connection, "make_acknowledged", "fill_acknowledged", _acknowledged(results))
        answered = sum(result.acknowledged for result in results)
        _fill(connection, "make_unknown", "fill_unknown", _unknown(results))
        found = connection.execute(_SQL["acknowledge_unknown"]).rowcount
        connection.execute(_SQL["analyze_acknowledged"])
        wrong = []
        for name in checks:
            row = connection.execute(_SQL[name], {"after": after}).fetchone()
            count, example = row if row is not None else (0, None)
            if count:
                wrong.append(f"{name}: {count:,}, such as {example}")
    if wrong:
        raise NotAsAcknowledged(f"of {answered:,} acknowledged commands, " + "; ".join(wrong))
    return Verified(answered, found)


def require_sound(result: Result) -> None:
    """Refusals and what was dropped are faults of the measurement: raises BenchmarkFailed."""
    if result.refused:
        raise BenchmarkFailed(f"commands were refused: {result.refusal} ({result.refused})")
    if result.dropped_requests:
        raise BenchmarkFailed(
            f"{result.dropped_requests:,} requests were due and never came to be sent"
        )
    if not result.acknowledged:
        raise BenchmarkFailed("nothing was acknowledged")


def _acknowledged(results: Sequence[Result]) -> Iterator[tuple[Any, ...]]:
    for result in results:
        plan, ids = result.plan, iter(result.ids)
        for request, positions in result.positions_by_request():
            first = request * plan.batch
            for number, position in enumerate(positions, first):
                payment = next(ids) if result.ids else None
                command, units, events, kind = _expected(plan, number)
                yield command, position, payment or plan.account_of(number), units, events, kind


def _unknown(results: Sequence[Result]) -> Iterator[tuple[Any, ...]]:
    for result in results:
        for request in result.abandoned:
            first = request * result.plan.batch
            for number in range(first, first + result.plan.batch):
                yield _expected(result.plan, number)


def _expected(plan: Plan, number: int) -> tuple[UUID, int, int, str]:
    """The id, units, events and first type of a command."""
    units = PAYMENT_AMOUNT[2] if plan.work == "payment_batch" else units_of(number)
    command = command_of(plan.merchant_id, plan.command_key(number))
    return command, units, plan.events_each, _TYPES[plan.work]


def _fill(
    connection: psycopg.Connection[Any], make: str, fill: str, rows: Iterator[tuple[Any, ...]]
) -> None:
    connection.execute(_SQL[make])
    types = ["uuid", "int8", "text", "int8", "int4", "text"]
    with connection.cursor().copy(_SQL[fill]) as copy:
        copy.set_types(types if make == "make_acknowledged" else ["uuid", "int8", "int4", "text"])
        for row in rows:
            copy.write_row(row)


def _one(connection: psycopg.Connection[Any], name: str) -> tuple[Any, ...]:
    row = connection.execute(_SQL[name]).fetchone()
    if row is None:
        raise BenchmarkFailed("this database is no ledger: it has no partition")
    return tuple(row)
