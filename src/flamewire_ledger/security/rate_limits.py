"""Rate limits: a bucket of tokens a key, refilled evenly; an empty one says when to come again.

The buckets are this process's own: with n API processes a key gets n times the quota, unless they
share one in Redis (shared_rate_limits.py).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

BUCKETS_MAX: Final = 100_000  # whoever was not heard of for longest is forgotten, and starts afresh


@dataclass(frozen=True, slots=True)
class Policy:
    """So many requests in a window; as many at once, when nobody came before."""

    quota: int
    window_seconds: int


@dataclass(slots=True)  # not frozen: one is made for each request
class Verdict:
    """What became of one request, in the terms of the RateLimit header draft."""

    allowed: bool
    policy: Policy
    remaining: int
    reset_seconds: int  # until the bucket is full; for a refusal, until one more is allowed


class RateLimits(Protocol):
    async def take(self, who: str, cost: int = 1) -> Verdict:
        """Take tokens from someone's bucket, or none when there are too few."""


class TokenBuckets:
    """Rate limits kept in memory. `monotonic` is seconds from a clock that never goes back."""

    def __init__(self, policy: Policy, monotonic: Callable[[], float]) -> None:
        self._policy = policy
        self._monotonic = monotonic
        self._rate = policy.quota / policy.window_seconds
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # (tokens, as of)

    async def take(self, who: str, cost: int = 1) -> Verdict:
        now = self._monotonic()
        tokens, since = self._buckets.pop(who, (float(self._policy.quota), now))
        tokens = min(self._policy.quota, tokens + (now - since) * self._rate)
        allowed = tokens >= min(cost, self._policy.quota)
        left = tokens - cost if allowed else tokens
        self._buckets[who] = (left, now)
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)
        missing = (self._policy.quota - left) if allowed else (cost - left)
        return Verdict(
            allowed, self._policy, max(0, math.floor(left)), max(1, math.ceil(missing / self._rate))
        )
