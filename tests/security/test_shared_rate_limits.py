"""Rate limits in a real Redis: shared by processes, and no reason to fail when it is gone."""

from __future__ import annotations

import time

from flamewire_ledger.security.rate_limits import Policy, TokenBuckets
from flamewire_ledger.security.shared_rate_limits import SharedRateLimits
from tests.services.redis import PrivateRedis

POLICY = Policy(quota=5, window_seconds=600)


def limits(url: str, prefix: str) -> SharedRateLimits:
    return SharedRateLimits(
        url, POLICY, TokenBuckets(POLICY, time.monotonic), time.time, prefix=prefix
    )


async def test_two_processes_share_one_quota(redis_url: str, redis_prefix: str):
    here, there = limits(redis_url, redis_prefix), limits(redis_url, redis_prefix)
    allowed = [(await each.take("key_1")).allowed for each in (here, there, here, there, here)]
    assert allowed == [True] * 5
    refused = await there.take("key_1")
    assert not refused.allowed
    assert refused.remaining == 0
    assert 1 <= refused.reset_seconds <= 600
    assert (await there.take("key_2")).allowed


async def test_without_redis_each_process_counts_for_itself(redis_server: PrivateRedis):
    shared = limits(redis_server.url, "test")
    assert (await shared.take("key_1")).allowed
    redis_server.kill()
    verdicts = [await shared.take("key_1") for _ in range(6)]
    assert [verdict.allowed for verdict in verdicts] == [True] * 5 + [False]
