"""The way back out of RabbitMQ: a consumer of one group's queues, which hands over deliveries
one by one.

What cannot be read is parked and never reaches anybody. What a reader fails on is offered to it
again, a bounded number of times, and then parked too: nothing is lost by that, for whoever
misses events reads them from the store. Attempts are counted here, because brokers disagree
about what a returned message counts for.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage

from flamewire_ledger.relay.message import MalformedMessage, announced, unpack
from flamewire_ledger.relay.rabbitmq import (
    CONNECT_SECONDS_MAX,
    FAULTS,
    breaks_as_faults,
    connected,
    declare,
)
from flamewire_ledger.relay.tail import BrokerUnavailable
from flamewire_ledger.relay.topology import Names
from flamewire_ledger.store.event_store import RecordedEvent
from flamewire_ledger.store.shares import AllOfThem, Shares

_log = structlog.get_logger(__name__)
_WAIT_SECONDS_FIRST: Final = 0.1
_WAIT_SECONDS_MAX: Final = 15.0
_REFUSALS_MAX: Final = 3  # subscriptions in a row that a queue may fail to answer
_COUNTED_MAX: Final = 1000  # stretches whose attempts are remembered


class Meter(Protocol):
    """What telemetry counts by."""

    def add(self, name: str, amount: int = 1, /, **labels: str) -> None: ...


@dataclass(slots=True)
class Delivery:
    """A contiguous stretch of one partition's events, oldest first.

    `events` is empty for a message that could not carry them, and for a consumer that does not read
    them: look in the store, up to `last`.
    Say `done` or `failed` once; nothing is raised when the broker has gone meanwhile, for then
    it delivers again.
    """

    partition: int
    first: int
    last: int
    events: Sequence[RecordedEvent]
    _consumer: Consumer = field(repr=False)
    _message: AbstractIncomingMessage = field(repr=False)

    async def done(self) -> None:
        """All that follows from it is durable: the broker may forget it."""
        await self._consumer.settle(self, self._message, failed=False)

    async def failed(self) -> None:
        """Offer it again, before everything else; too often, and it is parked."""
        await self._consumer.settle(self, self._message, failed=True)


class Consumer:
    """Reads the queues of one group, of the partitions it has a share in. `run` has to be running
    for deliveries to come.

    Of several consumers of a group, in several processes, the broker lets one read a queue at a
    time, and the first one first: it is the shares that spread the queues over the processes.
    """

    def __init__(
        self,
        url: str,
        group: str,
        partitions: int,
        *,
        prefix: str = "",
        reads_events: bool = True,
        unsettled_max: int = 8,
        attempts_max: int = 10,
        subscribe_seconds_max: float = CONNECT_SECONDS_MAX,
        shares: Shares | None = None,
        meter: Meter | None = None,
    ) -> None:
        """Without `reads_events` messages are a bell only: their deliveries have no events, for a
        reader that looks in the store anyway.

        `shares`: the partitions to read, while one reads; without them all.

        `unsettled_max`: messages of about a MiB in memory, for each partition.
        """
        self._url = url
        self._group = group
        self._partitions = partitions
        self._names = Names(prefix)
        self._reads_events = reads_events
        self._unsettled_max = unsettled_max
        self._attempts_max = attempts_max
        self._subscribe_seconds_max = subscribe_seconds_max
        self._refusals: dict[str, int] = {}  # by queue, in a row
        self._shares = shares or AllOfThem(partitions)
        self._meter = meter
        self._waiting: deque[Delivery] = deque()
        self._arrived = asyncio.Event()
        self._attempts: OrderedDict[tuple[int, int, int], int] = OrderedDict()
        self._over: asyncio.Event | None = None  # of the connection at hand

    @property
    def connected(self) -> bool:
        """Whether it reads from the broker just now."""
        return self._over is not None

    def __aiter__(self) -> Consumer:
        return self

    async def __anext__(self) -> Delivery:
        """The next delivery, however long it takes. Giving up on it loses nothing."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()

    async def run(self) -> None:
        """Stay connected until cancelled, with growing pauses while the broker is away."""
        wait_seconds = _WAIT_SECONDS_FIRST
        while True:
            try:
                with breaks_as_faults():
                    await self._read()
                wait_seconds = _WAIT_SECONDS_FIRST
            except (BrokerUnavailable, *FAULTS) as error:
                _log.warning("the consumer begins again", group=self._group, error=repr(error))
            finally:
                self._over = None
                self._waiting.clear()  # unsettled with the broker: it delivers them again
            self._count("consumer_failures")
            await asyncio.sleep(wait_seconds)
            wait_seconds = min(2 * wait_seconds, _WAIT_SECONDS_MAX)

    async def _read(self) -> None:
        """Connect and read, until what is read from is over."""
        async with connected(self._url, self._group) as connection:
            while True:
                held = self._shares.held
                channel, over = await self._subscribe(connection, held)
                self._over = over
                if not await self._changes_share(held, over):
                    break
                # Other queues: what came by the old ones goes back to the broker.
                self._waiting.clear()
                await channel.close()

    async def _changes_share(self, held: frozenset[int], over: asyncio.Event) -> bool:
        """Wait until the share is another one, or it is over."""
        ending = asyncio.create_task(over.wait())
        changing = asyncio.create_task(self._shares.other_than(held))
        try:
            await asyncio.wait((ending, changing), return_when=asyncio.FIRST_COMPLETED)
            return not over.is_set()
        finally:
            ending.cancel()
            changing.cancel()

    async def _subscribe(
        self, connection: AbstractConnection, held: frozenset[int]
    ) -> tuple[AbstractChannel, asyncio.Event]:
        """Begin to read; the event is set when the channel closes, or the broker ends a
        subscription (its queue was deleted).
        """
        over = asyncio.Event()
        async with asyncio.timeout(self._subscribe_seconds_max):
            channel = await connection.channel()
            channel.close_callbacks.add(lambda *_: over.set())
            underlay = await channel.get_underlay_channel()
            underlay.on_consumer_cancel_callbacks.add(lambda *_: over.set())
            await channel.set_qos(prefetch_count=self._unsettled_max)
            await self._delete_stuck(channel)
            await declare(channel, self._names, self._partitions)
        for partition in sorted(held):
            name = self._names.queue(self._group, partition)
            self._refusals[name] = self._refusals.get(name, 0) + 1
            async with asyncio.timeout(self._subscribe_seconds_max):
                queue = await channel.get_queue(name)
                await queue.consume(self._receive)
            del self._refusals[name]
        return channel, over

    async def _delete_stuck(self, channel: AbstractChannel) -> None:
        """A broker that was killed just after a quorum queue was made may never give it back: it
        lists the queue, and neither takes nor gives messages. What was in it is in the store.
        """
        for name, refusals in list(self._refusals.items()):
            if refusals >= _REFUSALS_MAX:
                _log.error("a queue does not answer and is made anew", queue=name)
                await channel.queue_delete(name)
                del self._refusals[name]

    async def _receive(self, message: AbstractIncomingMessage) -> None:
        try:
            if self._reads_events:
                read, events = unpack(message.body, message.headers)
            else:
                read, events = announced(message.body, message.headers), ()
            if read.partition >= self._partitions:
                raise MalformedMessage(f"there is no partition {read.partition}")
        except MalformedMessage as error:
            await self._park(message, str(error))
            return
        delivery = Delivery(read.partition, read.first, read.last, events, self, message)
        self._waiting.append(delivery)
        self._arrived.set()
        self._count("consumer_batches")

    async def settle(
        self, delivery: Delivery, message: AbstractIncomingMessage, *, failed: bool
    ) -> None:
        """What Delivery.done and Delivery.failed do."""
        key = (delivery.partition, delivery.first, delivery.last)
        if not failed:
            self._attempts.pop(key, None)
            with suppress(*FAULTS), breaks_as_faults():
                await message.ack()
            return
        attempts = self._attempts.pop(key, 0) + 1
        if attempts >= self._attempts_max:
            await self._park(message, f"{attempts} attempts failed")
            return
        self._attempts[key] = attempts
        if len(self._attempts) > _COUNTED_MAX:
            self._attempts.popitem(last=False)
        if not _is_open(message):
            return  # the broker delivers it again by itself
        self._waiting.appendleft(delivery)
        self._arrived.set()

    async def _park(self, message: AbstractIncomingMessage, cause: str) -> None:
        headers = {name: message.headers.get(name) for name in ("partition", "first", "last")}
        _log.error("a message was parked", group=self._group, cause=cause, headers=headers)
        self._count("consumer_parked")
        with suppress(*FAULTS), breaks_as_faults():
            await message.reject(requeue=False)

    def _count(self, name: str) -> None:
        if self._meter is not None:
            self._meter.add(name, 1, group=self._group)


def _is_open(message: AbstractIncomingMessage) -> bool:
    """Whether the channel it came by is still there; aio-pika raises when one looks at a closed
    one.
    """
    try:
        return not message.channel.is_closed
    except FAULTS:
        return False
