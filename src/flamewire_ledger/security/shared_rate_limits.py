"""Rate limits that several API processes share, counted in Redis.

Redis is never an authority: while it is away, or slow, each process counts for itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import redis
from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from flamewire_ledger.security.rate_limits import Policy, RateLimits, Verdict

ANSWER_SECONDS_MAX: Final = 0.2
ALONE_SECONDS: Final = 5.0  # how long to leave a Redis alone that did not answer


class SharedRateLimits:
    """A sliding window for each key, over all processes that use this Redis."""

    def __init__(
        self,
        redis_url: str,
        policy: Policy,
        alone: RateLimits,
        unix_time: Callable[[], float],
        *,
        prefix: str = "flamewire",
    ) -> None:
        """`alone` is what each process goes by while Redis does not answer."""
        self._storage = RedisStorage(
            f"async+{redis_url}",
            wrap_exceptions=True,
            implementation="redispy",
            key_prefix=prefix,
            socket_timeout=ANSWER_SECONDS_MAX,
            socket_connect_timeout=ANSWER_SECONDS_MAX,
        )
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._window = RateLimitItemPerSecond(policy.quota, policy.window_seconds)
        self._policy = policy
        self._alone = alone
        self._unix_time = unix_time
        self._alone_until = 0.0

    async def take(self, who: str, cost: int = 1) -> Verdict:
        if self._unix_time() < self._alone_until:
            return await self._alone.take(who, cost)
        try:
            allowed = await self._limiter.hit(self._window, who, cost=cost)
            resets_at, remaining = await self._limiter.get_window_stats(self._window, who)
        except (StorageError, redis.RedisError, OSError):
            self._alone_until = self._unix_time() + ALONE_SECONDS
            return await self._alone.take(who, cost)
        reset_seconds = min(
            max(1, math.ceil(resets_at - self._unix_time())), self._policy.window_seconds
        )
        return Verdict(allowed, self._policy, remaining, reset_seconds)
