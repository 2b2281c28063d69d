"""`scripts/bench [name …] [--json]`: run benchmarks and print them."""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
from dataclasses import asdict
from typing import Final

from rich.console import Console
from rich.table import Table

from scripts.benchmarks.figure import Figure

BENCHMARKS: Final = {
    "start": "how long until it serves, and what an import costs",
    "append": "commands decided and recorded",
    "project": "events into read models, and rebuilding them",
    "peers": "the same work done by others on the same Postgres",
    "memory": "what the API keeps in memory over a large log",
}
words = Console(stderr=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument("--json", action="store_true", help="for programs, on stdout")
    parser.add_argument("--all", action="store_true", help="all of them, as without names")
    given = parser.parse_args()
    unknown = sorted(set(given.names) - BENCHMARKS.keys())
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]}: choose from {', '.join(BENCHMARKS)}")
    figures: list[Figure] = []
    for name in given.names or BENCHMARKS:
        with words.status(f"{name}: {BENCHMARKS[name]}"):
            figures += importlib.import_module(f"scripts.benchmarks.{name}").run()
    if given.json:
        rows = [{**asdict(each), "ratio": each.ratio, "is_met": each.is_met} for each in figures]
        json.dump(
            {"python": platform.python_version(), "machine": platform.machine(), "figures": rows},
            sys.stdout,
        )
        sys.stdout.write("\n")
    else:
        Console().print(_table(figures))
    return 0


def _table(figures: list[Figure]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("figure", "value", "unit", "aim", "reference", "its value", "ratio"):
        table.add_column(
            column, justify="left" if column in ("figure", "unit", "reference") else "right"
        )
    for each in figures:
        sign = "≤" if each.less_is_better else "≥"
        aim = (
            ""
            if each.target is None
            else f"{sign} {each.target:,.6g}{'' if each.is_met else '  missed'}"
        )
        reference = f"{each.reference:,.6g}" if each.reference < 100 else f"{each.reference:,.0f}"
        value = f"{each.value:,.3f}" if each.value < 100 else f"{each.value:,.0f}"
        table.add_row(
            each.name, value, each.unit, aim, each.reference_name, reference, f"{each.ratio:,.2f}"
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
