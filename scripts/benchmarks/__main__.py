"""`scripts/bench [name …] [--all] [--json]` runs benchmarks; `scripts/bench report FILE …` writes them down.

Without names, and with --all, all of them run but the soak, which has to be named. A benchmark that
fails leaves no figure; the others still run, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from scripts.benchmarks.figure import BenchmarkFailed, Figure
from scripts.benchmarks.machine import description
from scripts.benchmarks.options import Options
from scripts.benchmarks.progress import say
from tests.services.place import ServiceMissing

BENCHMARKS: Final = {
    "batch": "a thousand commands a request, the API alone",
    "everything": "the same with RabbitMQ, read models and processes",
    "single": "one command a request",
    "visible": "from an append to its read model, from a transfer to a paid intent",
    "hot": "everything on one account",
    "growth": "appending, starting and memory at a small log and at a large one",
    "start": "how long until it serves, and what an import costs",
    "append": "commands decided and recorded, without HTTP",
    "project": "events into read models, and rebuilding them",
    "query": "balances asked for",
    "usage": "items of usage taken in, and rated",
    "entitlement": "what an account may use, asked two thousand times a second",
    "price": "the price of a lock, from memory and from Redis",
    "scale": "more writers, each on a partition of its own",
    "peers": "the same work done by others on the same Postgres",
    "memory": "what the API keeps in memory over a large log",
    "signatures": "signatures verified on one core, beside the libraries alone",
    "reconcile": "transfers on the chain, in the wallets and in payments, matched",
}
_WIDE: Final = 250  # where nobody looks, a row stays one line
ALONE: Final = {"soak": "ten minutes of load, with --kill under faults"}


@dataclass(slots=True)
class Outcome:
    """What a run of benchmarks brought."""

    figures: list[tuple[str, Figure]] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


def main(words: Sequence[str] | None = None) -> int:
    parser = _parser()
    given = parser.parse_args(words)
    if given.names[:1] == ["report"]:
        if len(given.names) < 2:
            parser.error("report takes the files that `scripts/bench --json` wrote")
        from scripts.benchmarks.report import write_report  # the figures need no plotting library

        return write_report([Path(name) for name in given.names[1:]])
    # Ended politely, the servers that were started here are ended too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    known = {**BENCHMARKS, **ALONE}
    unknown = [name for name in given.names if name not in known]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]}: choose from {', '.join(known)}")
    machine = description()
    outcome = run(given.names or list(BENCHMARKS), _options(given))
    if given.json:
        json.dump(document(machine, outcome), sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        console = Console(highlight=False, soft_wrap=True)
        wide = console if console.is_terminal else Console(width=_WIDE)
        wide.print(table(outcome))
        for note in notes(outcome):
            console.print(note, markup=False)
    return 1 if outcome.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    default = Options()
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join([*BENCHMARKS, *ALONE]))
    parser.add_argument("--json", action="store_true", help="for programs, on stdout")
    parser.add_argument("--all", action="store_true", help="all of them, as without names")
    parser.add_argument("--seconds", type=float, help="of each measured time")
    parser.add_argument("--runs", type=int, default=default.runs, help="whose median is shown")
    parser.add_argument("--workers", type=int, help="API processes of `flamewire up`")
    parser.add_argument(
        "--accounts", type=int, default=default.accounts, help="to spread load over"
    )
    parser.add_argument("--rate", type=float, help="commands a second, for what has a given rate")
    parser.add_argument(
        "--events", type=int, default=default.large_events, help="growth: the larger log"
    )
    parser.add_argument("--kill", action="store_true", help="soak: kill processes as it goes")
    return parser


def _options(given: argparse.Namespace) -> Options:
    default = Options()
    return Options(
        seconds=given.seconds,
        runs=given.runs,
        workers=given.workers,
        accounts=given.accounts,
        commands_per_second=given.rate,
        kill=given.kill,
        small_events=min(default.small_events, given.events),
        large_events=given.events,
    )


def run(names: Sequence[str], options: Options) -> Outcome:
    """One after the other; what fails is said at once and does not stop the rest."""
    outcome = Outcome()
    for name in names:
        began = time.monotonic()
        say(f"{name}: {({**BENCHMARKS, **ALONE})[name]}")
        try:
            figures = benchmark(name)(options)
        except (BenchmarkFailed, ServiceMissing) as error:
            outcome.failures[name] = str(error)
            say(f"{name} FAILED: {error}")
            continue
        except Exception as error:  # noqa: BLE001 - a fault of one does not cost the others' figures
            outcome.failures[name] = repr(error)
            say(f"{name} FAILED:\n{traceback.format_exc()}")
            continue
        outcome.figures += [(name, figure) for figure in figures]
        say(f"{name}: {len(figures)} figures in {time.monotonic() - began:.0f} s")
    return outcome


def benchmark(name: str) -> Callable[[Options], list[Figure]]:
    """A benchmark's `run`; those that always measure the same take no options."""
    found: Callable[..., list[Figure]] = importlib.import_module(f"scripts.benchmarks.{name}").run
    if inspect.signature(found).parameters:
        return found
    return lambda options: found()


def document(machine: dict[str, str], outcome: Outcome) -> dict[str, Any]:
    """What a program reads, and what `report` writes down."""
    rows = [
        {
            "benchmark": name,
            **asdict(each),
            "ratio": each.ratio,
            "aim": each.aim,
            "is_met": each.is_met,
        }
        for name, each in outcome.figures
    ]
    return {"machine": machine, "figures": rows, "failures": outcome.failures}


def table(outcome: Outcome) -> Table:
    """For people; what has to be known beside a figure is in `notes`."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("figure", "value", "unit", "aim", "reference", "its value", "ratio"):
        side = "left" if column in ("figure", "unit", "reference") else "right"
        shown.add_column(column, justify=side, overflow="fold")  # type: ignore[arg-type]
    for _, each in outcome.figures:
        missed = "  missed" if each.is_met is False else ""
        shown.add_row(
            each.name,
            number(each.value),
            each.unit,
            each.aim + missed,
            each.reference_name,
            number(each.reference),
            f"{each.ratio:,.2f}",
        )
    return shown


def notes(outcome: Outcome) -> list[str]:
    """What has to be known of figures: where processor time went, how long answers took."""
    return [f"{each.name}: {each.note}" for _, each in outcome.figures if each.note]


def number(value: float) -> str:
    return f"{value:,.3g}" if value < 100 else f"{value:,.0f}"


if __name__ == "__main__":
    sys.exit(main())
