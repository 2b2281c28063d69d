"""What is said to be reached is so by the database that answers now."""

from __future__ import annotations

import asyncio
import gc

from flamewire_ledger.queries import progress
from flamewire_ledger.queries.progress import Progress

NAME = "credit_balance"


class Pool:
    """Of connections to a database where a read model is at a position."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.asked = 0

    def connection(self) -> Pool:
        return self

    async def __aenter__(self) -> Pool:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def execute(self, *_: object) -> Pool:
        self.asked += 1
        return self

    async def fetchall(self) -> list[dict[str, object]]:
        return [{"name": NAME, "partition": 0, "position": self.position}]


async def test_after_a_failover_nothing_is_said_to_be_reached_that_was_so_before() -> None:
    """The standby that was promoted lacks the end; it comes as far again in the end."""
    pool = Pool(1000)
    reads = Progress(pool)  # type: ignore[arg-type]
    assert await reads.wait_for(0, 1000, [NAME], 1)
    pool.position = 880
    await asyncio.sleep(2 * progress._TRUSTED_SECONDS)
    assert await reads.wait_for(0, 880, [NAME], 1)
    assert not await reads.wait_for(0, 905, [NAME], 0.05)
    pool.position = 905
    assert await reads.wait_for(0, 905, [NAME], 1)


async def test_those_who_ask_at_about_the_same_time_share_a_question() -> None:
    pool = Pool(1000)
    reads = Progress(pool)  # type: ignore[arg-type]
    for _ in range(3):
        waiting = (reads.wait_for(0, 900, [NAME], 1) for _ in range(100))
        assert all(await asyncio.gather(*waiting))
    assert pool.asked == 1


async def test_what_is_not_reached_is_asked_for_again_after_a_pause_each() -> None:
    pool = Pool(880)
    reads = Progress(pool, poll_seconds=0.02)  # type: ignore[arg-type]
    assert not await reads.wait_for(0, 905, [NAME], 0.2)
    assert 2 <= pool.asked <= 11


class ClosedPool(Pool):
    async def __aenter__(self) -> Pool:
        await asyncio.sleep(0.01)
        raise ConnectionError("the pool is closed")


async def test_a_question_that_fails_when_nobody_waits_any_more_is_no_fault_of_the_process() -> (
    None
):
    """As when a process ends while somebody waits for a read model."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: complaints.append(fault))
    reads = Progress(ClosedPool(0))  # type: ignore[arg-type]
    waiting = asyncio.create_task(reads.wait_for(0, 1, [NAME], 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0.05)
    del reads, waiting
    gc.collect()
    assert complaints == []
