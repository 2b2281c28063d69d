"""The outcome as tables, for people."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.table import Table

from month.outcome import Check, Outcome, funnel


def show(console: Console, outcome: Outcome, checks: list[Check], out: Path) -> None:
    """Print all tables, and keep them as text."""
    tables = [_customers(outcome), _methods(outcome), _volumes(out), _revenue(out)]
    tables += [_invoices(outcome), _funnel(outcome), _checks(checks)]
    with (out / "tables.txt").open("w") as file:
        for target in (console, Console(file=file, width=130)):
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
        "customer", "plan", "calls", "included", "bought", "burnt", "lapsed", "left",
        words=2,
    )  # fmt: skip
    for row in outcome.customers:
        amounts = (row.granted - row.bought, row.bought, row.burnt, row.lapsed, row.left)
        table.add_row(row.name, row.plan, f"{row.calls:,}", *map(_credits, amounts))
    return table


def _methods(outcome: Outcome) -> Table:
    table = _table("Methods", "method", "calls")
    for method, calls in sorted(outcome.methods.items(), key=lambda it: -it[1]):
        table.add_row(method, f"{calls:,}")
    return table


def _volumes(out: Path) -> Table:
    """The ledger's own report. The worth is of what stayed."""
    rows = json.loads((out / "reports" / "volumes.json").read_text())["rows"]
    table = _table("Wallets", "month", "asset", "in", "out", "USD", words=2)
    for row in rows:
        moved = (f"{Decimal(row[side]).normalize():f}" for side in ("in", "out"))
        table.add_row(row["month"], row["asset"], *moved, row["value"])
    return table


def _revenue(out: Path) -> Table:
    """The ledger's own report."""
    rows = json.loads((out / "reports" / "revenue.json").read_text())["rows"]
    table = _table("Revenue", "month", "earned with", "asset", "amount", "USD", words=3)
    for row in rows:
        amount = f"{Decimal(row['amount']).normalize():f}"
        words = row["earned_with"].replace("_", " ")
        table.add_row(row["month"], words, row["asset"], amount, row["value"])
    return table


def _invoices(outcome: Outcome) -> Table:
    table = _table("Invoices", "number", "for", "total", "paid", "credited", "status", words=2)
    for it in sorted(outcome.invoices, key=lambda it: str(it["number"])):
        status = "overdue" if it["is_overdue"] else it["status"]
        amounts = (it["total"], it["amount_paid"], it["amount_credited"])
        table.add_row(it["number"], it["lines"][0]["description"], *amounts, status)
    return table


def _funnel(outcome: Outcome) -> Table:
    table = _table("Payments", "what became of them", "count")
    labels = Counter(label for it in outcome.intents for label in it["labels"])
    for step, count in funnel(outcome):
        table.add_row(step, str(count))
    table.add_section()
    for label, count in sorted(labels.items()):
        table.add_row(f"labelled {label}", str(count))
    return table


def _checks(checks: list[Check]) -> Table:
    table = _table("What has to be true", "", "", "", words=3)
    table.show_header = False
    for it in checks:
        mark = "[green]yes[/]" if it.is_so else "[red]NO[/]"
        table.add_row(mark, it.what, it.detail)
    return table
