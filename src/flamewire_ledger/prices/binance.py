"""Binance's last price of a pair against USDT, many in one request. Turned into dollars elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from flamewire_ledger.domain.price_lock import Quote
from flamewire_ledger.prices.source import Source, Transport

_UNKNOWN: Final = -1121  # "Invalid symbol."
_UNKNOWN_MAX: Final = 1_000
_UNKNOWN_FOR: Final = timedelta(hours=1)  # what it does not trade today it may trade tomorrow
_URL: Final = "https://api.binance.com"


class BinanceFeed:
    """`GET /api/v3/ticker/price?symbols=["ETHUSDT","TAOUSDT"]`. 451 where it may not be asked from."""

    name = "binance"
    currency = "USDT"

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
            requests_per_second=2,
            burst=20,
            transport=transport,
        )
        self._now = now
        self._unknown: dict[str, datetime] = {}  # what it does not trade, and until when it is so

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """One unknown symbol refuses them all: then each is asked for alone, and what it does not
        know is not asked for again for an hour."""
        asked = [it for it in symbols if it != self.currency and not self._is_known_unknown(it)]
        if not asked:
            return {}
        pairs = json.dumps([f"{it}USDT" for it in asked], separators=(",", ":"))
        status, answer, at = await self._source.get("/api/v3/ticker/price", symbols=pairs)
        if _is_unknown(answer):
            return await self._source.one_by_one(asked, self._quote)
        if status != 200 or not isinstance(answer, list):
            raise self._source.refused(status, _why(answer))
        said = {str(it.get("symbol")): it.get("price") for it in answer if isinstance(it, dict)}
        found = {
            it: self._source.quote(said[f"{it}USDT"], at) for it in asked if f"{it}USDT" in said
        }
        if not found:
            raise self._source.refused(status, "none of what was asked for")
        return found

    async def aclose(self) -> None:
        await self._source.aclose()

    async def _quote(self, symbol: str) -> Quote | None:
        status, answer, at = await self._source.get("/api/v3/ticker/price", symbol=f"{symbol}USDT")
        if _is_unknown(answer):
            self._unknown[symbol] = self._now() + _UNKNOWN_FOR
            if len(self._unknown) > _UNKNOWN_MAX:
                del self._unknown[next(iter(self._unknown))]
            return None
        if status != 200 or not isinstance(answer, dict) or "price" not in answer:
            raise self._source.refused(status, _why(answer))
        if answer.get("symbol") != f"{symbol}USDT":
            raise self._source.refused(status, "not what was asked for")
        return self._source.quote(answer["price"], at)

    def _is_known_unknown(self, symbol: str) -> bool:
        until = self._unknown.get(symbol)
        if until is not None and until <= self._now():
            del self._unknown[symbol]
            return False
        return until is not None


def _is_unknown(answer: Any) -> bool:
    return isinstance(answer, dict) and answer.get("code") == _UNKNOWN


def _why(answer: Any) -> object:
    return answer.get("msg", "") if isinstance(answer, dict) else ""
