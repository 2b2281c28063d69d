"""CryptoCompare's price of one thing in dollars, fiat too. Its errors have status 200."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from flamewire_ledger.domain.price_lock import Quote
from flamewire_ledger.prices.source import Source, price_in


class CryptoCompareFeed:
    """`GET /data/price?fsym=TAO&tsyms=USD`."""

    name = "cryptocompare"

    def __init__(
        self, now: Callable[[], datetime], base_url: str = "https://min-api.cryptocompare.com"
    ) -> None:
        self._now = now
        self._source = Source(self.name, base_url)

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        found = await asyncio.gather(*(self._quote(symbol) for symbol in symbols))
        return {symbol: quote for symbol, quote in zip(symbols, found, strict=True) if quote}

    async def aclose(self) -> None:
        await self._source.aclose()

    async def _quote(self, symbol: str) -> Quote | None:
        status, answer = await self._source.get("/data/price", fsym=symbol, tsyms="USD")
        if status != 200 or not isinstance(answer, dict):
            raise self._source.refused(status)
        if answer.get("Response") == "Error":
            if answer.get("Type") == 2:  # it does not know the symbol
                return None
            raise self._source.refused(status, answer.get("Message"))
        price = price_in(answer.get("USD"))
        return None if price is None else Quote(self.name, price, self._now())
