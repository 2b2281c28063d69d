"""Coinbase's spot price of a pair against the dollar, fiat pairs too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from flamewire_ledger.domain.price_lock import Quote
from flamewire_ledger.prices.source import Source, Transport

_URL: Final = "https://api.coinbase.com"


class CoinbaseFeed:
    """`GET /v2/prices/TAO-USD/spot`."""

    name = "coinbase"
    currency = "USD"

    def __init__(
        self,
        now: Callable[[], datetime],
        base_url: str | None = None,
        *,
        transport: Transport | None = None,
    ) -> None:
        self._source = Source(
            self.name,
            base_url or _URL,
            now=now,
            requests_per_second=5,
            burst=20,
            transport=transport,
        )

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        return await self._source.one_by_one(symbols, self._quote)

    async def aclose(self) -> None:
        await self._source.aclose()

    async def _quote(self, symbol: str) -> Quote | None:
        status, answer, at = await self._source.get(f"/v2/prices/{symbol}-USD/spot")
        if status in (400, 404):
            return None  # it does not trade this
        data = answer.get("data") if isinstance(answer, dict) else None
        if status != 200 or not isinstance(data, dict):
            raise self._source.refused(status)
        if data.get("currency") != "USD" or data.get("base", symbol) != symbol:
            raise self._source.refused(status, "not what was asked for")
        return self._source.quote(data.get("amount"), at)
