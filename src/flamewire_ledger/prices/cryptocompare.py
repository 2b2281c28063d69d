"""CryptoCompare's price of one thing in dollars, fiat too. Its errors have status 200."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from flamewire_ledger.domain.price_lock import Quote
from flamewire_ledger.prices.source import Source, Transport

_URL: Final = "https://min-api.cryptocompare.com"


class CryptoCompareFeed:
    """`GET /data/price?fsym=TAO&tsyms=USD`."""

    name = "cryptocompare"
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
        status, answer, at = await self._source.get("/data/price", fsym=symbol, tsyms="USD")
        if status != 200 or not isinstance(answer, dict):
            raise self._source.refused(status)
        if answer.get("Response") == "Error":
            if answer.get("Type") == 2:  # it does not know the symbol
                return None
            raise self._source.refused(status, answer.get("Message"))
        if "USD" not in answer:
            raise self._source.refused(status, "no price in USD")
        return self._source.quote(answer["USD"], at)
