"""A report: named columns and rows of plain values, the same as JSON and as CSV; and the months they are in."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias, get_args

from flamewire_ledger.exports.text import cell

Name: TypeAlias = Literal[
    "revenue", "volumes", "funnel", "finality", "breakage", "mrr", "exceptions"
]
NAMES: Final[tuple[Name, ...]] = get_args(Name)
SENTENCES: Final[Mapping[Name, str]] = {
    "revenue": "Income month by month, account by account, with its value.",
    "volumes": "What came into the wallets month by month, by network and asset.",
    "funnel": "Payments that were asked for, seen, paid, expired, month by month.",
    "finality": "Seconds from a transfer's first sight to its confirmation, in percentiles.",
    "breakage": "Credits that lapsed unspent, month by month.",
    "mrr": "Recurring revenue of the subscriptions that run, a month.",
    "exceptions": "Money and questions that wait for a person, by age.",
}
assert tuple(SENTENCES) == NAMES
BUCKETS: Final = ("under 1 d", "under 7 d", "under 30 d", "under 90 d", "90 d and more")
Value: TypeAlias = str | int | None


@dataclass(frozen=True, slots=True)
class Report:
    """Amounts are text in major units. The same position gives the same report, to the byte."""

    name: Name
    as_of: int
    currency: str  # of values
    columns: tuple[str, ...]
    rows: Sequence[tuple[Value, ...]]

    def as_data(self) -> dict[str, Any]:
        """What the API answers."""
        return {
            "object": "report",
            "report": self.name,
            "as_of": self.as_of,
            "currency": self.currency,
            "columns": list(self.columns),
            "rows": [dict(zip(self.columns, row, strict=True)) for row in self.rows],
        }


def as_csv(report: Mapping[str, Any]) -> str:
    """Of a report as answered."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(report["columns"])
    writer.writerows([cell(row[name]) for name in report["columns"]] for row in report["rows"])
    return text.getvalue()


def month_of(at: datetime) -> str:
    """2026-11, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m")
