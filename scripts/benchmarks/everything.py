"""The same commands with all of it running: API, RabbitMQ, relay, every read model, processes, sandbox.

What an API can take in says little when those who read cannot keep up. So the load is held back
whenever the slowest read model is more than half a second behind, and goes on when it is not: the
figure is what the whole ledger takes in while nobody ever waits for an answer that is a second old.
"""

from __future__ import annotations

import time
from typing import Any, Final

import psycopg

from scripts.benchmarks.batch import CONNECTIONS, SECONDS, insert_rate
from scripts.benchmarks.figure import Figure
from scripts.benchmarks.insert_reference import COMMANDS, NAME
from scripts.benchmarks.load.plan import Work
from scripts.benchmarks.load.process import LoadProcess
from scripts.benchmarks.load.verify import Lag, lag_of
from scripts.benchmarks.measuring import Session, prepared, sustained
from scripts.benchmarks.options import Options
from scripts.benchmarks.running import RunningLedger, everything

LAG_SECONDS_MAX: Final = 1.0
_HELD_BACK_AT_SECONDS: Final = 0.5
_AIMS: Final[tuple[tuple[Work, str, float], ...]] = (
    ("consume_batch", "consume, one event each", 10_000),
    ("payment_batch", "payment intents, three events each", 4_000),
)


class Governor:
    """Holds a load back while the read models are behind; remembers the worst it saw."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._is_held = False
        self.worst = self.last = Lag(0, 0.0)

    def __call__(self, load: LoadProcess) -> None:
        self.last = lag_of(self._connection)
        if load.phase == "measuring" and self.last.seconds > self.worst.seconds:
            self.worst = self.last
        is_behind = self.last.seconds > _HELD_BACK_AT_SECONDS
        if is_behind != self._is_held:
            load.tell("pause" if is_behind else "resume")
            self._is_held = is_behind


def run(options: Options) -> list[Figure]:
    with everything(workers=options.workers) as ledger:
        return measure(ledger, options.lasting(SECONDS))


def measure(ledger: RunningLedger, options: Options) -> list[Figure]:
    session = prepared(ledger, options)
    figures = [each for row in _AIMS for each in _sustained(session, *row)]
    session.prove(read_models=True)
    return figures


def _sustained(session: Session, work: Work, name: str, aim: float) -> list[Figure]:
    plan = session.plan(work, batch=COMMANDS, connections=CONNECTIONS)
    with psycopg.connect(session.ledger.database_url, autocommit=True) as connection:
        governor = Governor(connection)
        measured = session.load(f"everything, {name}", plan, governor)
        last = lag_of(connection)
        began = time.monotonic()
        while lag_of(connection).events:
            time.sleep(0.005)
        caught_up = time.monotonic() - began
    lag = (
        f"lag in the end {last.events:,} events, {last.seconds:.2f} s, gone {caught_up:.2f} s later"
    )
    reference = insert_rate(session)
    return [
        Figure(
            f"batches of 1 000, everything running: {name}",
            unit="commands/s",
            reference=reference,
            reference_name=NAME,
            target=aim,
            note=f"{measured.note}; {lag}",
            **sustained(measured.result),
        ),
        Figure(
            f"lag of the slowest read model in the end: {name}",
            last.seconds,
            "s",
            governor.worst.seconds,
            "the worst of the run",
            LAG_SECONDS_MAX,
            less_is_better=True,
        ),
    ]
