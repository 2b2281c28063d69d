"""One command a request, one event a command: what clients get that know nothing of batches.

64 connections send as soon as they were answered, to the API alone, in one process and in two. The
reference is an endpoint that does nothing, in as many processes, asked with the same bytes by the
same generator, in turns with the ledger.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from scripts.benchmarks.empty_endpoint import empty_endpoints
from scripts.benchmarks.figure import Figure, spread
from scripts.benchmarks.load.plan import percentile
from scripts.benchmarks.load.process import run_load
from scripts.benchmarks.load.verify import require_sound
from scripts.benchmarks.measuring import GENERATOR, Measured, Session, prepared
from scripts.benchmarks.options import Options
from scripts.benchmarks.running import RunningLedger, api_only

SECONDS: Final = 8.0
CONNECTIONS: Final = 64
_AIMS: Final = {1: 3_500.0, 2: 4_500.0}
_SHARE_OF_EMPTY: Final = 0.45
_P99_MILLISECONDS_MAX: Final = 100.0
_GENERATOR_US_MAX: Final = 25.0


@dataclass(frozen=True, slots=True)
class Rounds:
    """The ledger and the empty endpoint in turns."""

    ledger: Sequence[Measured]
    empty_rates: Sequence[float]
    empty_p99: Sequence[float]


def run(options: Options) -> list[Figure]:
    figures = []
    for workers, aim in _AIMS.items():
        with api_only(apis=workers) as ledger:
            figures += measure(ledger, options.lasting(SECONDS), aim)
    return figures


def measure(ledger: RunningLedger, options: Options, aim: float) -> list[Figure]:
    session = prepared(ledger, options)
    workers = len(ledger.addresses)
    with empty_endpoints(workers) as addresses:
        rounds = _rounds(session, addresses)
    session.prove(read_models=False)
    name = f"one command a request, {CONNECTIONS} connections, {workers} API process"
    name += "" if workers == 1 else "es"
    rates = [it.result.commands_per_second for it in rounds.ledger]
    middle = sorted(rounds.ledger, key=lambda it: it.result.commands_per_second)[len(rates) // 2]
    p99 = [percentile(it.latencies, 0.99) for it in rounds.ledger]
    spent = [it.parts[GENERATOR] for it in rounds.ledger]
    return [
        Figure(
            name, unit="commands/s", reference=statistics.median(rounds.empty_rates),
            reference_name="an empty endpoint", target=aim, ratio_target=_SHARE_OF_EMPTY,
            note=middle.note, **spread(rates),
        ),
        Figure(
            f"{name}: answer, p99", unit="ms", reference=statistics.median(rounds.empty_p99),
            reference_name="an empty endpoint", target=_P99_MILLISECONDS_MAX, less_is_better=True,
            **spread(p99),
        ),
        Figure(
            f"{name}: processor time of the load generator", unit="µs a command",
            reference=sum(middle.parts.values()), reference_name="of all processes",
            target=_GENERATOR_US_MAX, less_is_better=True, **spread(spent),
        ),
    ]  # fmt: skip


def _rounds(session: Session, addresses: Sequence[tuple[str, int]]) -> Rounds:
    ledger, rates, waited = [], [], []
    for _ in range(session.options.runs):
        given: dict[str, Any] = {"connections": CONNECTIONS}
        ledger.append(session.load("single", session.plan("consume", **given)))
        empty = run_load(session.plan("get", addresses=list(addresses), **given))
        require_sound(empty)
        rates.append(empty.commands_per_second)
        waited.append(1e3 * percentile(empty.measured_latencies(), 0.99))
    return Rounds(ledger, rates, waited)
