"""The stand-in for price sources as tests ask it: an httpx transport a source, in memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx

from flamewire_ledger.prices import stand_in
from flamewire_ledger.prices.binance import BinanceFeed
from flamewire_ledger.prices.coinbase import CoinbaseFeed
from flamewire_ledger.prices.coingecko import CoinGeckoFeed
from flamewire_ledger.prices.cryptocompare import CryptoCompareFeed
from flamewire_ledger.prices.kraken import KrakenFeed
from flamewire_ledger.prices.stand_in import FAULTS, NAMES, PRICES, Fault, Name, serving

__all__ = ["FAULTS", "NAMES", "PRICES", "Fault", "Name", "StandIn", "serving"]


@dataclass
class StandIn(stand_in.StandIn):
    """What the five say. `faults` may change at any time."""

    slow_seconds: float = 0  # it is given up at once

    def transport(self, name: Name) -> httpx.AsyncBaseTransport:
        async def handle(request: httpx.Request) -> httpx.Response:
            match self.faults.get(name):
                case "down":
                    raise httpx.ConnectError("connection refused")
                case "slow":
                    await asyncio.sleep(self.slow_seconds)
                    raise httpx.ReadTimeout("it took too long")
            query = dict(request.url.params)
            status, headers, body = self.answer(name, request.url.path, query)
            return httpx.Response(status, headers=dict(headers), content=body)

        return httpx.MockTransport(handle)

    def feeds(
        self,
    ) -> list[KrakenFeed | CoinbaseFeed | CryptoCompareFeed | CoinGeckoFeed | BinanceFeed]:
        """All five, as they are wired."""
        return [
            KrakenFeed(self.now, transport=self.transport("kraken")),
            CoinbaseFeed(self.now, transport=self.transport("coinbase")),
            CryptoCompareFeed(self.now, transport=self.transport("cryptocompare")),
            CoinGeckoFeed(self.now, transport=self.transport("coingecko")),
            BinanceFeed(self.now, transport=self.transport("binance")),
        ]
