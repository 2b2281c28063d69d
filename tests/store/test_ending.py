"""Who ends a task leaves it ended, also when its own time is up meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from flamewire_ledger.store.ending import end


async def _work(going: asyncio.Event, let_go: asyncio.Event) -> None:
    try:
        going.set()
        await asyncio.Event().wait()
    finally:
        await let_go.wait()  # a connection that takes its time to be cancelled


async def test_a_task_has_ended_when_the_one_who_ends_it_is_cancelled_twice() -> None:
    going, let_go = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(_work(going, let_go))
    await going.wait()
    ending = asyncio.create_task(end(task))
    for _ in range(2):
        await asyncio.sleep(0)
        ending.cancel()
    await asyncio.sleep(0)
    assert not ending.done()
    let_go.set()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert task.cancelled()


async def test_a_task_that_is_done_keeps_its_result() -> None:
    task = asyncio.create_task(asyncio.sleep(0, "result"))
    await task
    await end(task)
    assert task.result() == "result"
