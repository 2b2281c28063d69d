"""The comparison: this file holds who is compared with whom, what we aim for, and the rounds they run in."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Final, TypeAlias

from flamewire_ledger.cli.embedded_postgres import EmbeddedPostgres
from scripts.benchmarks.figure import BenchmarkFailed, Figure
from scripts.benchmarks.options import Options
from scripts.benchmarks.peers import ledger, others, postgres
from scripts.benchmarks.peers.contender import Contender, Measured, PeerMissing, measure
from scripts.benchmarks.servers import postgres_server

_SECONDS: Final = 4.0
_WARM_UP_SECONDS: Final = 1.5

Group: TypeAlias = Callable[[EmbeddedPostgres], AbstractContextManager[list[Contender]]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`keys` are those of contenders; `at_least` is our rate over theirs."""

    name: str
    ours: str
    theirs: str
    at_least: float | None


@dataclass(frozen=True, slots=True)
class Runs:
    """What came of one contender, or why nothing did."""

    label: str
    measured: tuple[Measured, ...] = ()
    fault: str = ""

    @property
    def rates(self) -> list[float]:
        return [each.transfers_a_second for each in self.measured]

    @property
    def processor_us(self) -> float:
        return statistics.median(each.processor_us for each in self.measured)


COMPARISONS: Final = (
    Comparison("consume over HTTP", "ledger", "eventsourcing transfer", 10),
    Comparison("consume over HTTP", "ledger", "eventsourcing save", 10),
    Comparison("consume over HTTP", "ledger", "hordak 1", 8),
    Comparison("consume over HTTP", "ledger", "emmett 1", 3),
    Comparison("batches of 1 000", "ledger 1000", "eventsourcing transfer 100", 3),
    Comparison("batches of 1 000", "ledger 1000", "eventsourcing save 100", 3),
    Comparison("batches of 1 000", "ledger 1000", "eventsourcing record 100", None),
    Comparison("batches of 1 000", "ledger 1000", "hordak 1000", 8),
    Comparison("batches of 100", "ledger 100", "emmett 100", 1.2),
    Comparison("batches of 1 000", "ledger 1000", "postgres", 0.15),
)
# By the first word of their contenders' keys; ours is the first, because pgbench asks it for sizes.
GROUPS: Final[dict[str, Group]] = {
    "ledger": ledger.contenders,
    "eventsourcing": others.eventsourcing,
    "hordak": others.hordak,
    "emmett": others.emmett,
    "postgres": lambda server: postgres.contenders(server, lambda: ledger.row_bytes(server)),
}


def compare(options: Options) -> list[Figure]:
    """All of it, on one server."""
    seconds = options.lasting(_SECONDS).measured_seconds
    with postgres_server() as server:
        return figures(run_all(server, GROUPS, seconds, options.runs))


def run_all(
    server: EmbeddedPostgres, groups: dict[str, Group], seconds: float, rounds: int
) -> dict[str, Runs]:
    """Runs by key, in turns: what the machine does meanwhile, it does to all. The first round warms up.

    A group that cannot start is there under its own name, with its fault.
    """
    found: dict[str, Runs] = {}
    with ExitStack() as stack:
        contenders: list[Contender] = []
        for name, group in groups.items():
            try:
                contenders += stack.enter_context(group(server))
            except (PeerMissing, BenchmarkFailed) as error:
                found[name] = Runs(name, fault=str(error))
        found |= {each.key: Runs(each.label) for each in contenders}
        for number in range(rounds + 1):
            for contender in contenders:
                if found[contender.key].fault:
                    continue
                length = seconds if number else min(seconds, _WARM_UP_SECONDS)
                found[contender.key] = _ran(contender, found[contender.key], length, bool(number))
    return found


def _ran(contender: Contender, before: Runs, seconds: float, counts: bool) -> Runs:
    try:
        measured = measure(contender, seconds)
    except BenchmarkFailed as error:
        return Runs(before.label, fault=str(error))
    return Runs(before.label, (*before.measured, measured)) if counts else before


def figures(
    found: dict[str, Runs], comparisons: Sequence[Comparison] = COMPARISONS
) -> list[Figure]:
    """A row a comparison. One of a contender that failed is a row that missed, and says why."""
    return [_figure(each, _of(found, each.ours), _of(found, each.theirs)) for each in comparisons]


def _figure(comparison: Comparison, ours: Runs, theirs: Runs) -> Figure:
    faults = [f"{runs.label}: {runs.fault}" for runs in (ours, theirs) if runs.fault]
    if faults:
        return Figure(
            comparison.name, 0.0, "commands/s", 0.0, f"{theirs.label}: no figure",
            ratio_target=comparison.at_least or 0.01, note="; ".join(faults),
        )  # fmt: skip
    return Figure(
        comparison.name,
        statistics.median(ours.rates),
        "commands/s",
        statistics.median(theirs.rates),
        theirs.label,
        ratio_target=comparison.at_least,
        low=min(ours.rates),
        high=max(ours.rates),
        note=f"{ours.processor_us:.0f} µs of processor time each, theirs {theirs.processor_us:.0f}"
        f" at {min(theirs.rates):,.0f} – {max(theirs.rates):,.0f}/s",
    )


def _of(found: dict[str, Runs], key: str) -> Runs:
    return found.get(key) or found.get(key.split()[0]) or Runs(key, fault="it never ran.")
