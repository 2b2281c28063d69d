"""Asking every feed at once: what each said, in dollars, and why the others said nothing.

A feed that fails is left alone for ever longer. What is quoted in a coin that stands for the dollar
is turned into dollars by what the other feeds say that coin is worth.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Final, Protocol

from flamewire_ledger.domain.price_lock import Quote
from flamewire_ledger.prices.feed import Feed, FeedUnavailable
from flamewire_ledger.prices.median import Trust, judge

_log = logging.getLogger(__name__)

DOLLAR: Final = "USD"
_DIGITS: Final = 28
_PEG_MAX: Final = Decimal("0.1")  # how far from a dollar a coin that stands for one may be
_REASON_MAX: Final = 200
_NEAR_A_DOLLAR: Final = Decimal("0.02")
_PRICED_MAX: Final = 4_096
Said = Mapping[str, list[Quote]]  # by symbol
KnownDollars = Callable[[str], Decimal | None]


class Meter(Protocol):
    """telemetry.Meters keeps it."""

    def add(self, name: str, amount: int = 1, /, **labels: str) -> None: ...


@dataclass(slots=True)
class _Health:
    """Whether a feed may be asked again yet, and why not."""

    asleep_until: datetime | None = None
    backoff_seconds: int = 0
    reason: str = ""


class Asking:
    """These feeds. Time is the caller's."""

    def __init__(
        self,
        feeds: Sequence[Feed],
        trust: Trust,
        *,
        seconds_max: float = 3.0,
        backoff_seconds: int = 5,
        backoff_seconds_max: int = 300,
        meter: Meter | None = None,
    ) -> None:
        self._feeds = tuple(feeds)
        self._trust = trust
        self._seconds_max = seconds_max
        self._backoff_seconds = backoff_seconds
        self._backoff_seconds_max = backoff_seconds_max
        self._meter = meter
        self._health = {feed.name: _Health() for feed in self._feeds}
        self._worths: dict[str, Decimal] = {}  # of coins that stand for the dollar, the last time
        self._priced: dict[tuple[str, str], None] = {}  # which feed knew what, the latest last

    @property
    def currencies(self) -> frozenset[str]:
        """The coins that stand for the dollar somewhere: their worth is asked for with all else."""
        return frozenset(feed.currency for feed in self._feeds) - {DOLLAR}

    async def ask(self, symbols: Sequence[str], now: datetime, known: KnownDollars) -> Said:
        """A quote a feed for each symbol, unless the feed does not know it. `known`: what a coin was
        worth in dollars the last time, for when the feeds do not say now."""
        answers = [
            self._with_forgotten(feed, answer, symbols, now)
            for feed, answer in zip(
                self._feeds,
                await asyncio.gather(*(self._ask_one(feed, symbols, now) for feed in self._feeds)),
                strict=True,
            )
        ]
        said: dict[str, list[Quote]] = {symbol: [] for symbol in symbols}
        for feed, answer in zip(self._feeds, answers, strict=True):
            for symbol, quote in answer.items():
                if symbol in said and feed.currency == DOLLAR:
                    said[symbol].append(_named(feed, symbol, quote))
        for feed, answer in zip(self._feeds, answers, strict=True):
            if feed.currency != DOLLAR:
                worth = self._worth(feed.currency, said, now, known)
                for symbol, quote in answer.items():
                    if symbol in said:
                        named = _named(feed, symbol, quote)
                        said[symbol].append(_in_dollars(named, feed.currency, worth))
        return said

    def _worth(self, coin: str, said: Said, now: datetime, known: KnownDollars) -> Decimal | None:
        """What the coin is worth. As it stands for a dollar, who says something else altogether does
        not count: else those who lie about it would speak through all that is quoted in it. Where
        half of them lie, it is what it was; where nobody knows that, who says a dollar is believed.
        """
        near = [it for it in said.get(coin, ()) if it.price is not None and _is_pegged(it.price)]
        worth = judge(near, now, self._trust).price or known(coin)
        if worth is None or not _is_pegged(worth):
            worth = self._worths.get(coin)
        if worth is None:
            nearest = [
                it for it in near if it.price is None or _is_pegged(it.price, _NEAR_A_DOLLAR)
            ]
            worth = judge(nearest, now, self._trust).price
        if worth is not None:
            self._worths[coin] = worth
        return worth

    def _with_forgotten(
        self, feed: Feed, answer: Mapping[str, Quote], symbols: Sequence[str], now: datetime
    ) -> Mapping[str, Quote]:
        """Who knew a thing before and is silent about it now still is one of those who were asked: else
        two that lie are the majority of three."""
        for symbol, quote in answer.items():
            if quote.price is not None:
                self._priced.pop((feed.name, symbol), None)
                self._priced[feed.name, symbol] = None
        while len(self._priced) > _PRICED_MAX:
            del self._priced[next(iter(self._priced))]
        forgotten = [it for it in symbols if it not in answer and (feed.name, it) in self._priced]
        return {**answer, **_silent(forgotten, now, "it knew a price of this before")}

    async def _ask_one(
        self, feed: Feed, symbols: Sequence[str], now: datetime
    ) -> Mapping[str, Quote]:
        health = self._health[feed.name]
        symbols = [symbol for symbol in symbols if symbol != feed.currency]
        if health.asleep_until is not None and now < health.asleep_until:
            self._count(feed, "left_alone")
            return _silent(symbols, now, f"left alone for now: {health.reason}")
        try:
            async with asyncio.timeout(self._seconds_max):
                answer = await feed.quotes(symbols)
        except (FeedUnavailable, TimeoutError) as fault:
            reason = str(fault)[:_REASON_MAX] or "it did not answer in time"
            doubled = max(self._backoff_seconds, health.backoff_seconds * 2)
            health.backoff_seconds = min(doubled, self._backoff_seconds_max)
            health.asleep_until = now + timedelta(seconds=health.backoff_seconds)
            health.reason = reason
            self._count(feed, "failed")
            _log.warning("price feed %s: %s", feed.name, reason)
            return _silent(symbols, now, reason)
        health.backoff_seconds, health.asleep_until = 0, None
        self._count(feed, "answered")
        return answer

    def _count(self, feed: Feed, outcome: str) -> None:
        if self._meter is not None:
            self._meter.add("price_questions", 1, source=feed.name, outcome=outcome)


def _is_pegged(price: Decimal, off_max: Decimal = _PEG_MAX) -> bool:
    return price.is_finite() and abs(price - 1) <= off_max


def _silent(symbols: Sequence[str], now: datetime, reason: str) -> Mapping[str, Quote]:
    return {symbol: Quote("", None, now, dropped=f"silent: {reason}") for symbol in symbols}


def _named(feed: Feed, symbol: str, quote: Quote) -> Quote:
    return replace(quote, source=f"{feed.name}:{symbol}-{feed.currency}")


def _in_dollars(quote: Quote, coin: str, worth: Decimal | None) -> Quote:
    if quote.price is None:
        return quote
    said = f"{quote.price:f} {coin}"
    if worth is None:
        why = f"no price of {coin} to turn it into dollars"
        return replace(quote, price=None, dropped=why, said=said)
    with localcontext(prec=_DIGITS, rounding=ROUND_HALF_EVEN):
        return replace(quote, price=(quote.price * worth).normalize() + 0, said=said)
