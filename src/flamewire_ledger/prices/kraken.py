"""Kraken's public ticker: the last trade of a pair against the dollar, fiat pairs too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from flamewire_ledger.domain.price_lock import Quote
from flamewire_ledger.prices.source import Source, price_in

_UNKNOWN: Final = "EQuery:Unknown asset pair"


class KrakenFeed:
    """`GET /0/public/Ticker?pair=TAOUSD`. Its errors come in a list with status 200."""

    name = "kraken"

    def __init__(
        self, now: Callable[[], datetime], base_url: str = "https://api.kraken.com"
    ) -> None:
        self._now = now
        self._source = Source(self.name, base_url)

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """A request a symbol: asked for many at once, one unknown pair refuses them all."""
        found = await asyncio.gather(*(self._quote(symbol) for symbol in symbols))
        return {symbol: quote for symbol, quote in zip(symbols, found, strict=True) if quote}

    async def aclose(self) -> None:
        await self._source.aclose()

    async def _quote(self, symbol: str) -> Quote | None:
        status, answer = await self._source.get("/0/public/Ticker", pair=f"{symbol}USD")
        if not isinstance(answer, dict):
            raise self._source.refused(status)
        errors = answer.get("error")
        if errors == [_UNKNOWN]:
            return None
        if errors or status != 200:
            raise self._source.refused(status, errors)
        price = price_in(_last_trade(answer.get("result")))
        return None if price is None else Quote(self.name, price, self._now())


def _last_trade(result: Any) -> object:
    """The result's only pair, under whatever name: ETHUSD is answered as XETHZUSD."""
    if not isinstance(result, dict) or len(result) != 1:
        return None
    (ticker,) = result.values()
    closed = ticker.get("c") if isinstance(ticker, dict) else None
    return closed[0] if isinstance(closed, list) and closed else None
