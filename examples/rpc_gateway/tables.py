"""The outcome as tables, for people."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from outcome import Check, Outcome
from rich.console import Console
from rich.table import Table


def show(console: Console, outcome: Outcome, checks: list[Check], out: Path) -> None:
    """Print all tables, and keep them as text."""
    tables = [_customers(outcome), _methods(outcome), _revenue(outcome), _funnel(outcome)]
    tables.append(_checks(checks))
    with (out / "tables.txt").open("w") as file:
        for target in (console, Console(file=file, width=110)):
            for table in tables:
                target.print()
                target.print(table)


def _table(title: str, *columns: str, words: int = 1) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < words else "right")
    return table


def _credits(micro: int) -> str:
    return f"{micro // 1_000_000:,}.{micro % 1_000_000 // 10_000:02d}"


def _customers(outcome: Outcome) -> Table:
    table = _table(
        "Customers, in credits",
        "customer", "plan", "calls", "given", "bought", "burnt", "lapsed", "left",
        words=2,
    )  # fmt: skip
    for row in outcome.customers:
        amounts = (row.granted - row.bought, row.bought, row.burnt, row.lapsed, row.left)
        table.add_row(row.name, row.plan, f"{row.calls:,}", *map(_credits, amounts))
    return table


def _methods(outcome: Outcome) -> Table:
    table = _table("Methods", "method", "calls", "credits")
    for method, (calls, micro) in sorted(outcome.methods.items(), key=lambda it: -it[1][1]):
        table.add_row(method, f"{calls:,}", _credits(micro))
    return table


def _revenue(outcome: Outcome) -> Table:
    table = _table("Revenue by asset", "asset", "receipts", "amount", "USD")
    for it in outcome.revenue:
        table.add_row(it.asset, str(it.receipts), f"{it.amount.normalize():f}", f"{it.usd}")
    table.add_section()
    total = sum(it.usd for it in outcome.revenue)
    table.add_row("", str(sum(it.receipts for it in outcome.revenue)), "", f"{total}")
    return table


def _funnel(outcome: Outcome) -> Table:
    table = _table("Payments", "what became of them", "count")
    intents = outcome.intents
    labels = Counter(label for it in intents for label in it["labels"])
    table.add_row("asked for", str(len(intents)))
    table.add_row("paid something", str(sum(1 for it in intents if it["transfers"])))
    table.add_row("succeeded", str(sum(1 for it in intents if it["status"] == "succeeded")))
    table.add_row("expired", str(sum(1 for it in intents if it["status"] == "expired")))
    table.add_section()
    for label, count in sorted(labels.items()):
        table.add_row(f"labelled {label}", str(count))
    return table


def _checks(checks: list[Check]) -> Table:
    table = Table(title="What has to be true", title_justify="left", title_style="bold")
    table.add_column("")
    table.add_column("")
    table.add_column("")
    for it in checks:
        mark = "[green]yes[/]" if it.is_so else "[red]NO[/]"
        table.add_row(mark, it.what, it.detail)
    return table
