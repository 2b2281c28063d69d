"""Standings that processes share over a Redis: one asks, the others read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from flamewire_ledger.domain.money import Asset
from flamewire_ledger.prices.board import PriceBoard
from flamewire_ledger.prices.redis_standings import RedisStandings
from flamewire_ledger.prices.standing import Patience
from tests.prices.stand_in import StandIn

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
UNHURRIED = Patience(feed_seconds_max=60)  # however slow the machine is
TAO, USD = Asset("bittensor:TAO", 9), Asset("USD", 2)


class Processes:
    """Boards of several processes over the same sources and the same Redis."""

    def __init__(self, url: str) -> None:
        self.now = NOON
        self.stand_in = StandIn(lambda: self.now)
        self.url, self.prefix = url, f"test:{uuid4()}:"
        self.shared: list[RedisStandings] = []

    def process(self) -> PriceBoard:
        shared = RedisStandings(self.url, lambda: 0.0, prefix=self.prefix, answer_seconds_max=30)
        self.shared.append(shared)
        return PriceBoard(self.stand_in.feeds(), shared=shared, patience=UNHURRIED)

    async def price(self, board: PriceBoard) -> Decimal:
        return (await board.pair(TAO, USD, self.now)).rate.price


@pytest.fixture
async def processes(redis_url: str) -> AsyncIterator[Processes]:
    made = Processes(redis_url)
    yield made
    for shared in made.shared:
        await shared.aclose()


async def test_what_one_process_heard_the_others_read(processes: Processes) -> None:
    first, second = processes.process(), processes.process()
    pair = await first.pair(TAO, USD, processes.now)
    asked = len(processes.stand_in.asked)
    again = await second.pair(TAO, USD, processes.now)
    assert again == pair
    assert len(processes.stand_in.asked) == asked
    assert await processes.process().followed() == {"TAO", "USDT"}


async def test_many_callers_of_many_processes_make_one_refresh(processes: Processes) -> None:
    alone = StandIn(lambda: NOON)
    await PriceBoard(alone.feeds()).pair(TAO, USD, NOON)
    boards = [processes.process() for _ in range(4)]
    prices = await asyncio.gather(*(processes.price(board) for board in boards for _ in range(25)))
    assert len(set(prices)) == 1
    assert len(processes.stand_in.asked) == len(alone.asked)


async def test_a_jump_may_be_said_to_one_process_and_then_to_another(processes: Processes) -> None:
    first, second = processes.process(), processes.process()
    await processes.price(first)
    processes.stand_in.prices["TAO"] = Decimal(300)
    processes.now += timedelta(seconds=61)
    assert await processes.price(first) == Decimal("412.5")
    processes.now += timedelta(seconds=61)
    assert await processes.price(second) == 300


async def test_a_later_standing_stays_whoever_writes_last(processes: Processes) -> None:
    first, second = processes.process(), processes.process()
    await processes.price(first)
    old = await processes.shared[0].read(["TAO"])
    processes.now += timedelta(seconds=61)
    processes.stand_in.prices["TAO"] = Decimal(420)
    await processes.price(second)
    await processes.shared[0].write(list(old.values()))
    kept = (await processes.shared[1].read(["TAO"]))["TAO"].price
    assert kept is not None
    assert kept.dollars == 420


async def test_a_process_that_died_while_it_asked_is_not_waited_for(processes: Processes) -> None:
    dead, alive = processes.process(), processes.process()
    assert await processes.shared[0].claim(0.1)
    assert not await processes.shared[1].claim(0.1)
    assert await processes.price(alive) == Decimal("412.5")
    await processes.shared[0].release()  # it was not dead after all: what is ours stays ours
    del dead


async def test_without_its_redis_a_process_asks_for_itself(processes: Processes) -> None:
    processes.url = "redis://127.0.0.1:9/0"
    assert await processes.price(processes.process()) == Decimal("412.5")
    assert await processes.price(processes.process()) == Decimal("412.5")


async def test_what_is_no_standing_is_not_read(processes: Processes) -> None:
    board = processes.process()
    shared = processes.shared[0]
    await shared._redis.set(f"{processes.prefix}standing:TAO", "x" * 50)
    assert await shared.read(["TAO"]) == {}
    assert await processes.price(board) == Decimal("412.5")


async def test_a_young_price_asks_neither_redis_nor_a_source(processes: Processes) -> None:
    board = processes.process()
    await processes.price(board)
    before = len(processes.stand_in.asked)
    await processes.shared[0].aclose()
    processes.shared[0]._redis = None  # type: ignore[assignment]
    assert await processes.price(board) == Decimal("412.5")
    assert len(processes.stand_in.asked) == before
    processes.shared.clear()
