"""The price board: asks every feed at once, and gives a rate for any pair through US dollars.

One caller refreshes and the others wait for it. When the sources do not agree, or do not answer,
the last good price serves for ten minutes and says that it is stale; after that there is no
price, because selling at an unknown price is worse than not selling.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Final

from flamewire_ledger.domain.money import Asset, Rate
from flamewire_ledger.domain.price_lock import Quote
from flamewire_ledger.domain.rejection import LimitReached, PriceUnavailable
from flamewire_ledger.prices.feed import Feed, FeedUnavailable
from flamewire_ledger.prices.median import Trust, judge

_log = logging.getLogger(__name__)

DOLLAR: Final = "USD"
SIGNIFICANT_DIGITS: Final = 18  # of a rate between two things that are not the dollar
SYMBOLS_MAX: Final = 256
_SYMBOL: Final = re.compile(r"[A-Z0-9]{1,16}\Z")  # symbols become parts of sources' addresses
HISTORY_MAX: Final = 2_880  # a day, at a price every 30 s


@dataclass(frozen=True, slots=True)
class Patience:
    """How often feeds are asked, and how long their last answer will do."""

    refresh_seconds: int = 30
    retry_seconds: int = 5  # after a round that gave no price
    feed_seconds_max: float = 3.0
    feed_backoff_seconds: int = 5
    feed_backoff_seconds_max: int = 300
    last_good_seconds_max: int = 600
    jump_ppm_a_minute_max: int = 100_000  # 10 %: more than that needs two rounds in a row


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars a major unit. `is_stale`: the sources could not be trusted since."""

    symbol: str
    dollars: Decimal
    quotes: tuple[Quote, ...]
    at: datetime
    is_stale: bool = False


@dataclass(frozen=True, slots=True)
class PairPrice:
    """A rate and everything it was made from; `at` is the time of the older side."""

    rate: Rate
    quotes: tuple[Quote, ...]
    at: datetime
    is_stale: bool


@dataclass(slots=True)
class _Health:
    """Whether a feed may be asked again yet."""

    asleep_until: datetime | None = None
    backoff_seconds: int = 0


