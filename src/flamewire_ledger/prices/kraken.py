"""Kraken's public ticker: the last trade of a pair against the dollar, fiat pairs too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from flamewire_ledger.domain.price_lock import Quote
from flamewire_ledger.prices.source import Source, Transport

_UNKNOWN: Final = "EQuery:Unknown asset pair"
_URL: Final = "https://api.kraken.com"


class KrakenFeed:
    """`GET /0/public/Ticker?pair=TAOUSD`. Its errors come in a list with status 200."""

    name = "kraken"
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
            requests_per_second=1,
            burst=15,
            transport=transport,
        )

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """A request a symbol: asked for many at once, one unknown pair refuses them all."""
        return await self._source.one_by_one(symbols, self._quote)

    async def aclose(self) -> None:
        await self._source.aclose()

    async def _quote(self, symbol: str) -> Quote | None:
        status, answer, at = await self._source.get("/0/public/Ticker", pair=f"{symbol}USD")
        if not isinstance(answer, dict):
            raise self._source.refused(status)
        errors = answer.get("error")
        if errors == [_UNKNOWN]:
            return None
        if errors or status != 200:
            raise self._source.refused(status, errors)
        ticker = _only_one(answer.get("result"))
        closed = ticker.get("c") if isinstance(ticker, dict) else None
        if not isinstance(closed, list) or not closed:
            raise self._source.refused(status, "no last trade")
        return self._source.quote(closed[0], at)


def _only_one(result: Any) -> object:
    """The result's only pair, under whatever name in dollars: ETHUSD is answered as XETHZUSD."""
    if not isinstance(result, dict) or len(result) != 1:
        return None
    ((pair, ticker),) = result.items()
    return ticker if pair.endswith("USD") else None
