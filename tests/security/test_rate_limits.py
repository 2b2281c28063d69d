"""Buckets of tokens."""

from __future__ import annotations

from flamewire_ledger.security.rate_limits import Policy, TokenBuckets


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_bucket_gives_its_quota_at_once_and_then_as_it_refills():
    time = Seconds()
    buckets = TokenBuckets(Policy(quota=60, window_seconds=60), time)
    assert all([(await buckets.take("a")).allowed for _ in range(60)])
    refused = await buckets.take("a")
    assert (refused.allowed, refused.remaining, refused.reset_seconds) == (False, 0, 1)
    time.now += 2
    assert [(await buckets.take("a")).allowed for _ in range(3)] == [True, True, False]


async def test_each_has_a_bucket_of_their_own():
    buckets = TokenBuckets(Policy(1, 60), Seconds())
    assert (await buckets.take("a")).allowed
    assert (await buckets.take("b")).allowed
    assert not (await buckets.take("a")).allowed


async def test_a_full_bucket_does_not_grow():
    time = Seconds()
    buckets = TokenBuckets(Policy(2, 60), time)
    time.now += 3600
    assert [(await buckets.take("a")).allowed for _ in range(3)] == [True, True, False]


async def test_what_is_told_is_what_is_left():
    buckets = TokenBuckets(Policy(10, 10), Seconds())
    verdict = await buckets.take("a", 4)
    assert (verdict.allowed, verdict.remaining, verdict.reset_seconds) == (True, 6, 4)
