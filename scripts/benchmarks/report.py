"""`scripts/bench report FILE …`: what `scripts/bench --json` measured, as a page and a picture.

docs/reference/performance.md keeps its own words; what is between the two marks is written here, and
performance.svg beside it. Of several files the last that has a benchmark says its figures, so that what
runs for ten minutes need not run again with all the others.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from scripts.benchmarks.chart import draw
from scripts.benchmarks.load.process import ROOT

PAGE: Final = ROOT / "docs" / "reference" / "performance.md"
PICTURE: Final = "performance.svg"
BEGIN: Final = "<!-- figures: written by scripts/bench report -->"
END: Final = "<!-- end of figures -->"
_HEADINGS: Final = {
    "batch": "A thousand commands a request, the API alone",
    "everything": "A thousand commands a request, everything running",
    "single": "One command a request",
    "visible": "How long until it is seen",
    "hot": "One hot account",
    "growth": "A small log and a large one",
    "start": "Starting",
    "append": "Commands without HTTP",
    "project": "Read models",
    "query": "Queries",
    "usage": "Usage",
    "entitlement": "Entitlements",
    "price": "Prices",
    "scale": "More writers",
    "peers": "Peers",
    "memory": "Memory",
    "signatures": "Signatures",
    "reconcile": "Reconciliation",
    "soak": "Soak",
}

# What all figures of a page have in common.
_SAME: Final = ("processor", "cores", "memory", "system", "python")


def write_report(files: Sequence[Path], page: Path = PAGE) -> int:
    """Put the figures of those files into the page, and the picture beside it; the exit code."""
    machine: dict[str, str] = {}
    by_benchmark: dict[str, list[dict[str, Any]]] = {}
    failures: dict[str, str] = {}
    for file in files:
        try:
            measured = json.loads(file.read_text())
            found = {
                name: list(rows)
                for name, rows in groupby(measured["figures"], key=lambda it: str(it["benchmark"]))
            }
            machine = machine or measured["machine"]
            others = [it for it in _SAME if measured["machine"][it] != machine[it]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            sys.stderr.write(f"{file} is not what `scripts/bench --json` writes: {error!r}\n")
            return 2
        if others:  # the page says one of each
            what = " and ".join(others)
            sys.stderr.write(f"{file} was measured with another {what} than {files[0]}\n")
            return 2
        failed = measured.get("failures", {})
        kept = {name: why for name, why in failures.items() if name not in found}
        by_benchmark, failures = {**by_benchmark, **found}, {**kept, **failed}
    figures = [row for rows in by_benchmark.values() for row in rows]
    text = page.read_text()
    before, mark, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        sys.stderr.write(f"{page} has no place for figures: it needs the lines {BEGIN} and {END}\n")
        return 2
    body = rendered(machine, figures, failures)
    page.write_text(f"{before}{BEGIN}\n\n{body}\n{END}{after}")
    draw(figures, machine_in_words(machine), page.with_name(PICTURE))
    return 0


def rendered(
    machine: dict[str, str], figures: Sequence[dict[str, Any]], failures: dict[str, str]
) -> str:
    """All tables, with what has to be known of each figure below them."""
    aimed = [each for each in figures if each["is_met"] is not None]
    met = sum(bool(each["is_met"]) for each in aimed)
    parts = [
        f"Measured {machine_in_words(machine)}. {met} of {len(aimed)} aims are met.",
        f"![Each figure against its aim]({PICTURE})",
    ]
    for name, rows in groupby(figures, key=lambda each: str(each["benchmark"])):
        parts.append(f"### {_HEADINGS.get(name, name)}")
        parts.append(_table(list(rows)))
    parts += [f"**{name} failed:** {reason}" for name, reason in failures.items()]
    return "\n\n".join(parts) + "\n"


def machine_in_words(machine: dict[str, str]) -> str:
    return (
        f"{machine['date']} on {machine['cores']} cores ({machine['processor']}), "
        f"{machine['memory']} of memory, {machine['system']}, Python {machine['python']}, fsync on; "
        f"load of the machine before: {machine['load_before']}"
    )


def _table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| figure | measured | aim | reference, in the same run | ratio |",
        "|---|---|---|---|---|",
    ]
    notes = []
    for row in rows:
        sign = ""
        if row["note"]:
            notes.append(row["note"])
            sign = f" [{len(notes)}]"
        lines.append(
            f"| {_cell(row['name'])}{sign} | {_value(row)} | {_aim(row)} "
            f"| {_cell(row['reference_name'])}: {number(row['reference'])} | {row['ratio']:,.2f} |"
        )
    listed = "\n".join(f"[{place}] {note}  " for place, note in enumerate(notes, 1))
    return "\n".join(lines) + (f"\n\n{listed}" if listed else "")


def _value(row: dict[str, Any]) -> str:
    spread = ""
    if row["low"] is not None and row["low"] != row["high"]:
        spread = f" ({number(row['low'])} – {number(row['high'])})"
    return f"{number(row['value'])} {row['unit']}{spread}"


def _aim(row: dict[str, Any]) -> str:
    return str(row["aim"]) + (" **missed**" if row["is_met"] is False else "")


def _cell(text: Iterable[str]) -> str:
    return "".join(text).replace("|", "\\|")


def number(value: float) -> str:
    """Three digits that count, with thin groups of thousands."""
    if abs(value) >= 1_000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"
