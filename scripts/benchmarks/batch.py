"""POST /v1/batch with a thousand commands, the API alone: what the writing side can take in, sustained.

Connections send as soon as they were answered. Nobody reads the events: `everything` has that.
"""

from __future__ import annotations

from typing import Final

from scripts.benchmarks.figure import Figure
from scripts.benchmarks.insert_reference import COMMANDS, NAME, InsertReference
from scripts.benchmarks.load.plan import Work
from scripts.benchmarks.measuring import Session, prepared, sustained
from scripts.benchmarks.options import Options
from scripts.benchmarks.running import RunningLedger, api_only

SECONDS: Final = 60.0
CONNECTIONS: Final = 4
_REFERENCE_SECONDS_MAX: Final = 5.0
_AIMS: Final[tuple[tuple[Work, str, float], ...]] = (
    ("consume_batch", "consume, one event each", 20_000),
    ("payment_batch", "payment intents, three events each", 8_000),
)


def run(options: Options) -> list[Figure]:
    with api_only() as ledger:
        return measure(ledger, options.lasting(SECONDS))


def measure(ledger: RunningLedger, options: Options) -> list[Figure]:
    session = prepared(ledger, options)
    figures = [_sustained(session, work, name, aim) for work, name, aim in _AIMS]
    session.prove(read_models=False)
    return figures


def _sustained(session: Session, work: Work, name: str, aim: float) -> Figure:
    plan = session.plan(work, batch=COMMANDS, connections=CONNECTIONS)
    measured = session.load(f"batch, {name}", plan)
    return Figure(
        f"batches of 1 000, API only: {name}",
        unit="commands/s",
        reference=insert_rate(session),
        reference_name=NAME,
        target=aim,
        note=measured.note,
        **sustained(measured.result),
    )


def insert_rate(session: Session) -> float:
    """Postgres alone, with the rows of the commands that were recorded last."""
    seconds = min(_REFERENCE_SECONDS_MAX, session.options.measured_seconds)
    with InsertReference(session.ledger.database_url) as reference:
        return reference.commands_per_second(seconds)
