"""`python -m tests.simulation [seed] [--actions N]`: one run, printed. Exit 0, or 1 and the rule."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.simulation.broken import Broken
from tests.simulation.world import ACTIONS, Report, any_seed, simulate


def main() -> int:
    """Run from a seed, which is random where none is given."""
    parser = argparse.ArgumentParser(prog="scripts/simulate", description=__doc__)
    parser.add_argument("seed", nargs="?", type=int, help="the same seed gives the same run")
    parser.add_argument("--actions", type=int, default=ACTIONS, help="how much happens in it")
    given = parser.parse_args()
    seed = any_seed() if given.seed is None else given.seed
    print(f"seed {seed}, {given.actions} actions")
    began = time.monotonic()
    try:
        report = simulate(seed, given.actions)
    except Broken as broken:
        print(f"BROKEN: {broken.rule}\n  {broken.shown_by}")
        print("\n".join(f"  {line}" for line in broken.history))
        print(f"again: scripts/simulate {seed} --actions {given.actions}")
        return 1
    print_report(report, time.monotonic() - began)
    return 0


def print_report(report: Report, seconds: float) -> None:
    """A table a person reads."""
    for title, counts in (
        ("faults", report.faults),
        ("requests", report.requests),
        ("payers", report.payers),
        ("payments", report.statuses),
    ):
        print_counts(title, counts)
    print(f"events    {len(report.events)}, {report.digest[:16]}")
    print(f"time      {report.virtual_seconds:.0f} s in {seconds:.1f} s")
    print("everything holds")


def print_counts(title: str, counts: Counter[str]) -> None:
    """One line a name, the most frequent first."""
    print(f"{title:<9} {counts.total()}")
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        print(f"  {count:>7}  {name}")


if __name__ == "__main__":
    sys.exit(main())
