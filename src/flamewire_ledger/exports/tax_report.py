"""The report of tax lots: a year's disposals, line by line as on Form 8949 and 1099-DA, and what is left.

CARF asks for the kind of each disposal and its market value, which are the columns `kind` and `proceeds`.
Reversals by a chain and moves between wallets are no disposals, and not in it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from flamewire_ledger.billing.journal import Moment
from flamewire_ledger.billing.lots import Match, Method, Open, Scope
from flamewire_ledger.billing.tax import NOTICE, TaxBooks
from flamewire_ledger.domain.money import Asset, major_text
from flamewire_ledger.exports.text import cell
from flamewire_ledger.exports.writing import Pages

LOTS_MAX: Final = 100_000
COLUMNS: Final = (
    "description", "date_acquired", "date_disposed", "proceeds", "cost_basis", "gain", "term", "asset",
    "units", "amount", "wallet", "kind", "disposal_id", "lot_id",
)  # fmt: skip


async def tax_report(
    journal: Pages,
    moment: Moment,
    *,
    year: int,
    method: Method,
    scope: Scope,
    with_lots: bool = False,
    count: Callable[[int], None] = lambda entries: None,
) -> dict[str, Any]:
    """The report as plain values. `count` is told how many postings were followed, page by page."""
    books = TaxBooks.by(method, scope)
    decimals: dict[str, int] = {}
    matches: list[Match] = []
    async for page in journal.pages():
        count(len(page))
        for entry in page:
            asset = entry.amount.asset
            decimals[asset.code] = asset.decimals
            found = list(books.post(entry))
            if entry.at.astimezone(UTC).year == year:
                matches += found
    lines = [_line(match, moment.currency, decimals) for match in matches]
    lots = None
    if with_lots:
        left = islice(books.lots.open_lots(), LOTS_MAX)
        lots = [_lot(it, moment.currency, decimals) for it in left]
    return {
        "object": "tax_lots",
        "notice": NOTICE,
        "year": year,
        "method": method,
        "scope": scope,
        "currency": moment.currency.symbol,
        "as_of": moment.position,
        "disposals": lines,
        "totals": [_total(term, matches, moment.currency) for term in ("short", "long")],
        "is_partial": any(match.gain is None for match in matches),
        "lots": lots,
    }


def as_csv(report: Mapping[str, Any]) -> str:
    """The lines alone, under the names of their columns; the notice is the last line."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows([cell(line[name]) for name in COLUMNS] for line in report["disposals"])
    text.write(f"# {report['notice']}\n")
    return text.getvalue()


def _line(match: Match, currency: Asset, decimals: Mapping[str, int]) -> dict[str, Any]:
    disposal, lot = match.disposal, match.lot
    asset = Asset(disposal.asset, decimals[disposal.asset])
    amount = major_text(match.units, asset.decimals)
    return {
        "description": f"{amount} {asset.symbol}",
        "date_acquired": None if lot is None else _day(lot.acquired_at),
        "date_disposed": _day(disposal.disposed_at),
        "proceeds": _money(match.proceeds, currency),
        "cost_basis": _money(match.cost, currency),
        "gain": _money(match.gain, currency),
        "term": match.term,
        "asset": asset.code,
        "units": str(match.units),
        "amount": amount,
        "wallet": disposal.wallet,
        "kind": disposal.kind,
        "disposal_id": disposal.id,
        "lot_id": None if lot is None else lot.id,
    }


def _lot(it: Open, currency: Asset, decimals: Mapping[str, int]) -> dict[str, Any]:
    return {
        "lot_id": it.lot.id,
        "asset": it.lot.asset,
        "wallet": it.lot.wallet,
        "acquired_at": it.lot.acquired_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "units": str(it.units),
        "amount": major_text(it.units, decimals[it.lot.asset]),
        "cost_basis": _money(it.cost, currency),
    }


def _total(term: str, matches: Sequence[Match], currency: Asset) -> dict[str, Any]:
    """Of what has a gain: a line without a recorded price is in no sum."""
    told = [match for match in matches if match.term == term and match.gain is not None]
    return {
        "term": term,
        "proceeds": _money(sum(match.proceeds or 0 for match in told), currency),
        "cost_basis": _money(sum(match.cost or 0 for match in told), currency),
        "gain": _money(sum(match.gain or 0 for match in told), currency),
    }


def _money(units: int | None, currency: Asset) -> str | None:
    if units is None:
        return None
    text = major_text(abs(units), currency.decimals)
    return f"-{text}" if units < 0 else text


def _day(at: datetime) -> str:
    return at.astimezone(UTC).date().isoformat()
