"""The price board: a rate for any pair through US dollars, from what every feed says.

A price that is young enough is served from memory; one that is getting old is served while the
feeds are asked again behind it; one that is too old is waited for. One caller asks and the others
wait for it, over all processes where they share a place. When the sources do not agree, or do not
answer, the last good price serves for ten minutes and says that it is stale; after that there is no
price, because selling at an unknown price is worse than not selling.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal, localcontext
from typing import Final

from flamewire_ledger.domain.money import Asset, Rate
from flamewire_ledger.domain.price_lock import Quote
from flamewire_ledger.domain.rejection import LimitReached, PriceUnavailable
from flamewire_ledger.prices.asking import DOLLAR, Asking, Meter
from flamewire_ledger.prices.feed import Feed
from flamewire_ledger.prices.median import Trust, judge
from flamewire_ledger.prices.shared import AloneStandings, SharedStandings
from flamewire_ledger.prices.standing import Patience, Price, Standing, after_round

SIGNIFICANT_DIGITS: Final = 18  # of a rate between two things that are not the dollar
SYMBOLS_MAX: Final = 256
_SYMBOL: Final = re.compile(r"[A-Z0-9]{1,16}\Z")  # symbols become parts of sources' addresses
_LOOK_SECONDS: Final = 0.05  # between two looks whether another process is done asking


@dataclass(frozen=True, slots=True)
class PairPrice:
    """A rate and everything it was made from; `at` is the time of the older side."""

    rate: Rate
    quotes: tuple[Quote, ...]
    at: datetime
    is_stale: bool


class PriceBoard:
    """Prices of everything that was asked for, from these feeds. Time is the caller's."""

    def __init__(
        self,
        feeds: Sequence[Feed],
        *,
        trust: Trust | None = None,
        patience: Patience | None = None,
        shared: SharedStandings | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._trust = trust or Trust()
        self._patience = patience or Patience()
        self._shared = shared or AloneStandings()
        self._asking = Asking(
            feeds,
            self._trust,
            seconds_max=self._patience.feed_seconds_max,
            backoff_seconds=self._patience.feed_backoff_seconds,
            backoff_seconds_max=self._patience.feed_backoff_seconds_max,
            meter=meter,
        )
        self._standings: dict[str, Standing] = {}
        self._one_at_a_time = asyncio.Lock()
        self._behind: asyncio.Task[None] | None = None

    async def aclose(self) -> None:
        """Stop asking behind the callers' backs."""
        if self._behind is not None:
            self._behind.cancel()
            await asyncio.wait([self._behind])

    async def rate(
        self, base: Asset, quote: Asset, now: datetime
    ) -> tuple[Rate, tuple[Quote, ...]]:
        """The worth of one `base` in `quote`, and every quote behind it, or PriceUnavailable."""
        pair = await self.pair(base, quote, now)
        return pair.rate, pair.quotes

    async def pair(
        self, base: Asset, quote: Asset, now: datetime, sources: frozenset[str] | None = None
    ) -> PairPrice:
        """The same, with its time and whether it is stale. Raises PriceUnavailable.

        Against the dollar the price is exact; between two others it is rounded down to 18
        significant digits, so that what is due in `base` is never too little. `sources`: only what
        these say counts, as long as it is near what all say.
        """
        if base.symbol == quote.symbol:
            return PairPrice(Rate(base, quote, Decimal(1)), (), now, False)
        if not (_SYMBOL.match(base.symbol) and _SYMBOL.match(quote.symbol)):
            raise PriceUnavailable("no source quotes what has no symbol of letters and digits")
        symbols = {base.symbol, quote.symbol} - {DOLLAR}
        age = self._oldest(symbols, now)
        if age >= 2:
            await self._refresh(symbols, now)
        elif age and (self._behind is None or self._behind.done()):
            self._behind = asyncio.create_task(self._refresh(symbols, now), name="prices")
        sides = [self._price(asset.symbol, now, sources) for asset in (base, quote)]
        dearer, cheaper = (side.dollars for side in sides)
        return PairPrice(
            Rate(base, quote, _divided(dearer, cheaper)),
            tuple(each for side in sides for each in side.quotes),
            min(side.at for side in sides),
            any(side.is_stale for side in sides),
        )

    async def standings(self, symbols: Iterable[str], now: datetime) -> Sequence[Standing]:
        """Where these stand, after asking about what is due."""
        wanted = {it for it in symbols if it != DOLLAR and _SYMBOL.match(it)}
        await self._refresh(wanted, now)
        return [self._standings[it] for it in sorted(wanted) if it in self._standings]

    async def followed(self) -> frozenset[str]:
        """What was asked for and has, or had, a price: of this process or another one."""
        return self._priced() | frozenset(await self._shared.symbols())

    # What is known.

    def _price(self, symbol: str, now: datetime, sources: frozenset[str] | None) -> Price:
        if symbol == DOLLAR:
            return Price(DOLLAR, Decimal(1), (), now)
        standing = self._standings.get(symbol)
        price = None if standing is None else standing.price
        good_for = timedelta(seconds=self._patience.last_good_seconds_max)
        if price is None or now - price.at > good_for:
            raise PriceUnavailable(_why_none(symbol, standing))
        return price if sources is None else self._of(price, sources)

    def _of(self, price: Price, sources: frozenset[str]) -> Price:
        """The price by the word of some sources, who may not lead it away from the others."""
        chosen = [it for it in price.quotes if it.source.partition(":")[0] in sources]
        trust = Trust(
            quote_age_seconds_max=self._trust.quote_age_seconds_max,
            survivors_min=min(self._trust.survivors_min, len(sources)),
        )
        verdict = judge(chosen, price.at, trust)
        if verdict.price is None:
            raise PriceUnavailable(
                f"the sources of the price rule do not agree on a price of {price.symbol}"
            )
        if abs(verdict.price - price.dollars) * 1_000_000 > price.dollars * trust.deviation_ppm_max:
            raise PriceUnavailable(
                f"the sources of the price rule are far from all others on {price.symbol}"
            )
        return Price(price.symbol, verdict.price, verdict.quotes, price.at, price.is_stale)

    def _known_dollars(self, symbol: str) -> Decimal | None:
        standing = self._standings.get(symbol)
        return None if standing is None or standing.price is None else standing.price.dollars

    def _priced(self) -> frozenset[str]:
        """What is no mere name: those are not asked about unless somebody does."""
        return frozenset(each.symbol for each in self._standings.values() if each.price is not None)

    # How old it is: 0 is young, 1 should be asked for again, 2 has to be.

    def _oldest(self, symbols: Iterable[str], now: datetime) -> int:
        return max((self._age(symbol, now) for symbol in symbols), default=0)

    def _age(self, symbol: str, now: datetime) -> int:
        standing = self._standings.get(symbol)
        if standing is None or self._is_ahead(standing, now):
            return 2
        seconds = (now - standing.asked_at).total_seconds()
        if not standing.is_good:
            return 2 if seconds >= self._patience.retry_seconds else 0
        if seconds >= self._patience.refresh_seconds_max:
            return 2
        return 1 if seconds >= self._patience.refresh_seconds else 0

    # Asking.

    async def _refresh(self, symbols: set[str], now: datetime) -> None:
        """Ask about what is due, unless the one before us did, here or in another process."""
        if not self._oldest(symbols, now):
            return
        async with self._one_at_a_time:
            due = {symbol for symbol in symbols if self._age(symbol, now)}
            if not due:
                return
            due |= {symbol for symbol in self._priced() if self._age(symbol, now)}
            due |= {it for it in self._asking.currencies if self._age(it, now)}
            self._make_room(due)
            await self._ask_or_wait(due, now)

    async def _ask_or_wait(self, due: set[str], now: datetime) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience.feed_seconds_max + 0.5
        while True:
            self._adopt(await self._shared.read(sorted(due)), now)
            missing = {symbol for symbol in due if self._age(symbol, now)}
            if not missing:
                return
            if await self._shared.claim(self._patience.feed_seconds_max + 1):
                break
            if loop.time() > deadline:
                break  # whoever is asking does not come back: ask ourselves
            await asyncio.sleep(_LOOK_SECONDS)
        try:
            await self._ask(missing, now)
            await self._shared.write([self._standings[symbol] for symbol in sorted(missing)])
        finally:
            await self._shared.release()

    def _adopt(self, found: Mapping[str, Standing], now: datetime) -> None:
        for symbol, standing in found.items():
            ours = self._standings.get(symbol)
            is_newer = ours is None or standing.asked_at > ours.asked_at
            if is_newer and not self._is_ahead(standing, now):
                self._standings[symbol] = standing

    def _is_ahead(self, standing: Standing, now: datetime) -> bool:
        """Whether it was asked by a clock far ahead of ours: a sandbox's, or one that was put right."""
        return standing.asked_at - now > timedelta(seconds=self._patience.refresh_seconds)

    async def _ask(self, symbols: set[str], now: datetime) -> None:
        said = await self._asking.ask(sorted(symbols), now, self._known_dollars)
        for symbol in symbols:
            verdict = judge(said[symbol], now, self._trust)
            before = self._standings.get(symbol)
            self._standings[symbol] = after_round(before, symbol, verdict, now, self._patience)

    def _make_room(self, symbols: set[str]) -> None:
        """Forget what no source knows before refusing: names are the callers' to invent."""
        if len(self._standings.keys() | symbols) > SYMBOLS_MAX:
            for unknown in [it.symbol for it in self._standings.values() if it.price is None]:
                del self._standings[unknown]
        if len(self._standings.keys() | symbols) > SYMBOLS_MAX:
            raise LimitReached(f"prices of {SYMBOLS_MAX} things at most are followed")


def _why_none(symbol: str, standing: Standing | None) -> str:
    quotes = () if standing is None else standing.quotes
    heard = sum(each.price is not None for each in quotes)
    counted = sum(each.dropped is None for each in quotes)
    if not quotes:
        return f"no source knows a price of {symbol}"
    return (
        f"no price of {symbol} that enough sources agree on: of {len(quotes)} asked "
        f"{heard} named one and {counted} agreed; try again later"
    )


def _divided(dividend: Decimal, divisor: Decimal) -> Decimal:
    if divisor == 1:
        return dividend
    with localcontext(prec=SIGNIFICANT_DIGITS, rounding=ROUND_DOWN):
        return (dividend / divisor).normalize() + 0
