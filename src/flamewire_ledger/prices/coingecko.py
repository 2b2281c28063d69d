"""CoinGecko's simple price: many coins in one request, each with the time it was last updated; and
currencies, by what a coin costs in them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from typing import Any, Final

from flamewire_ledger.domain.price_lock import Quote
from flamewire_ledger.prices.source import Source, Transport, price_in

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
# What coins are priced in: one is worth what a coin costs in dollars, by what it costs in this.
_CURRENCIES: Final = frozenset(
    {
        "AED", "AUD", "BRL", "CAD", "CHF", "CLP", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "IDR",
        "ILS", "INR", "JPY", "KRW", "MXN", "MYR", "NOK", "NZD", "PHP", "PLN", "SAR", "SEK", "SGD", "THB",
        "TRY", "TWD", "UAH", "VND", "ZAR",
    }
)  # fmt: skip
_MEASURE: Final = "bitcoin"
_URL: Final = "https://api.coingecko.com/api/v3"
_PRO_URL: Final = "https://pro-api.coingecko.com/api/v3"
_PACE: Final = 0.45  # requests a second without a key
_PACE_WITH_KEY: Final = 5.0
_DIGITS: Final = 18  # of what a currency is worth
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class CoinGeckoFeed:
    """`GET /simple/price`. A limit reached has been seen with status 200: the body is looked at."""

    name = "coingecko"
    currency = "USD"

    def __init__(
        self,
        now: Callable[[], datetime],
        base_url: str | None = None,
        *,
        pro_api_key: str | None = None,
        transport: Transport | None = None,
    ) -> None:
        headers = {"x-cg-pro-api-key": pro_api_key} if pro_api_key else None
        pace = _PACE_WITH_KEY if pro_api_key else _PACE
        self._source = Source(
            self.name,
            base_url or (_PRO_URL if pro_api_key else _URL),
            now=now,
            requests_per_second=pace,
            burst=3,
            headers=headers,
            transport=transport,
        )

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        ids = {symbol: _IDS[symbol] for symbol in symbols if symbol in _IDS}
        currencies = [symbol for symbol in symbols if symbol in _CURRENCIES]
        wanted = dict.fromkeys([*ids.values(), *([_MEASURE] if currencies else [])])
        if not wanted:
            return {}
        status, answer, _ = await self._source.get(
            "/simple/price",
            ids=",".join(wanted),
            vs_currencies=",".join(["usd", *(symbol.lower() for symbol in currencies)]),
            include_last_updated_at="true",
            precision="full",
        )
        if status != 200 or not isinstance(answer, dict) or "status" in answer:
            raise self._source.refused(status)
        if answer.keys() - wanted.keys():
            raise self._source.refused(status, "not what was asked for")
        found = {symbol: self._quote(answer.get(name)) for symbol, name in ids.items()}
        measure = answer.get(_MEASURE)
        found |= {symbol: self._currency(measure, symbol.lower()) for symbol in currencies}
        return {symbol: quote for symbol, quote in found.items() if quote is not None}

    async def aclose(self) -> None:
        await self._source.aclose()

    def _quote(self, coin: Any) -> Quote | None:
        """An unknown coin or currency is simply absent."""
        if not isinstance(coin, dict) or "usd" not in coin:
            return None
        updated_at = coin.get("last_updated_at")
        if type(updated_at) is not int or not 0 < updated_at < 2**40:
            return Quote(self.name, None, _NEVER, dropped="it does not say how old its price is")
        return self._source.quote(coin["usd"], datetime.fromtimestamp(updated_at, UTC))

    def _currency(self, coin: Any, name: str) -> Quote | None:
        """Dollars for one of a currency."""
        if not isinstance(coin, dict) or name not in coin:
            return None
        quote, other = self._quote(coin), price_in(coin[name])
        if quote is None or quote.price is None or other is None:
            return None if quote is None else self._source.quote(None, quote.quoted_at)
        with localcontext(prec=_DIGITS):
            return replace(quote, price=quote.price / other)

    async def past(self, symbol: str, days: int) -> Sequence[tuple[datetime, Decimal]]:
        """Prices in dollars of the last days, oldest first: each 5 minutes for one day, each hour up
        to 90, else each day. Nothing for a symbol it does not know. Raises FeedUnavailable.
        """
        if symbol not in _IDS:
            return ()
        status, answer, _ = await self._source.get(
            f"/coins/{_IDS[symbol]}/market_chart", vs_currency="usd", days=str(days)
        )
        points = answer.get("prices") if isinstance(answer, dict) else None
        if status != 200 or not isinstance(points, list):
            raise self._source.refused(status)
        return [point for point in map(_point, points) if point is not None]


def _point(point: Any) -> tuple[datetime, Decimal] | None:
    """`[milliseconds, price]`; None for what is no such thing."""
    if not isinstance(point, list) or len(point) != 2:
        return None
    milliseconds, price = point[0], price_in(point[1])
    if price is None or type(milliseconds) is not int or not 0 < milliseconds < 2**50:
        return None
    return datetime.fromtimestamp(milliseconds // 1000, UTC), price
