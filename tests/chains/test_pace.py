"""How fast an endpoint is asked, by a clock that only waiting moves."""

from __future__ import annotations

import asyncio

import pytest

from flamewire_ledger.chains.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


def pace(clock: Clock, per_second: int | None) -> Pace:
    return Pace(per_second, clock=clock, sleep=clock.sleep)


async def test_without_a_limit_nobody_waits() -> None:
    clock = Clock()
    for _ in range(1000):
        await pace(clock, None).wait(50)
    assert clock.now == 100.0


@pytest.mark.parametrize("requests", [1, 2, 3, 7])
async def test_no_second_holds_more_than_is_allowed(requests: int) -> None:
    clock = Clock()
    paced, sent = pace(clock, 7), []
    for number in range(60):
        await paced.wait(requests)
        sent.append(clock.now)
        clock.now += 0.01 * (number % 4)
    for begin in sent:
        within = [at for at in sent if begin <= at < begin + 0.999_999]
        assert len(within) * requests <= 7
    assert clock.now - 100.0 <= 60 / (7 // requests) + 1, "and no more is waited than that takes"


async def test_a_batch_larger_than_a_second_allows_is_paid_for_behind_it() -> None:
    clock = Clock()
    paced = pace(clock, 10)
    await paced.wait(45)
    assert clock.now == 100.0
    await paced.wait(5)
    assert clock.now == pytest.approx(104.0)
    await paced.wait(10)
    assert clock.now == pytest.approx(105.0)


async def test_who_waits_is_served_in_order() -> None:
    clock = Clock()
    paced, served = pace(clock, 1), []

    async def one(number: int) -> None:
        await paced.wait()
        served.append((number, clock.now))

    await asyncio.gather(*(one(number) for number in range(4)))
    assert [number for number, _ in served] == [0, 1, 2, 3]
    assert [at for _, at in served] == pytest.approx([100.0, 101.0, 102.0, 103.0])


def test_a_limit_that_allows_nothing_is_none() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Pace(0)
