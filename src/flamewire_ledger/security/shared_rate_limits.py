"""Rate limits that several API processes share, counted in Redis.

Asking Redis for each request would cost more than answering it, so a process takes a thousandth of
the quota at a time and spends it by itself. What is left of such an advance lapses within a second.
Redis is never an authority: while it is away, or slow, each process counts for itself.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import redis
from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from flamewire_ledger.security.rate_limits import BUCKETS_MAX, Policy, RateLimits, Verdict

ANSWER_SECONDS_MAX: Final = 0.2
ALONE_SECONDS: Final = 5.0  # how long to leave a Redis alone that did not answer
ADVANCE_SECONDS_MAX: Final = 1.0  # how long what was taken ahead may be spent
ADVANCES_A_QUOTA: Final = 1_000  # so many parts; a quota of fewer is counted one by one


@dataclass(slots=True)
class _Advance:
    """What this process has taken of one key's quota and not spent yet."""

    left: int = 0
    until: float = 0.0
    shared: int = 0  # what was left in Redis for everybody when it was taken
    resets_at: float = 0.0
    questions: int = 0  # asked so far
    refusal: Verdict | None = None  # what the last of them was answered, if it was one
    refused: int = 0  # how much that one asked for
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)


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
        self._at_once = max(1, policy.quota // ADVANCES_A_QUOTA)
        self._advances: OrderedDict[str, _Advance] = OrderedDict()

    async def take(self, who: str, cost: int = 1) -> Verdict:
        if self._unix_time() < self._alone_until:
            return await self._alone.take(who, cost)
        advance = self._advance_of(who)
        verdict = self._spend(advance, cost)
        if verdict is not None:
            return verdict
        before = advance.questions
        async with advance.one_at_a_time:
            # Whoever was first has taken enough for those who waited, mostly; or was refused for
            # them as well, by a question that was asked since they came.
            if (verdict := self._spend(advance, cost)) is not None:
                return verdict
            if advance.refusal and advance.questions > before and cost >= advance.refused:
                return advance.refusal
            return await self._ask(who, advance, cost)

    def _advance_of(self, who: str) -> _Advance:
        advance = self._advances.pop(who, None) or _Advance()
        self._advances[who] = advance
        if len(self._advances) > BUCKETS_MAX:
            self._advances.popitem(last=False)
        return advance

    def _spend(self, advance: _Advance, cost: int) -> Verdict | None:
        if advance.left < cost or self._unix_time() >= advance.until:
            return None
        advance.left -= cost
        return self._verdict(True, advance.shared + advance.left, advance.resets_at)

    async def _ask(self, who: str, advance: _Advance, cost: int) -> Verdict:
        """Take an advance, or when there is not that much left, no more than what it costs."""
        advance.questions += 1
        advance.refusal = None
        try:
            taken = max(cost, self._at_once)
            allowed = await self._limiter.hit(self._window, who, cost=taken)
            if not allowed and taken > cost:
                taken = cost
                allowed = await self._limiter.hit(self._window, who, cost=taken)
            resets_at, remaining = await self._limiter.get_window_stats(self._window, who)
        except (StorageError, redis.RedisError, OSError):
            self._alone_until = self._unix_time() + ALONE_SECONDS
            return await self._alone.take(who, cost)
        if allowed:
            advance.left = taken - cost
            advance.until = self._unix_time() + ADVANCE_SECONDS_MAX
            advance.shared, advance.resets_at = remaining, resets_at
            return self._verdict(True, remaining + advance.left, resets_at)
        advance.refusal, advance.refused = self._verdict(False, remaining, resets_at), cost
        return advance.refusal

    def _verdict(self, allowed: bool, remaining: int, resets_at: float) -> Verdict:
        seconds = max(1, math.ceil(resets_at - self._unix_time()))
        return Verdict(allowed, self._policy, remaining, min(seconds, self._policy.window_seconds))
