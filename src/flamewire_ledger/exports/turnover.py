"""Reports from the journal: revenue by what it was earned with, volumes by network and asset, and
breakage, month by month.

Postings are followed page by page; what is kept is one sum for each row of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from flamewire_ledger.billing.journal import Entry, Moment
from flamewire_ledger.domain.money import Asset, major_text
from flamewire_ledger.domain.posting import (
    BREAKAGE,
    CREDITS_BREAKAGE,
    DEFERRED_CREDITS,
    SALES,
)
from flamewire_ledger.exports.report import Report, Value, month_of
from flamewire_ledger.exports.writing import Pages

Turnover = Literal["revenue", "volumes", "breakage"]
_INCOME: Final = "income:"
_WALLET: Final = "assets:wallet:"
Subject = tuple[str, ...]  # what a row is about: some columns of it


@dataclass(slots=True)
class _Sum:
    asset: Asset
    into: int = 0
    out: int = 0
    value: int = 0
    unvalued: int = 0  # postings without a recorded price
    postings: int = 0

    def add(self, entry: Entry, sign: int) -> None:
        self.postings += 1
        if sign > 0:
            self.into += entry.amount.units
        else:
            self.out += entry.amount.units
        if entry.value is None:
            self.unvalued += 1
        else:
            self.value += sign * entry.value

    @property
    def net(self) -> int:
        return self.into - self.out


async def turnover(
    name: Turnover,
    journal: Pages,
    moment: Moment,
    count: Callable[[int], None] = lambda entries: None,
) -> Report:
    """One of these reports. `count` is told how many postings were followed, page by page."""
    sums: dict[tuple[str, Subject, str], _Sum] = {}
    async for page in journal.pages():
        count(len(page))
        for entry in page:
            for subject, sign in _sides(name, entry):
                key = (month_of(entry.at), subject, entry.amount.asset.code)
                sums.setdefault(key, _Sum(entry.amount.asset)).add(entry, sign)
    columns, row = _SHAPES[name]
    return Report(
        name,
        moment.position,
        moment.currency.symbol,
        columns,
        [row(*key, sums[key], moment) for key in sorted(sums)],
    )


def _sides(name: Turnover, entry: Entry) -> list[tuple[Subject, int]]:
    """What a posting adds to (+1) or takes from (-1)."""
    match name:
        case "revenue":
            both = [(entry.credit, entry.debit, 1), (entry.debit, entry.credit, -1)]
            return [
                ((account, _earned_with(account, other)), sign)
                for account, other, sign in both
                if account.startswith(_INCOME)
            ]
        case "volumes":
            sides = [(entry.debit, 1), (entry.credit, -1)]
            begun = [(it, sign) for it, sign in sides if it.startswith(_WALLET)]
            return [((account.removeprefix(_WALLET),), sign) for account, sign in begun]
        case "breakage":
            sides = [(entry.debit, 1), (entry.credit, -1)]
            return [((account,), sign) for account, sign in sides if account == CREDITS_BREAKAGE]


def _earned_with(account: str, other: str) -> str:
    """By a sale at once, or with credits that were paid for earlier: burnt, or lapsed."""
    if account == BREAKAGE:
        return "credits_lapsed"
    if account == SALES and other == DEFERRED_CREDITS:
        return "credits_burnt"
    return account.removeprefix(_INCOME)


def _signed(units: int, asset: Asset) -> str:
    text = major_text(abs(units), asset.decimals)
    return f"-{text}" if units < 0 else text


Row = Callable[[str, Subject, str, _Sum, Moment], tuple[Value, ...]]


def _revenue(month: str, by: Subject, code: str, it: _Sum, moment: Moment) -> tuple[Value, ...]:
    value = _signed(it.value, moment.currency)
    return (month, *by, code, _signed(it.net, it.asset), value, it.unvalued)


def _volumes(month: str, by: Subject, code: str, it: _Sum, moment: Moment) -> tuple[Value, ...]:
    value = _signed(it.value, moment.currency)
    into, out = _signed(it.into, it.asset), _signed(it.out, it.asset)
    return (month, *by, code, it.postings, into, out, value, it.unvalued)


def _breakage(month: str, by: Subject, code: str, it: _Sum, moment: Moment) -> tuple[Value, ...]:
    return (month, it.postings, _signed(it.net, it.asset))


_SHAPES: Final[Mapping[Turnover, tuple[tuple[str, ...], Row]]] = {
    "revenue": (
        ("month", "account", "earned_with", "asset", "amount", "value", "unvalued_postings"),
        _revenue,
    ),
    "volumes": (
        ("month", "network", "asset", "postings", "in", "out", "value", "unvalued_postings"),
        _volumes,
    ),
    "breakage": (("month", "lapses", "credits"), _breakage),
}
