"""A shelf in a real Redis: the latest stays, and a Redis that is away is left alone."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from itertools import permutations

import pytest
import redis.asyncio

from flamewire_ledger.queries.redis_shelf import ALONE_SECONDS, VALUE_BYTES_MAX, RedisShelf
from tests.services.redis import PrivateRedis


def patient(url: str, prefix: str = "flamewire:") -> RedisShelf:
    """One that a busy machine does not keep from answering."""
    return RedisShelf(url, time.monotonic, prefix=prefix, answer_seconds_max=10)


@pytest.fixture
async def shelf(redis_url: str, redis_prefix: str) -> AsyncIterator[RedisShelf]:
    made = patient(redis_url, redis_prefix)
    yield made
    await made.aclose()


async def commands_of(url: str) -> int:
    async with redis.asyncio.Redis.from_url(url) as client:
        return int((await client.info("commandstats")).get("cmdstat_mget", {}).get("calls", 0))


async def test_what_is_kept_is_there_with_its_age(shelf: RedisShelf):
    assert await shelf.get("a") is None
    await shelf.keep("a", (7, 10**15), b"facts")
    assert await shelf.get("a") == ((7, 10**15), b"facts")


async def test_the_latest_stays_whoever_comes_last(shelf: RedisShelf):
    ages = [(9, 100), (10, 90), (10, 95)]
    for number, order in enumerate(permutations(ages)):
        for age in order:
            await shelf.keep(f"{number}", age, b"%d %d" % age)
        assert await shelf.get(f"{number}") == ((10, 95), b"10 95")


async def test_two_who_keep_at_once_leave_the_latest(redis_url: str, redis_prefix: str):
    here, there = patient(redis_url, redis_prefix), patient(redis_url, redis_prefix)
    numbers = random.Random(5)
    for number in range(50):
        ages = [(numbers.randrange(100), numbers.randrange(100)) for _ in range(4)]
        shelves = [numbers.choice((here, there)) for _ in ages]
        pairs = zip(shelves, ages, strict=True)
        await asyncio.gather(*(it.keep(f"{number}", age, b"%d %d" % age) for it, age in pairs))
        assert await here.get(f"{number}") == (max(ages), b"%d %d" % max(ages))
    await here.aclose()
    await there.aclose()


async def test_many_keys_go_in_few_commands(redis_server: PrivateRedis):
    shelf = patient(redis_server.url)
    for number in range(100):
        await shelf.keep(f"{number}", (1, 1), b"facts")
    before = await commands_of(redis_server.url)
    found = await asyncio.gather(*(shelf.get(f"{number}") for number in range(100)))
    assert found == [((1, 1), b"facts")] * 100
    assert await commands_of(redis_server.url) - before <= 2
    await shelf.aclose()


async def test_what_is_too_large_or_not_ours_is_not_there(
    shelf: RedisShelf, redis_url: str, redis_prefix: str
):
    await shelf.keep("large", (1, 1), bytes(VALUE_BYTES_MAX + 1))
    assert await shelf.get("large") is None
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        await client.set(f"{redis_prefix}odd", b"hello")
    assert await shelf.get("odd") is None


async def test_what_nobody_replaces_goes_by_itself(
    shelf: RedisShelf, redis_url: str, redis_prefix: str
):
    await shelf.keep("a", (1, 1), b"facts")
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        assert 0 < await client.pttl(f"{redis_prefix}a") <= 600_000


async def test_a_dead_redis_is_asked_once_in_a_while_and_used_again_when_it_is_back(
    redis_server: PrivateRedis,
):
    now = 0.0
    shelf = RedisShelf(redis_server.url, lambda: now, answer_seconds_max=10)
    await shelf.keep("a", (1, 1), b"facts")
    redis_server.kill()
    asked = 0
    mget = shelf._mget

    async def counted(keys):
        nonlocal asked
        asked += 1
        return await mget(keys)

    shelf._reading._ask = counted
    for _ in range(50):
        assert await shelf.get("a") is None
        await shelf.keep("a", (2, 2), b"facts")
    assert asked == 1
    redis_server.start()
    assert await shelf.get("a") is None
    now += ALONE_SECONDS
    await shelf.keep("a", (3, 3), b"facts")
    assert await shelf.get("a") == ((3, 3), b"facts")
    await shelf.aclose()


async def test_a_redis_that_hangs_holds_nobody_up_for_long(redis_server: PrivateRedis):
    shelf = RedisShelf(redis_server.url, time.monotonic)
    await shelf.get("a")
    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        for _ in range(20):
            assert await shelf.get("a") is None
        assert time.monotonic() - began < 1
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)
    await shelf.aclose()
