"""A corner of a real broker for each test: names with its own prefix, deleted afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aio_pika
import pytest

from flamewire_ledger.relay.topology import GROUPS, Names

PARTITIONS_MAX = 3


@dataclass(frozen=True)
class Corner:
    """Where this test's exchanges and queues are."""

    url: str
    prefix: str

    @property
    def names(self) -> Names:
        return Names(self.prefix)

    async def count(self, queue: str) -> int:
        """How many messages wait in a queue, not counting those handed out."""
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            declared = await channel.declare_queue(queue, passive=True)
            return declared.declaration_result.message_count or 0

    async def purge(self) -> None:
        """Empty every queue, as somebody does who wants to help."""
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            for group in GROUPS:
                queue = await channel.get_queue(self.names.queue(group, 0))
                await queue.purge()

    async def clear(self) -> None:
        names = [self.names.parked]
        names += [self.names.queue(g, p) for g in GROUPS for p in range(PARTITIONS_MAX)]
        async with await aio_pika.connect(self.url) as connection:
            channel = await connection.channel()
            for name in names:
                await channel.queue_delete(name)
            await channel.exchange_delete(self.names.exchange)
            await channel.exchange_delete(self.names.parked)


@pytest.fixture
async def corner(amqp_url: str, amqp_prefix: str) -> AsyncIterator[Corner]:
    corner = Corner(amqp_url, amqp_prefix)
    yield corner
    await corner.clear()
