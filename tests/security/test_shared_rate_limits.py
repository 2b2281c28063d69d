"""Rate limits in a real Redis: shared by processes, and no reason to fail when it is gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import redis

from flamewire_ledger.security.rate_limits import Policy, TokenBuckets
from flamewire_ledger.security.shared_rate_limits import SharedRateLimits
from tests.services.redis import PrivateRedis

POLICY = Policy(quota=5, window_seconds=600)


def limits(
    url: str, prefix: str, policy: Policy = POLICY, now: Callable[[], float] = time.time
) -> SharedRateLimits:
    alone = TokenBuckets(policy, time.monotonic)
    return SharedRateLimits(url, policy, alone, now, prefix=prefix)


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


async def test_a_large_quota_is_spent_to_the_last_request_and_no_further(
    redis_url: str, redis_prefix: str
):
    policy = Policy(quota=3_000, window_seconds=600)  # three at a time
    here, there = (limits(redis_url, redis_prefix, policy) for _ in range(2))
    allowed = 0
    for _ in range(1_600):
        verdicts = await asyncio.gather(here.take("key_1"), there.take("key_1"))
        allowed += sum(verdict.allowed for verdict in verdicts)
    # Of what one has taken ahead, the other sees nothing: two of three may lapse.
    assert 3_000 - 2 <= allowed <= 3_000
    assert not (await here.take("key_1")).allowed


async def test_most_requests_do_not_ask_redis(redis_server: PrivateRedis):
    policy = Policy(quota=100_000, window_seconds=600)
    shared = limits(redis_server.url, "ahead", policy)
    first = await shared.take("key_1")
    redis_server.kill()
    rest = [await shared.take("key_1") for _ in range(99)]
    assert all(verdict.allowed for verdict in rest)
    assert [it.remaining for it in (first, *rest)] == list(range(99_999, 99_899, -1))


async def test_what_was_taken_ahead_lapses(redis_url: str, redis_prefix: str):
    policy = Policy(quota=2_000, window_seconds=600)  # two at a time
    now = time.time()
    shared = limits(redis_url, redis_prefix, policy, lambda: now)
    first = await shared.take("key_1")
    assert first.remaining == 1_999
    now += 2
    later = await shared.take("key_1")
    assert later.remaining == 1_997  # the second of the first two is gone


async def test_those_who_are_refused_together_are_refused_at_once(redis_server: PrivateRedis):
    """One question after the other for each would make a queue of whoever is over the limit."""
    shared = limits(redis_server.url, "crowd")
    assert all([(await shared.take("key_1")).allowed for _ in range(5)])
    with redis.Redis.from_url(redis_server.url) as client:
        before = client.info("stats")["total_commands_processed"]
        verdicts = await asyncio.gather(*(shared.take("key_1") for _ in range(500)))
        after = client.info("stats")["total_commands_processed"]
    assert not any(verdict.allowed for verdict in verdicts)
    assert after - before < 50
