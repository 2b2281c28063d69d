"""The relay and its readers on a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, ClassVar

import aio_pika
import pytest

from flamewire_ledger.relay import rabbitmq
from flamewire_ledger.relay.consumer import Consumer, Delivery
from flamewire_ledger.relay.message import Message, pack
from flamewire_ledger.relay.rabbitmq import RabbitPublisher, connected
from flamewire_ledger.relay.tail import BrokerUnavailable, Relay
from flamewire_ledger.relay.turns import MemoryTurns
from flamewire_ledger.store.memory import MemoryEventStore
from tests.relay.conftest import Corner
from tests.relay.events import NOON, append, recorded
from tests.relay.running import running, until
from tests.services.link import Link


def messages(first: int, last: int, each: int = 1) -> list[Message]:
    """Messages of `each` events that together say first…last."""
    found: list[Message] = []
    for start in range(first, last + 1, each):
        events = [recorded(n) for n in range(start, min(start + each, last + 1))]
        found += pack(events)
    return found


async def take(consumer: Consumer, last: int, *, settle: bool = True) -> list[Delivery]:
    """Deliveries up to the one that ends with `last`."""
    taken: list[Delivery] = []
    async with asyncio.timeout(30):
        async for delivery in consumer:
            taken.append(delivery)
            if settle:
                await delivery.done()
            if delivery.last == last:
                break
    return taken


def positions(deliveries: Sequence[Delivery]) -> list[int]:
    return [event.position for delivery in deliveries for event in delivery.events]


@asynccontextmanager
async def publishing(
    corner: Corner, url: str = "", **changes: Any
) -> AsyncIterator[RabbitPublisher]:
    publisher = RabbitPublisher(url or corner.url, 1, prefix=corner.prefix, **changes)
    try:
        yield publisher
    finally:
        await publisher.close()


def reader(corner: Corner, group: str = "projector", url: str = "", **changes: Any) -> Consumer:
    return Consumer(url or corner.url, group, 1, prefix=corner.prefix, **changes)


async def test_a_reader_that_wants_only_the_bell_is_told_of_stretches_without_events(
    corner: Corner,
):
    consumer = reader(corner, "reactor", reads_events=False)
    async with publishing(corner) as publisher, running(consumer.run()):
        await publisher.publish(messages(1, 300, each=100))
        taken = await take(consumer, 300)

    assert [(it.first, it.last) for it in taken] == [(1, 100), (101, 200), (201, 300)]
    assert positions(taken) == []


async def test_what_is_published_is_delivered_in_order_to_every_group(corner: Corner):
    projector, reactor = reader(corner), reader(corner, "reactor")
    async with publishing(corner) as publisher, running(projector.run(), reactor.run()):
        await publisher.publish(messages(1, 300, each=7))

        assert positions(await take(projector, 300)) == list(range(1, 301))
        assert positions(await take(reactor, 300)) == list(range(1, 301))


async def test_what_was_not_settled_is_delivered_again(corner: Corner):
    consumer = reader(corner)
    async with publishing(corner) as publisher:
        await publisher.publish(messages(1, 3))
        async with running(consumer.run()):
            first, second, _ = await take(consumer, 3, settle=False)
            await first.done()
            await asyncio.sleep(0.2)  # for the ack to leave
        await second.done()  # its connection is gone: nothing happens, nothing is raised

        again = reader(corner)
        async with running(again.run()):
            assert positions(await take(again, 3)) == [2, 3]


async def test_of_two_consumers_one_is_active_and_the_other_takes_over(corner: Corner):
    first, second = reader(corner), reader(corner)
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(publishing(corner))
        async with running(first.run()):
            await until(lambda: first.connected)
            await stack.enter_async_context(running(second.run()))
            await until(lambda: second.connected)
            await publisher.publish(messages(1, 20))
            assert positions(await take(first, 20)) == list(range(1, 21))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(second), 0.3)
            await asyncio.sleep(0.2)  # for the acks to leave

        await publisher.publish(messages(21, 25))
        assert positions(await take(second, 25)) == list(range(21, 26))


async def test_what_cannot_be_read_is_parked_and_stops_nobody(corner: Corner):
    consumer = reader(corner)
    async with publishing(corner) as publisher, running(consumer.run()):
        await publisher.publish(messages(1, 1))
        async with await aio_pika.connect(corner.url) as connection:
            channel = await connection.channel()
            exchange = await channel.get_exchange(corner.names.exchange)
            await exchange.publish(aio_pika.Message(b"\x00rubbish"), "0")
            headers = {"partition": 0, "first": 2, "last": 3}
            await exchange.publish(aio_pika.Message(b'{"position":2}', headers=headers), "0")
        await publisher.publish(messages(2, 2))

        assert positions(await take(consumer, 2)) == [1, 2]

        async def both_parked() -> bool:
            return await corner.count(corner.names.parked) == 2

        await until(both_parked)


async def test_a_failed_delivery_comes_again_first_and_is_parked_in_the_end(corner: Corner):
    consumer = reader(corner, attempts_max=3)
    async with publishing(corner) as publisher, running(consumer.run()):
        await publisher.publish(messages(1, 2))
        for _ in range(3):
            delivery = await asyncio.wait_for(anext(consumer), 10)
            assert delivery.first == 1
            await delivery.failed()

        assert positions(await take(consumer, 2)) == [2]

        async def parked() -> bool:
            return await corner.count(corner.names.parked) == 1

        await until(parked)


async def test_a_message_that_carries_nothing_is_delivered_as_a_bell(corner: Corner):
    consumer = reader(corner)
    async with publishing(corner) as publisher, running(consumer.run()):
        await publisher.publish([Message(partition=0, first=1, last=1, body=b"")])

        (delivery,) = await take(consumer, 1)

    assert delivery.events == ()


async def test_giving_up_on_a_delivery_loses_none(corner: Corner):
    consumer = reader(corner)
    async with publishing(corner) as publisher, running(consumer.run()):
        for _ in range(20):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(consumer), 0.005)
        await publisher.publish(messages(1, 50))

        assert positions(await take(consumer, 50)) == list(range(1, 51))


async def test_a_consumer_whose_queue_was_deleted_makes_it_again(corner: Corner):
    consumer = reader(corner)
    async with publishing(corner) as publisher, running(consumer.run()):
        await publisher.publish(messages(1, 1))
        await take(consumer, 1)
        async with await aio_pika.connect(corner.url) as connection:
            channel = await connection.channel()
            await channel.queue_delete(corner.names.queue("projector", 0))
        await until(lambda: not consumer.connected)
        await until(lambda: consumer.connected)
        await publisher.publish(messages(2, 2))

        assert positions(await take(consumer, 2)) == [2]


async def test_a_consumer_whose_connection_closes_before_it_is_used_connects_again(
    corner: Corner, monkeypatch: pytest.MonkeyPatch
):
    made = 0

    @asynccontextmanager
    async def closing_first(url: str, purpose: str) -> AsyncIterator[Any]:
        nonlocal made
        made += 1
        connection: Any
        async with connected(url, purpose) as connection:
            if made == 1:  # as when shares and broker change at once
                await connection.transport.connection.close()
            yield connection

    monkeypatch.setattr("flamewire_ledger.relay.consumer.connected", closing_first)
    consumer = reader(corner)
    async with running(consumer.run()):
        await until(lambda: consumer.connected, 5)
    assert made == 2


async def test_what_found_no_queue_is_not_taken_for_published(corner: Corner):
    async with publishing(corner) as publisher:
        await publisher.publish(messages(1, 1))
        async with await aio_pika.connect(corner.url) as connection:
            channel = await connection.channel()
            for group in ("projector", "reactor"):
                await channel.queue_delete(corner.names.queue(group, 0))

        with pytest.raises(BrokerUnavailable, match="no queue"):
            await publisher.publish(messages(2, 4))

        await publisher.publish(messages(2, 4))
        assert await corner.count(corner.names.queue("projector", 0)) == 3


async def test_confirms_that_do_not_come_are_a_failure_in_bounded_time(corner: Corner):
    async with publishing(corner, confirm_seconds_max=0.3) as publisher:
        await publisher.publish(messages(1, 1))
        exchange = publisher._exchange

        class Silent:
            """An exchange of a broker that takes messages and says nothing: one with an alarm."""

            async def publish(self, *_: object, **__: object) -> None:
                await asyncio.sleep(60)

        publisher._exchange = Silent()  # type: ignore[assignment]
        with pytest.raises(BrokerUnavailable):
            await asyncio.wait_for(publisher.publish(messages(2, 9)), 5)

        await publisher.publish(messages(2, 9))
        assert publisher._exchange is not exchange


async def test_a_publish_that_its_library_cancels_is_a_failure_and_not_our_end(corner: Corner):
    async with publishing(corner) as publisher:
        await publisher.publish(messages(1, 1))

        class Cancels:
            """What aiormq does to those who wait for a connection that breaks."""

            async def publish(self, *_: object, **__: object) -> None:
                raise asyncio.CancelledError

        publisher._exchange = Cancels()  # type: ignore[assignment]
        with pytest.raises(BrokerUnavailable):
            await publisher.publish(messages(2, 3))


async def test_a_publish_that_fails_leaves_its_caller_as_it_was(corner: Corner):
    # Whoever is marked as cancelled takes the library's next cancellation for its own end.
    task = asyncio.current_task()
    assert task is not None
    async with publishing(corner) as publisher:
        await publisher.publish(messages(1, 1))

        class Breaks:
            async def publish(self, *_: object, **__: object) -> None:
                await asyncio.sleep(0)
                raise ConnectionResetError

        publisher._exchange = Breaks()  # type: ignore[assignment]
        with pytest.raises(BrokerUnavailable):
            await publisher.publish(messages(2, 9))
        assert task.cancelling() == 0


@pytest.mark.parametrize("step", ["connect", "declare"])
async def test_an_opening_that_its_library_cancels_is_a_failure_and_not_our_end(
    corner: Corner, monkeypatch: pytest.MonkeyPatch, step: str
):
    async def cancels(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    place = aio_pika if step == "connect" else rabbitmq
    async with publishing(corner) as publisher:
        with monkeypatch.context() as patch:
            patch.setattr(place, step, cancels)
            with pytest.raises(BrokerUnavailable):
                await publisher.publish(messages(1, 1))
        await publisher.publish(messages(1, 1))


@pytest.mark.parametrize("settle", [Delivery.done, Delivery.failed])
async def test_a_settling_that_its_library_cancels_is_no_end_of_whoever_settles(
    settle: Callable[[Delivery], Awaitable[None]],
):
    class Unsettled:
        headers: ClassVar = {"partition": 0, "first": 1, "last": 1}

        async def ack(self) -> None:
            raise asyncio.CancelledError

        async def reject(self, requeue: bool) -> None:
            raise asyncio.CancelledError

    consumer = Consumer("amqp://127.0.0.1:1/", "projector", 1, attempts_max=1)
    message: Any = Unsettled()
    await settle(Delivery(0, 1, 1, (), consumer, message))  # the broker delivers it again


async def test_a_broker_that_is_not_there_is_named_without_its_password():
    publisher = RabbitPublisher("amqp://guest:hunter2@127.0.0.1:1/", 1)

    with pytest.raises(BrokerUnavailable) as caught:
        await publisher.publish(messages(1, 1))

    assert "hunter2" not in str(caught.value)


async def test_an_outage_under_load_delays_and_loses_nothing(corner: Corner, amqp_link: Link):
    store = MemoryEventStore(lambda: NOON)
    seen: set[int] = set()
    consumer = reader(corner, url=amqp_link.url)

    async def read() -> None:
        async for delivery in consumer:
            seen.update(event.position for event in delivery.events)
            await delivery.done()

    async with publishing(corner, amqp_link.url, confirm_seconds_max=2) as publisher:
        relay = Relay(store, publisher, MemoryTurns(), batch_events_max=50)
        async with running(relay.run(), consumer.run(), read()):
            for round_ in range(30):
                await append(store, 20)
                if round_ == 10:
                    amqp_link.cut()
                if round_ == 20:
                    await asyncio.sleep(1)
                    amqp_link.restore()
                await asyncio.sleep(0.02)
            head = await store.head(0)
            await until(lambda: len(seen) == head)

    assert seen == set(range(1, head + 1))
