"""From several quotes to one price: stale ones out, median, outliers out, median of the rest.

Distances are measured by the median absolute deviation: among three sources one outlier inflates
a standard deviation so much that it hides itself. Every quote is kept with the reason why it did
not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from typing import Final

from flamewire_ledger.domain.price_lock import Quote

_DIGITS: Final = 60  # enough for the mean of two prices to be exact


@dataclass(frozen=True, slots=True)
class Trust:
    """What a quote must be like to count."""

    quote_age_seconds_max: int = 120
    survivors_min: int = 2
    deviation_ppm_max: int = 20_000  # 2 %, or
    deviations_max: int = 5  # five median absolute deviations, whichever is more


@dataclass(frozen=True, slots=True)
class Verdict:
    """The price, if enough sources agree on one, and every quote with why it did not count."""

    price: Decimal | None
    quotes: tuple[Quote, ...]


def judge(quotes: Sequence[Quote], now: datetime, trust: Trust | None = None) -> Verdict:
    """One price from quotes of one symbol, at most one a source."""
    trust = trust or Trust()
    judged = [_by_itself(quote, now, trust) for quote in quotes]
    prices = [quote.price for quote in judged if quote.dropped is None]
    if prices:
        judged = _against_each_other(judged, prices, trust)
    survivors = [quote.price for quote in judged if quote.dropped is None]
    enough = len(survivors) >= trust.survivors_min
    return Verdict(median(survivors) if enough else None, tuple(judged))


def median(prices: Sequence[Decimal]) -> Decimal:
    """The middle one, or the mean of the two in the middle. There must be one at least."""
    ordered = sorted(prices)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    with localcontext(prec=_DIGITS):
        return (ordered[middle - 1] + ordered[middle]) / 2


def _by_itself(quote: Quote, now: datetime, trust: Trust) -> Quote:
    if not quote.price.is_finite() or quote.price <= 0:
        return replace(quote, dropped="not a price: it has to be above zero")
    age = now - quote.quoted_at
    if abs(age) <= timedelta(seconds=trust.quote_age_seconds_max):
        return quote
    seconds = int(abs(age).total_seconds())
    when = "old" if age > timedelta(0) else "ahead of our clock"
    return replace(quote, dropped=f"stale: {seconds} s {when}")


def _against_each_other(
    quotes: Sequence[Quote], prices: Sequence[Decimal], trust: Trust
) -> list[Quote]:
    with localcontext(prec=_DIGITS):
        middle = median(prices)
        deviation = median([abs(price - middle) for price in prices])
        allowed = max(
            middle * trust.deviation_ppm_max / 1_000_000, deviation * trust.deviations_max
        )
        return [
            replace(quote, dropped=f"outlier: {_percent(quote.price, middle)} from the median")
            if quote.dropped is None and abs(quote.price - middle) > allowed
            else quote
            for quote in quotes
        ]


def _percent(price: Decimal, middle: Decimal) -> str:
    return f"{(price - middle) * 100 / middle:+.2f} %"