class PriceBoard:
    """Prices of everything that was asked for, from these feeds. Time is the caller's."""

    def __init__(
        self, feeds: Sequence[Feed], *, trust: Trust | None = None, patience: Patience | None = None
    ) -> None:
        self._feeds = tuple(feeds)
        self._trust = trust or Trust()
        self._patience = patience or Patience()
        self._health = {feed.name: _Health() for feed in self._feeds}
        self._prices: dict[str, Price] = {}
        self._unproved: dict[str, Decimal] = {}  # a jump that waits for its second round
        self._asked_at: dict[str, datetime] = {}
        self._history: dict[str, deque[Price]] = {}
        self._one_at_a_time = asyncio.Lock()

    async def rate(
        self, base: Asset, quote: Asset, now: datetime
    ) -> tuple[Rate, tuple[Quote, ...]]:
        """The worth of one `base` in `quote`, and every quote behind it, or PriceUnavailable."""
        pair = await self.pair(base, quote, now)
        return pair.rate, pair.quotes

    async def pair(self, base: Asset, quote: Asset, now: datetime) -> PairPrice:
        """The same, with its time and whether it is stale. Raises PriceUnavailable.

        Against the dollar the price is exact; between two others it is rounded to 18 significant
        digits.
        """
        if base.symbol == quote.symbol:
            return PairPrice(Rate(base, quote, Decimal(1)), (), now, False)
        if not (_SYMBOL.match(base.symbol) and _SYMBOL.match(quote.symbol)):
            raise PriceUnavailable("no source quotes what has no symbol of letters and digits")
        await self._refresh({base.symbol, quote.symbol} - {DOLLAR}, now)
        sides = [self._price(asset.symbol, now) for asset in (base, quote)]
        dearer, cheaper = (side.dollars for side in sides)
        return PairPrice(
            Rate(base, quote, _divided(dearer, cheaper)),
            tuple(each for side in sides for each in side.quotes),
            min(side.at for side in sides),
            any(side.is_stale for side in sides),
        )

    def history(self, symbol: str, limit: int = HISTORY_MAX) -> Sequence[Price]:
        """The dollar prices of the last day that this board saw, oldest first."""
        kept = list(self._history.get(symbol, ()))
        return kept[-limit:] if limit > 0 else []

    def _price(self, symbol: str, now: datetime) -> Price:
        if symbol == DOLLAR:
            return Price(DOLLAR, Decimal(1), (), now)
        price = self._prices.get(symbol)
        good_for = timedelta(seconds=self._patience.last_good_seconds_max)
        if price is None or now - price.at > good_for:
            raise PriceUnavailable(
                f"no price of {symbol} that enough sources agree on; try again later"
            )
        return price

    # Asking the feeds.

    async def _refresh(self, symbols: set[str], now: datetime) -> None:
        if not any(self._is_due(symbol, now) for symbol in symbols):
            return
        async with self._one_at_a_time:
            due = {symbol for symbol in symbols if self._is_due(symbol, now)}
            if not due:
                return  # the one before us asked
            asked = due | {symbol for symbol in self._prices if self._is_due(symbol, now)}
            self._make_room(asked)
            said = await self._ask(sorted(asked), now)
            for symbol in asked:
                self._take(symbol, said.get(symbol, ()), now)

    def _make_room(self, symbols: set[str]) -> None:
        """Forget what no source knows before refusing: names are the callers' to invent."""
        if len(self._asked_at.keys() | symbols) > SYMBOLS_MAX:
            for unknown in self._asked_at.keys() - self._prices.keys():
                del self._asked_at[unknown]
        if len(self._asked_at.keys() | symbols) > SYMBOLS_MAX:
            raise LimitReached(f"prices of {SYMBOLS_MAX} things at most are followed")

    def _is_due(self, symbol: str, now: datetime) -> bool:
        asked_at = self._asked_at.get(symbol)
        if asked_at is None:
            return True
        price = self._prices.get(symbol)
        is_good = price is not None and not price.is_stale
        wait = self._patience.refresh_seconds if is_good else self._patience.retry_seconds
        return now - asked_at >= timedelta(seconds=wait)

    async def _ask(self, symbols: Sequence[str], now: datetime) -> Mapping[str, list[Quote]]:
        awake = [feed for feed in self._feeds if self._is_awake(feed, now)]
        answers = await asyncio.gather(*(self._ask_one(feed, symbols, now) for feed in awake))
        said: dict[str, list[Quote]] = {}
        for feed, answer in zip(awake, answers, strict=True):
            for symbol, quote in answer.items():
                named = replace(quote, source=f"{feed.name}:{symbol}-{DOLLAR}")
                said.setdefault(symbol, []).append(named)
        return said

    async def _ask_one(
        self, feed: Feed, symbols: Sequence[str], now: datetime
    ) -> Mapping[str, Quote]:
        health = self._health[feed.name]
        try:
            async with asyncio.timeout(self._patience.feed_seconds_max):
                answer = await feed.quotes(symbols)
        except (FeedUnavailable, TimeoutError) as fault:
            doubled = max(self._patience.feed_backoff_seconds, health.backoff_seconds * 2)
            health.backoff_seconds = min(doubled, self._patience.feed_backoff_seconds_max)
            health.asleep_until = now + timedelta(seconds=health.backoff_seconds)
            reason = str(fault) or "it did not answer in time"
            _log.warning("price feed %s: %s", feed.name, reason)
            return {}
        health.backoff_seconds, health.asleep_until = 0, None
        return answer

    def _is_awake(self, feed: Feed, now: datetime) -> bool:
        asleep_until = self._health[feed.name].asleep_until
        return asleep_until is None or now >= asleep_until

    # Believing them.

    def _take(self, symbol: str, quotes: Sequence[Quote], now: datetime) -> None:
        self._asked_at[symbol] = now
        verdict = judge(quotes, now, self._trust)
        before = self._prices.get(symbol)
        if verdict.price is None or not self._is_believable(symbol, verdict.price, now):
            if before is not None:
                self._prices[symbol] = replace(before, is_stale=True)
            return
        self._unproved.pop(symbol, None)
        price = Price(symbol, verdict.price, verdict.quotes, now)
        self._prices[symbol] = price
        self._history.setdefault(symbol, deque(maxlen=HISTORY_MAX)).append(price)

    def _is_believable(self, symbol: str, price: Decimal, now: datetime) -> bool:
        """A jump has to be said twice in a row. The more time passed, the larger it has to be."""
        before = self._prices.get(symbol)
        if before is None:
            return True
        minutes = max(1, -(-int((now - before.at).total_seconds()) // 60))
        if not self._is_jump(before.dollars, price, minutes):
            return True
        first = self._unproved.get(symbol)
        self._unproved[symbol] = price
        return first is not None and not self._is_jump(first, price, 1)

    def _is_jump(self, before: Decimal, after: Decimal, minutes: int) -> bool:
        return abs(after - before) * 1_000_000 > (
            before * self._patience.jump_ppm_a_minute_max * minutes
        )


def _divided(dividend: Decimal, divisor: Decimal) -> Decimal:
    if divisor == 1:
        return dividend
    with localcontext(prec=SIGNIFICANT_DIGITS, rounding=ROUND_HALF_EVEN):
        return (dividend / divisor).normalize() + 0
