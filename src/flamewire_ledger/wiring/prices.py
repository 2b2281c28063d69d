"""Prices, put together: the five sources, and a board for each mode, shared over Redis where there is one."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime
from typing import TypeAlias

from flamewire_ledger.prices.binance import BinanceFeed
from flamewire_ledger.prices.board import PriceBoard
from flamewire_ledger.prices.coinbase import CoinbaseFeed
from flamewire_ledger.prices.coingecko import CoinGeckoFeed
from flamewire_ledger.prices.cryptocompare import CryptoCompareFeed
from flamewire_ledger.prices.kraken import KrakenFeed
from flamewire_ledger.prices.median import Trust
from flamewire_ledger.prices.sandbox import sandbox_feeds
from flamewire_ledger.prices.shared import AloneStandings, SharedStandings
from flamewire_ledger.settings import Settings
from flamewire_ledger.telemetry import Meters
from flamewire_ledger.wiring.clocks import RealClock

RealFeed: TypeAlias = KrakenFeed | CoinbaseFeed | CryptoCompareFeed | CoinGeckoFeed | BinanceFeed


def real_board(settings: Settings, stack: AsyncExitStack, meters: Meters) -> PriceBoard:
    """Real prices. No source is asked before a live merchant asks for a price, or takes payments."""
    feeds = real_feeds(settings)
    for feed in feeds:
        stack.push_async_callback(feed.aclose)
    trust = Trust(survivors_min=settings.price_sources_min)
    board = PriceBoard(feeds, trust=trust, shared=_shared(settings, stack, "live"), meter=meters)
    stack.push_async_callback(board.aclose)
    return board


def sandbox_board(
    settings: Settings, stack: AsyncExitStack, now: Callable[[], datetime], meters: Meters
) -> PriceBoard:
    """Prices that never change, by the sandbox clock; or real sources for the sandbox's merchants,
    where an address of a stand-in is given."""
    if settings.sandbox_price_sources_url is None:
        board = PriceBoard(sandbox_feeds(now), shared=_shared(settings, stack, "test"))
    else:
        feeds = _feeds(now, settings, settings.sandbox_price_sources_url)
        for feed in feeds:
            stack.push_async_callback(feed.aclose)
        trust = Trust(survivors_min=settings.price_sources_min)
        shared = _shared(settings, stack, "test")
        board = PriceBoard(feeds, trust=trust, shared=shared, meter=meters)
    stack.push_async_callback(board.aclose)
    return board


def real_feeds(settings: Settings) -> tuple[RealFeed, ...]:
    """The five, closed by whoever asked for them."""
    return _feeds(RealClock().now, settings, settings.price_sources_url)


def coingecko(settings: Settings, *, livemode: bool = True) -> CoinGeckoFeed:
    """The one that knows the past; the sandbox's is that of its stand-in."""
    url = settings.price_sources_url if livemode else settings.sandbox_price_sources_url
    return _coingecko(RealClock().now, settings, url)


def _feeds(
    now: Callable[[], datetime], settings: Settings, base_url: str | None
) -> tuple[RealFeed, ...]:
    """At their own addresses; or each behind its name at another one."""
    return (
        KrakenFeed(now, _at(base_url, "kraken")),
        CoinbaseFeed(now, _at(base_url, "coinbase")),
        CryptoCompareFeed(now, _at(base_url, "cryptocompare")),
        _coingecko(now, settings, base_url),
        BinanceFeed(now, _at(base_url, "binance")),
    )


def _coingecko(
    now: Callable[[], datetime], settings: Settings, base_url: str | None
) -> CoinGeckoFeed:
    key = settings.coingecko_api_key
    secret = None if key is None else key.get_secret_value()
    return CoinGeckoFeed(now, _at(base_url, "coingecko"), pro_api_key=secret)


def _at(base_url: str | None, name: str) -> str | None:
    return None if base_url is None else f"{base_url.rstrip('/')}/{name}"


def _shared(settings: Settings, stack: AsyncExitStack, mode: str) -> SharedStandings:
    if settings.redis_url is None:
        return AloneStandings()
    from flamewire_ledger.prices.redis_standings import RedisStandings

    shared = RedisStandings(
        settings.redis_url.get_secret_value(),
        time.monotonic,
        prefix=f"{settings.redis_prefix}:prices:{mode}:",
    )
    stack.push_async_callback(shared.aclose)
    return shared
