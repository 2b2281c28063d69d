"""The tail of the store as a source of batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from flamewire_ledger.projector.source import TailBatches
from flamewire_ledger.store.event_store import RecordedEvent, StoreUnavailable
from flamewire_ledger.store.memory import MemoryEventStore
from tests.projector.notes import NoteWritten, write
from tests.projector.stories import NOON


async def _take(source: TailBatches, count: int) -> list[tuple[int, list[int]]]:
    taken = []
    async with asyncio.timeout(5):
        async for delivery in source:
            positions = [event.position for event in delivery.events]
            assert delivery.last == positions[-1]
            taken.append((delivery.partition, positions))
            await delivery.done()
            if sum(len(each) for _, each in taken) >= count:
                break
    return taken


async def test_the_tail_begins_behind_a_position_and_goes_on_with_what_comes() -> None:
    store = MemoryEventStore(lambda: NOON)
    await write(store, *(NoteWritten(f"n{number}", "1") for number in range(5)))
    source = TailBatches(store, {0: 2}, events_max=2, poll_seconds=10)
    taking = asyncio.create_task(_take(source, 5))
    await asyncio.sleep(0.02)
    await write(store, NoteWritten("x", "1"))
    await write(store, NoteWritten("y", "1"))
    batches = await taking
    assert [position for _, batch in batches for position in batch] == [3, 4, 5, 6, 7]
    assert max(len(batch) for _, batch in batches) <= 2


async def test_a_tail_that_does_not_carry_tells_how_far_the_log_goes() -> None:
    store = MemoryEventStore(lambda: NOON)
    await write(store, *(NoteWritten(f"n{number}", "1") for number in range(5)))
    heads = []
    async with asyncio.timeout(5):
        async for delivery in TailBatches(store, {0: 2}, poll_seconds=10, carries=False):
            assert delivery.events == ()
            heads.append(delivery.last)
            if len(heads) == 2:
                break
            asyncio.get_running_loop().create_task(write(store, NoteWritten("x", "1")))
    assert heads == [5, 6]


async def test_the_tail_reads_every_partition_in_its_own_order() -> None:
    store = MemoryEventStore(lambda: NOON, partitions=3)
    for partition in range(3):
        await write(store, NoteWritten("a", "1"), NoteWritten("b", "1"), partition=partition)
    batches = await _take(TailBatches(store, {}, events_max=1, poll_seconds=0.01), 6)
    for partition in range(3):
        own = [position for shard, batch in batches if shard == partition for position in batch]
        assert own == [1, 2]


class _Flaky(MemoryEventStore):
    """Fails as often as it is told."""

    failures = 0
    error: BaseException = StoreUnavailable("away")

    async def read(
        self, partition: int, after: int, limit: int, *, until: int | None = None
    ) -> Sequence[RecordedEvent]:
        if self.failures:
            self.failures -= 1
            raise self.error
        return await super().read(partition, after, limit, until=until)


async def test_a_store_that_is_away_is_asked_again() -> None:
    store = _Flaky(lambda: NOON)
    await write(store, NoteWritten("a", "1"))
    store.failures = 2
    assert await _take(TailBatches(store, {}, poll_seconds=0.01), 1) == [(0, [1])]


async def test_any_other_fault_reaches_whoever_reads() -> None:
    store = _Flaky(lambda: NOON)
    store.failures, store.error = 1, ZeroDivisionError("a fault")
    with pytest.raises(ZeroDivisionError):
        await _take(TailBatches(store, {}, poll_seconds=0.01), 1)


async def test_a_reading_that_is_cancelled_from_within_is_a_fault_too() -> None:
    store = _Flaky(lambda: NOON)
    store.failures, store.error = 1, asyncio.CancelledError()
    with pytest.raises(ExceptionGroup):
        await _take(TailBatches(store, {}, poll_seconds=0.01), 1)
