"""RabbitMQ: this file holds the connection and the publisher; what is on the broker is in
topology.

A connection is used until something goes wrong and then thrown away with everything on it: there
is no half-broken state to reason about. aio-pika's own reconnecting is not used, because it
restores channels behind our back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import aio_pika
import aiormq.exceptions
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from pamqp.commands import Basic

from flamewire_ledger.relay.message import CONTENT_TYPE, Message
from flamewire_ledger.relay.tail import BrokerUnavailable
from flamewire_ledger.relay.topology import GROUPS, Names, routing_key
from flamewire_ledger.store.ending import was_asked_to_stop

HEARTBEAT_SECONDS: Final = 20  # a connection that is silently dead is noticed after two of them
CONNECT_SECONDS_MAX: Final = 10.0
CONFIRM_SECONDS_MAX: Final = 30.0

# What a broken connection, channel or confirm looks like from here. Of a channel that is closed aiormq
# says so in a RuntimeError of its own, of a connection in Python's.
FAULTS: Final = (
    aiormq.exceptions.AMQPError,
    asyncio.InvalidStateError,
    OSError,
    RuntimeError,
    TimeoutError,
)
assert issubclass(aiormq.exceptions.ChannelInvalidStateError, FAULTS)


@contextmanager
def breaks_as_faults() -> Iterator[None]:
    """aiormq cancels whatever waits for a connection that breaks: a fault like any other, and no end
    of ours.
    """
    try:
        yield
    except asyncio.CancelledError:
        if was_asked_to_stop():
            raise
        raise ConnectionResetError("the connection broke") from None


@asynccontextmanager
async def connected(url: str, purpose: str) -> AsyncIterator[AbstractConnection]:
    """A connection for the length of the block; raises BrokerUnavailable when there is none."""
    connection = await _connect(url, purpose)
    try:
        yield connection
    finally:
        await _close(connection)


async def _connect(url: str, purpose: str) -> AbstractConnection:
    try:
        with breaks_as_faults():
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                return await aio_pika.connect(
                    url,
                    heartbeat=HEARTBEAT_SECONDS,
                    client_properties={"connection_name": f"flamewire {purpose}"},
                )
    except FAULTS as error:
        # The URL holds a password: it is not repeated here.
        raise BrokerUnavailable(f"no connection to RabbitMQ: {type(error).__name__}") from error


async def _close(connection: AbstractConnection) -> None:
    try:
        with breaks_as_faults():
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                await connection.close()
    except FAULTS:
        return  # it was broken already


async def declare(channel: AbstractChannel, names: Names, partitions: int) -> AbstractExchange:
    """Make what is missing of the topology; returns the exchange of events."""
    parking = await channel.declare_exchange(names.parked, "fanout", durable=True)
    parked = await channel.declare_queue(
        names.parked, durable=True, arguments=dict(names.parked_arguments())
    )
    await parked.bind(parking)
    exchange = await channel.declare_exchange(names.exchange, "direct", durable=True)
    for group in GROUPS:
        for partition in range(partitions):
            queue = await channel.declare_queue(
                names.queue(group, partition),
                durable=True,
                arguments=dict(names.queue_arguments()),
            )
            await queue.bind(exchange, routing_key(partition))
    return exchange


class RabbitPublisher:
    """Publishes messages in order and returns when the broker has all of them."""

    def __init__(
        self,
        url: str,
        partitions: int,
        *,
        prefix: str = "",
        confirm_seconds_max: float = CONFIRM_SECONDS_MAX,
    ) -> None:
        self._url = url
        self._partitions = partitions
        self._names = Names(prefix)
        self._confirm_seconds_max = confirm_seconds_max
        self._opening = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._exchange: AbstractExchange | None = None

    async def publish(self, messages: Sequence[Message]) -> None:
        """Raises BrokerUnavailable unless each was confirmed; the caller publishes them again
        then.

        A broker that blocks publishers (an alarm for memory or disk) looks like one that is
        away: the confirms do not come in time.
        """
        exchange = await self._open()
        # Tasks start in the order they are made, and each hands its frames to the connection in its
        # first step: the order on the wire is the order given. No TaskGroup: one whose tasks fail
        # while it ends leaves its caller marked as cancelled (3.11), and we go on after a failure.
        confirms = [asyncio.ensure_future(_publish(exchange, it)) for it in messages]
        try:
            with breaks_as_faults():
                async with asyncio.timeout(self._confirm_seconds_max):
                    answers = await asyncio.gather(*confirms)
        except FAULTS as error:
            await self.close()
            raise BrokerUnavailable(f"not confirmed: {type(error).__name__}") from error
        finally:
            for confirm in confirms:
                confirm.cancel()
            await asyncio.gather(*confirms, return_exceptions=True)
        unroutable = sum(not isinstance(it, Basic.Ack) for it in answers)
        if unroutable:
            await self.close()  # opening declares what is missing
            raise BrokerUnavailable(f"{unroutable} messages found no queue")

    async def close(self) -> None:
        connection, self._connection, self._exchange = self._connection, None, None
        if connection is not None:
            await _close(connection)

    async def _open(self) -> AbstractExchange:
        async with self._opening:
            if self._exchange is not None:
                return self._exchange
            self._connection = await _connect(self._url, "relay")
            try:
                with breaks_as_faults():
                    async with asyncio.timeout(self._confirm_seconds_max):
                        channel = await self._connection.channel()
                        self._exchange = await declare(channel, self._names, self._partitions)
            except FAULTS as error:
                await self.close()
                raise BrokerUnavailable(f"the topology: {type(error).__name__}: {error}") from error
            return self._exchange


async def _publish(exchange: AbstractExchange, message: Message) -> object:
    """Basic.Ack, or the message itself when no queue took it: aio-pika does not raise for that."""
    return await exchange.publish(
        aio_pika.Message(
            message.body,
            headers=dict(message.headers),
            content_type=CONTENT_TYPE,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        ),
        routing_key(message.partition),
        mandatory=True,
    )
