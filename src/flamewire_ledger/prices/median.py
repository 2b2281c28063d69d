"""From several quotes to one price: stale ones out, median, outliers out, median of the rest.

Distances are measured by the median absolute deviation: among three sources one outlier inflates
a standard deviation so much that it hides itself. It has a blind spot of its own: where half of the
sources say something else, everything is near the middle of nowhere. So those that are left have to
agree with each other too, and where somebody was outvoted, it takes a majority of all sources.
Where they are even, the price is between two that nobody decides between: those have to be so near
that it is right whichever of them is.
Every quote is kept with the reason why it did not count.
"""

from __future__ import annotations

from collections import Counter
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
    apart_ppm_max: int = 100_000  # 10 %: the highest above the lowest of those that are left
    halves_apart_ppm_max: int = 40_000  # 4 %: of the two in the middle, each 2 % from the price


@dataclass(frozen=True, slots=True)
class Verdict:
    """The price, if enough sources agree on one, and every quote with why it did not count.

    `outvoted` are the prices of those whose quote was good by itself, and did not count.
    """

    price: Decimal | None
    quotes: tuple[Quote, ...]
    outvoted: tuple[Decimal, ...] = ()

    @property
    def is_disputed(self) -> bool:
        return bool(self.outvoted)


def judge(quotes: Sequence[Quote], now: datetime, trust: Trust | None = None) -> Verdict:
    """One price from quotes of one symbol, one a source, those of silent ones among them."""
    trust = trust or Trust()
    judged = [_by_itself(quote, now, trust) for quote in quotes]
    good = prices_of(judged)
    if good:
        judged = _against_each_other(judged, trust)
    survivors = sorted(prices_of(judged))
    outvoted = tuple((Counter(good) - Counter(survivors)).elements())
    needed = trust.survivors_min
    if outvoted:
        needed = max(needed, len(judged) // 2 + 1)
    if len(survivors) < needed or _is_apart(survivors, trust):
        return Verdict(None, tuple(judged), outvoted)
    return Verdict(median(survivors), tuple(judged), outvoted)


def prices_of(quotes: Sequence[Quote]) -> list[Decimal]:
    """The prices of those that count."""
    return [each.price for each in quotes if each.dropped is None and each.price is not None]


def median(prices: Sequence[Decimal]) -> Decimal:
    """The middle one, or the mean of the two in the middle. There must be one at least."""
    ordered = sorted(prices)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    with localcontext(prec=_DIGITS):
        return (ordered[middle - 1] + ordered[middle]) / 2


def _by_itself(quote: Quote, now: datetime, trust: Trust) -> Quote:
    if quote.dropped is not None:
        return quote
    if quote.price is None or not quote.price.is_finite() or quote.price <= 0:
        return replace(quote, price=None, dropped="not a price: it has to be above zero")
    age = now - quote.quoted_at
    if abs(age) <= timedelta(seconds=trust.quote_age_seconds_max):
        return quote
    seconds = int(abs(age).total_seconds())
    when = "old" if age > timedelta(0) else "ahead of our clock"
    return replace(quote, dropped=f"stale: {seconds} s {when}")


def _against_each_other(quotes: Sequence[Quote], trust: Trust) -> list[Quote]:
    with localcontext(prec=_DIGITS):
        prices = prices_of(quotes)
        middle = median(prices)
        deviation = median([abs(price - middle) for price in prices])
        allowed = max(
            middle * trust.deviation_ppm_max / 1_000_000, deviation * trust.deviations_max
        )
        return [_near(quote, middle, allowed) for quote in quotes]


def _near(quote: Quote, middle: Decimal, allowed: Decimal) -> Quote:
    if quote.dropped is not None or quote.price is None or abs(quote.price - middle) <= allowed:
        return quote
    distance = f"{(quote.price - middle) * 100 / middle:+.2f} %"
    return replace(quote, dropped=f"outlier: {distance} from the median")


def _is_apart(ordered: Sequence[Decimal], trust: Trust) -> bool:
    """Whether those that are left do not say the same thing either, all of them or by halves."""
    if not ordered:
        return False
    middle = len(ordered) // 2
    below = middle if len(ordered) % 2 else middle - 1
    return _is_more(ordered[0], ordered[-1], trust.apart_ppm_max) or _is_more(
        ordered[below], ordered[middle], trust.halves_apart_ppm_max
    )


def _is_more(low: Decimal, high: Decimal, ppm_max: int) -> bool:
    with localcontext(prec=_DIGITS):
        return (high - low) * 1_000_000 > low * ppm_max
