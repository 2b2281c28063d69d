"""The writer batches what comes at once, tries again what lost a race, and never waits forever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from flamewire_ledger.commands.decider import Contended, Done, Failed
from flamewire_ledger.commands.lane import TRIES_MAX
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.rejection import LimitReached, NotAllowed
from flamewire_ledger.store.event_store import NewEvent, StoreUnavailable, StreamAppend
from tests.commands.counter import CODEC, break_down, empty, fill
from tests.commands.watched_store import WatchedStore
from tests.store.contract import append


@asynccontextmanager
async def running(store: WatchedStore, **settings: Any) -> AsyncIterator[Writer]:
    writer = Writer(store, CODEC, **settings)
    task = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        writer.stop()
        await task


async def test_a_lone_command_is_executed_at_once():
    async with running(WatchedStore(), batch_wait_ms_max=60_000) as writer:
        async with asyncio.timeout(5):
            assert await writer.submit(fill("a", 5)) == Done(1, b"5", False)


async def test_commands_that_come_together_share_an_append():
    store = WatchedStore()
    async with running(store) as writer:
        outcomes = await asyncio.gather(*(writer.submit(fill("a", 1)) for _ in range(200)))
    assert sorted(o.position for o in outcomes if isinstance(o, Done)) == list(range(1, 201))
    assert store.asked["append"] == 1


async def test_while_a_batch_commits_the_next_one_forms():
    store = WatchedStore()
    gate = asyncio.Event()
    store.before_append = gate.wait
    async with running(store) as writer:
        first = asyncio.create_task(writer.submit(fill("a", 1)))
        await asyncio.sleep(0.01)
        others = [asyncio.create_task(writer.submit(fill("a", 1))) for _ in range(50)]
        await asyncio.sleep(0.01)
        assert (writer.queued, store.asked["append"]) == (50, 1)
        gate.set()
        await asyncio.gather(first, *others)
    assert store.asked["append"] == 2


async def test_a_batch_has_a_limit():
    store = WatchedStore()
    async with running(store, batch_commands_max=10) as writer:
        await writer.submit_many([fill("a", 1) for _ in range(25)])
    assert store.asked["append"] == 3


async def test_outcomes_come_in_the_order_sent():
    async with running(WatchedStore()) as writer:
        outcomes = await writer.submit_many(
            [fill("a", 5), empty("b", 1), break_down("a"), empty("a", 5)]
        )
        assert await writer.submit_many([]) == []
    assert outcomes[0] == Done(1, b"5", False)
    assert isinstance(outcomes[1], NotAllowed)
    assert isinstance(outcomes[2], Failed)
    assert outcomes[3] == Done(2, b"0", False)
    counts = writer.counts
    assert (counts.commands, counts.recorded, counts.rejected, counts.failed) == (4, 2, 1, 1)


async def test_a_fault_in_deciding_is_raised_to_its_caller():
    async with running(WatchedStore()) as writer:
        with pytest.raises(ZeroDivisionError):
            await writer.submit(break_down("a"))


async def test_who_loses_a_race_decides_again():
    store = WatchedStore()
    rivals = 3

    async def race() -> None:
        nonlocal rivals
        if rivals:
            rivals -= 1
            version = len(await store.read_stream(0, "a"))
            event = NewEvent("purse.filled.v1", b'{"coins":100}')
            await super(WatchedStore, store).append(
                0, [append(StreamAppend("a", version, [event]))]
            )

    store.before_append = race
    store.turns_keep_others_away = False
    async with running(store) as writer:
        outcomes = await writer.submit_many([fill("a", 1), fill("a", 1)])
    assert outcomes == [Done(4, b"301", False), Done(5, b"302", False)]
    assert writer.counts.tried_again == 6


async def test_who_loses_every_race_is_told_after_a_bounded_number_of_tries():
    store = WatchedStore()

    async def race() -> None:
        version = len(await store.read_stream(0, "a"))
        event = NewEvent("purse.filled.v1", b'{"coins":100}')
        await super(WatchedStore, store).append(0, [append(StreamAppend("a", version, [event]))])

    store.before_append = race
    store.turns_keep_others_away = False
    async with running(store) as writer:
        assert await writer.submit(fill("a", 1)) == Contended(("a",))
    assert store.asked["append"] == TRIES_MAX


async def test_what_the_store_cannot_take_fails_alone():
    store = WatchedStore()
    store.poison = "bad"
    async with running(store) as writer:
        outcomes = await writer.submit_many([fill("a", 1), fill("bad", 1), fill("b", 1)])
    assert outcomes[0] == Done(1, b"1", False)
    assert isinstance(outcomes[1], Failed)
    assert outcomes[2] == Done(2, b"1", False)


async def test_a_store_that_stays_away_is_told_to_the_caller():
    store = WatchedStore()
    store.unavailable_before = 1_000
    async with running(store, unavailable_seconds_max=0.3) as writer:
        with pytest.raises(StoreUnavailable):
            await writer.submit(fill("a", 1))
        store.unavailable_before = 0
        assert await writer.submit(fill("a", 1)) == Done(1, b"1", False)


async def test_a_full_queue_pushes_back_and_then_refuses():
    store = WatchedStore()
    gate = asyncio.Event()
    store.before_append = gate.wait
    settings = {"queue_commands_max": 2, "queue_wait_seconds_max": 0.2, "batch_commands_max": 1}
    async with running(store, **settings) as writer:
        waiting = [asyncio.create_task(writer.submit(fill("a", 1))) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert isinstance(await writer.submit(fill("a", 1)), LimitReached)
        late = asyncio.create_task(writer.submit(fill("a", 1)))
        gate.set()
        assert isinstance(await late, Done)
        await asyncio.gather(*waiting)


async def test_stopping_finishes_what_is_queued_and_takes_nothing_more():
    store = WatchedStore()
    gate = asyncio.Event()
    store.before_append = gate.wait
    writer = Writer(store, CODEC)
    task = asyncio.create_task(writer.run())
    queued = [asyncio.create_task(writer.submit(fill("a", 1))) for _ in range(3)]
    await asyncio.sleep(0.01)
    writer.stop()
    with pytest.raises(StoreUnavailable):
        await writer.submit(fill("a", 1))
    gate.set()
    await task
    assert [isinstance(o, Done) for o in await asyncio.gather(*queued)] == [True] * 3


async def test_a_cancelled_writer_leaves_nobody_waiting():
    store = WatchedStore()
    store.before_append = asyncio.Event().wait
    writer = Writer(store, CODEC)
    task = asyncio.create_task(writer.run())
    caller = asyncio.create_task(writer.submit(fill("a", 1)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(StoreUnavailable):
        await caller


async def test_a_cancelled_writer_does_not_take_back_what_it_has_answered():
    """Cancelled between two commands executed one by one: the first was answered, the second not."""
    store = WatchedStore()
    store.poison = "bad"
    appends = 0

    async def hang_at_the_third() -> None:
        nonlocal appends
        appends += 1
        if appends == 3:
            await asyncio.Event().wait()

    store.before_append = hang_at_the_third
    writer = Writer(store, CODEC)
    task = asyncio.create_task(writer.run())
    submitting = asyncio.create_task(
        writer.submit_many([fill("a", 5), fill("b", 5), fill("bad", 1)])
    )
    await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.wait([task])
    first, *others = await asyncio.wait_for(submitting, 1)
    assert first == Done(1, b"5", False)
    assert [type(other.error) for other in others if isinstance(other, Failed)] == [
        StoreUnavailable,
        StoreUnavailable,
    ]


async def test_merchants_of_other_partitions_have_writers_of_their_own():
    store = WatchedStore(partitions=4)
    async with running(store) as writer:
        await writer.submit_many([fill("a", 1)])
    assert [await store.head(n) for n in range(4)].count(1) == 1
