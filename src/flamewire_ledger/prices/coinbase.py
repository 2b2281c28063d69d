"""Coinbase's spot price of a pair against the dollar, fiat pairs too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from flamewire_ledger.domain.price_lock import Quote
from flamewire_ledger.prices.source import Source, price_in


class CoinbaseFeed:
    """`GET /v2/prices/TAO-USD/spot`."""

    name = "coinbase"

    def __init__(
        self, now: Callable[[], datetime], base_url: str = "https://api.coinbase.com"
    ) -> None:
        self._now = now
        self._source = Source(self.name, base_url)

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        found = await asyncio.gather(*(self._quote(symbol) for symbol in symbols))
        return {symbol: quote for symbol, quote in zip(symbols, found, strict=True) if quote}

    async def aclose(self) -> None:
        await self._source.aclose()

    async def _quote(self, symbol: str) -> Quote | None:
        status, answer = await self._source.get(f"/v2/prices/{symbol}-USD/spot")
        if status in (400, 404):
            return None  # it does not trade this
        data = answer.get("data") if isinstance(answer, dict) else None
        if status != 200 or not isinstance(data, dict):
            raise self._source.refused(status)
        price = price_in(data.get("amount"))
        if price is None or data.get("currency") != "USD":
            return None
        return Quote(self.name, price, self._now())
