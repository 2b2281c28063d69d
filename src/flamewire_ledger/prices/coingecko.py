"""CoinGecko's simple price: many coins in one request, each with the time it was last updated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from flamewire_ledger.domain.price_lock import Quote
from flamewire_ledger.prices.source import Source, price_in

# Its ids are its own; what is not listed is not asked for.
_IDS: Final[Mapping[str, str]] = {
    "TAO": "bittensor",
    "ETH": "ethereum",
    "SUI": "sui",
    "USDC": "usd-coin",
    "USDT": "tether",
    "BTC": "bitcoin",
    "POL": "polygon-ecosystem-token",
    "BNB": "binancecoin",
    "AVAX": "avalanche-2",
}


class CoinGeckoFeed:
    """`GET /simple/price`. A limit reached has been seen with status 200: the body is looked at."""

    name = "coingecko"

    def __init__(
        self, base_url: str = "https://api.coingecko.com/api/v3", *, pro_api_key: str | None = None
    ) -> None:
        headers = {"x-cg-pro-api-key": pro_api_key} if pro_api_key else None
        self._source = Source(self.name, base_url, headers)

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        ids = {symbol: _IDS[symbol] for symbol in symbols if symbol in _IDS}
        if not ids:
            return {}
        status, answer = await self._source.get(
            "/simple/price",
            ids=",".join(ids.values()),
            vs_currencies="usd",
            include_last_updated_at="true",
            precision="full",
        )
        if status != 200 or not isinstance(answer, dict) or "status" in answer:
            raise self._source.refused(status)
        found = {symbol: self._quote(answer.get(name)) for symbol, name in ids.items()}
        return {symbol: quote for symbol, quote in found.items() if quote is not None}

    async def aclose(self) -> None:
        await self._source.aclose()

    def _quote(self, coin: Any) -> Quote | None:
        """An unknown coin or currency is simply absent."""
        if not isinstance(coin, dict):
            return None
        price, updated_at = price_in(coin.get("usd")), coin.get("last_updated_at")
        if price is None or type(updated_at) is not int or not 0 < updated_at < 2**40:
            return None
        return Quote(self.name, price, datetime.fromtimestamp(updated_at, UTC))
