"""The price of a lock from a cache: what a payment waits for before it is promised a rate.

From memory, as nearly every lock finds it, and from Redis, as a process does that has not been asked
yet, beside a round of all five sources, which answer at once: what is left of a round without the
network. Every time is one call's; the aims are for the slowest in a hundred.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from flamewire_ledger.api.pricing import Prices, Till
from flamewire_ledger.domain.money import Asset
from flamewire_ledger.prices.board import PriceBoard
from flamewire_ledger.prices.redis_standings import RedisStandings
from flamewire_ledger.prices.shared import SharedStandings
from scripts.benchmarks.figure import BenchmarkFailed, Figure
from scripts.benchmarks.load.plan import percentile
from scripts.benchmarks.options import Options
from tests.prices.stand_in import StandIn
from tests.services.redis import PrivateRedis

_SECONDS: Final = 3.0
_ROUNDS: Final = 20  # of the sources
_TAO, _EUR = Asset("bittensor:TAO", 9), Asset("EUR", 2)
_CREDIT_PRICE: Final = Decimal("0.001")


def run(options: Options) -> list[Figure]:
    seconds = options.lasting(_SECONDS).measured_seconds
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flamewire-bench-")))
        redis = PrivateRedis(folder / "redis")
        redis.start()
        stack.callback(redis.stop)
        return asyncio.run(_measured(redis.url, seconds))


async def _measured(redis_url: str, seconds: float) -> list[Figure]:
    now = datetime.now(UTC)
    shared = RedisStandings(redis_url, time.monotonic)
    try:
        asked = [(await _timed(_board(now), now))[0] for _ in range(_ROUNDS)]
        board = _board(now, shared)
        _, price = await _timed(board, now)
        from_memory = await _repeated(lambda: board, now, price, seconds)
        # A board that knows nothing yet, of a process that is connected.
        from_redis = await _repeated(lambda: _board(now, shared), now, price, seconds)
    finally:
        await shared.aclose()
    return [
        _figure("the price of a lock from memory, p99", from_memory, asked),
        _figure("the price of a lock from Redis, p99", from_redis, asked),
    ]


def _board(now: datetime, shared: SharedStandings | None = None) -> PriceBoard:
    return PriceBoard(StandIn(lambda: now).feeds(), shared=shared)


async def _timed(board: Prices, now: datetime) -> tuple[float, Decimal]:
    """As a payment intent or a lock asks: a till is one request's."""
    began = time.perf_counter()
    rate = (await Till(board, _CREDIT_PRICE, now).rate(_TAO, _EUR)).rate
    return time.perf_counter() - began, rate.price


async def _repeated(
    board: Callable[[], Prices], now: datetime, price: Decimal, seconds: float
) -> list[float]:
    times: list[float] = []
    until = time.perf_counter() + seconds
    while not times or time.perf_counter() < until:
        took, found = await _timed(board(), now)
        times.append(took)
        if found != price:
            raise BenchmarkFailed(f"the price was {found}, and is {price}")
    return times


def _figure(name: str, times: list[float], asked: list[float]) -> Figure:
    return Figure(
        name,
        1e3 * percentile(sorted(times), 0.99),
        "ms",
        1e3 * statistics.median(asked),
        "five sources asked, without a network",
        1.0,
        less_is_better=True,
        note=f"p50 {1e6 * statistics.median(times):.0f} µs of {len(times):,}",
    )
