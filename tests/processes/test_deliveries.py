"""The reactor on deliveries: repeated, lost, empty or in trouble, what follows is recorded once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.store.event_store import RecordedEvent, StoreUnavailable, partition_of
from tests.processes.conftest import Workshop
from tests.processes.paying import (
    GRANTED,
    PAID,
    pay,
    run_for,
    until_granted,
)
from tests.processes.stories import (
    ACCOUNT,
    LOCK,
    MERCHANT,
    NOON,
    PAYMENT,
    locked,
    opened,
    record,
)


@dataclass
class Handed:
    """A delivery, and what its reader said of it."""

    events: Sequence[RecordedEvent]
    partition: int = 0
    said: list[str] = field(default_factory=list)

    async def done(self) -> None:
        self.said.append("done")

    async def failed(self) -> None:
        self.said.append("failed")


class Belt:
    """Deliveries, put there by hand."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Handed] = asyncio.Queue()

    async def __aiter__(self) -> AsyncIterator[Handed]:
        while True:
            yield await self.queue.get()


async def test_what_is_missing_before_a_delivery_is_read_from_the_store(workshop: Workshop):
    await pay(workshop)
    await record(workshop.store, derived_id("ca", NOON, "other"), opened())
    belt, last = Belt(), Handed(await workshop.store.read(0, 5, 1))
    belt.queue.put_nowait(last)

    await run_for(
        asyncio.create_task(workshop.reactor(sweep_seconds=60).run(belt)),
        lambda: until_granted(workshop),
    )

    assert last.said == ["done"]


async def test_deliveries_that_come_again_or_out_of_order_change_nothing(workshop: Workshop):
    await pay(workshop)
    events = await workshop.store.read(0, 0, 10)
    belt = Belt()
    handed = [Handed(events[2:4]), Handed(events[:3]), Handed(events[3:]), Handed(events)]
    for each in handed:
        belt.queue.put_nowait(each)

    async def all_done() -> None:
        async with asyncio.timeout(5):
            while not all(each.said for each in handed):
                await asyncio.sleep(0.005)

    await run_for(asyncio.create_task(workshop.reactor().run(belt)), all_done)

    assert (await workshop.types()).count(GRANTED) == 1


async def test_what_a_queue_says_is_not_believed_unless_the_store_has_it(
    workshop_of: Callable[..., Workshop],
):
    """A queue outlives the database it was filled from: restored from a backup, or made anew."""
    workshop, gone = workshop_of(), workshop_of()
    await pay(gone)
    told = await gone.store.read(0, 0, 10)
    await record(workshop.store, ACCOUNT, opened())
    await record(workshop.store, LOCK, locked())
    await record(workshop.store, PAYMENT, *PAID[:2])
    ahead, same = Handed(told), Handed(told[:4])
    belt = Belt()
    belt.queue.put_nowait(same)
    belt.queue.put_nowait(ahead)

    async def settled() -> None:
        async with asyncio.timeout(5):
            while not (same.said and ahead.said):
                await asyncio.sleep(0.005)

    reactor = workshop.reactor()
    await run_for(asyncio.create_task(reactor.run(belt)), settled)

    assert (same.said, ahead.said) == (["done"], ["done"])
    assert reactor.position(0) == 4
    assert GRANTED not in await workshop.types()


async def test_a_delivery_without_events_makes_it_look_in_the_store(workshop: Workshop):
    await pay(workshop)
    belt = Belt()
    belt.queue.put_nowait(Handed(()))

    await run_for(
        asyncio.create_task(workshop.reactor(sweep_seconds=60).run(belt)),
        lambda: until_granted(workshop),
    )


async def test_events_that_nobody_rang_for_are_found(workshop: Workshop):
    task = asyncio.create_task(workshop.reactor().run(Belt()))
    await asyncio.sleep(0.1)
    await pay(workshop)

    await run_for(task, lambda: until_granted(workshop))


async def test_a_reactor_that_stands_by_leaves_the_work_to_the_one_that_does_it(
    workshop: Workshop,
):
    task = asyncio.create_task(workshop.reactor().run(Belt()))
    await asyncio.sleep(0.12)  # it has begun, at position 0
    await pay(workshop)
    worker = workshop.reactor()
    await worker.catch_up(0)
    submitted = workshop.writer.counts.commands

    await run_for(task, lambda: asyncio.sleep(0.2))

    assert workshop.writer.counts.commands == submitted


async def test_a_failed_delivery_is_said_to_have_failed_and_is_not_lost(workshop: Workshop):
    await pay(workshop)
    belt, handed = Belt(), Handed(await workshop.store.read(0, 0, 10))
    belt.queue.put_nowait(handed)
    away = workshop.store.load

    async def fail(*_: object) -> None:
        workshop.store.load = away  # type: ignore[method-assign]
        raise StoreUnavailable("away")

    workshop.store.load = fail  # type: ignore[method-assign,assignment]

    await run_for(
        asyncio.create_task(workshop.reactor().run(belt)), lambda: until_granted(workshop)
    )

    assert handed.said == ["failed"]


async def test_a_partition_in_trouble_holds_up_no_other(
    workshop_of: Callable[..., Workshop],
):
    workshop, belt = workshop_of(partitions=2), Belt()
    fine = next(it for it in map(str, range(9)) if partition_of(it, 2) == 0)
    await pay(workshop, merchant_id=fine)
    read = workshop.store.read

    async def only_the_first(partition: int, *given: Any, **named: Any) -> Sequence[RecordedEvent]:
        if partition == 1:
            raise StoreUnavailable("partition 1 is in trouble")
        return await read(partition, *given, **named)

    workshop.store.read = only_the_first  # type: ignore[method-assign]
    belt.queue.put_nowait(Handed((), partition=1))
    belt.queue.put_nowait(Handed((), partition=0))

    await run_for(
        asyncio.create_task(workshop.reactor(sweep_seconds=60).run(belt)),
        lambda: until_granted(workshop),
    )


async def test_without_a_broker_it_tails_every_partition(
    workshop_of: Callable[..., Workshop],
):
    workshop = workshop_of(partitions=3)
    task = asyncio.create_task(workshop.reactor(sweep_seconds=60).run())
    await asyncio.sleep(0.02)
    await pay(workshop)

    await run_for(task, lambda: until_granted(workshop, partition_of(MERCHANT, 3)))


async def test_nothing_is_passed_over_because_a_failover_took_positions_back(
    workshop: Workshop,
):
    """The server that comes back lacks events that were seen: others get their positions."""
    replica = deepcopy(workshop.store._partitions)
    for number in range(10):
        await record(workshop.store, derived_id("ca", NOON, f"lost {number}"), opened())
    reactor = workshop.reactor(sweep_seconds=0.01)
    task = asyncio.create_task(reactor.run())
    async with asyncio.timeout(5):
        while reactor.position(0) < 10:
            await asyncio.sleep(0.001)

    workshop.store._partitions = replica
    workshop.checkpoints._positions.clear()
    async with asyncio.timeout(5):
        while reactor.position(0):
            await asyncio.sleep(0.001)
    await pay(workshop)
    await run_for(task, lambda: until_granted(workshop))
