"""After a failover to a server that lacks the end of the log, what takes its place there is seen too."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg
import pytest

from flamewire_ledger.processes.checkpoint import MemoryDeadLetters, PostgresCheckpoints
from flamewire_ledger.processes.reaction import Reaction, Task
from flamewire_ledger.processes.reactor import Reactor
from flamewire_ledger.processes.search import PostgresSearch
from flamewire_ledger.processes.settlement import Settlement
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.event_store import (
    NewEvent,
    RecordedEvent,
    StoreUnavailable,
    StreamAppend,
)
from flamewire_ledger.store.migrate import migrate
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.services.postgres import PrivatePostgres
from tests.store.contract import append

SUCCEEDED = "payment.succeeded.v1"  # every process of settlement reads it


class Seen:
    """Reactions that only remember what they were shown."""

    def __init__(self) -> None:
        self.streams: list[str] = []

    async def react(self, partition: int, tasks: Sequence[Task]) -> Reaction:
        self.streams += [task.event.stream_id for task in tasks]
        return Reaction(0, 0, ())


async def record(store: PostgresEventStore, *streams: str) -> None:
    events = [NewEvent(SUCCEEDED, b"{}")]
    await store.append(0, [append(StreamAppend(stream, 0, events)) for stream in streams])


async def fail_over(server: PrivatePostgres, to: int) -> None:
    """To a server that has only the events up to a position.

    What it lacks is gone before it starts: whoever asks it sees one log, and no other before it.
    """
    with psycopg.connect(server.url) as connection:
        connection.execute("DELETE FROM events WHERE position > %s", [to])
        connection.execute("DELETE FROM streams WHERE last_position > %s", [to])
        connection.execute("UPDATE partitions SET head = %s", [to])
        connection.execute("UPDATE process_checkpoints SET position = least(position, %s)", [to])
    server.kill()
    await asyncio.to_thread(server.start)


async def notice(connections: Connections) -> None:
    """Somebody else finds the connections broken, and they are all made anew; where the machine is so
    slow that the reactor has looked meanwhile, it has found them itself.
    """
    with suppress(StoreUnavailable):
        async with connections.use() as connection:
            await connection.execute("SELECT 1")


@dataclass
class Bell:
    """A delivery that says nothing but: look in the store."""

    rung: asyncio.Queue[Bell]
    partition: int = 0
    events: tuple[RecordedEvent, ...] = ()

    async def done(self) -> None:
        return

    async def failed(self) -> None:
        self.rung.put_nowait(self)


class Bells:
    """A broker that outlives the database."""

    def __init__(self) -> None:
        self._rung: asyncio.Queue[Bell] = asyncio.Queue()

    def ring(self) -> None:
        self._rung.put_nowait(Bell(self._rung))

    def __aiter__(self) -> Bells:
        return self

    async def __anext__(self) -> Bell:
        return await self._rung.get()


async def until(seen: Seen, stream: str) -> None:
    async with asyncio.timeout(25):
        while stream not in seen.streams:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("news", [2, 4, 5], ids=["fewer", "as many", "more"])
async def test_what_another_server_has_in_the_place_of_what_was_lost_is_seen(
    postgres_server: PrivatePostgres, news: int
) -> None:
    await migrate(postgres_server.url)
    connections, seen, bells = Connections(postgres_server.url, size_max=4), Seen(), Bells()
    async with PostgresEventStore(postgres_server.url) as store:
        reactor = Reactor(
            store,
            seen,  # type: ignore[arg-type]
            [Settlement()],
            PostgresCheckpoints(connections),
            MemoryDeadLetters(),
            search=PostgresSearch(connections, store),
            sweep_seconds=2,  # mostly longer than the failover takes: it notices nothing of it
        )
        running = asyncio.create_task(reactor.run(bells))
        await record(store, "a", "b", *(f"lost {number}" for number in range(4)))
        bells.ring()
        await until(seen, "lost 3")
        await fail_over(postgres_server, to=2)
        await notice(connections)
        await notice(store._connections)
        await record(store, *(f"new {number}" for number in range(news)))
        bells.ring()
        await until(seen, f"new {news - 1}")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await connections.close()
    found = [stream for stream in seen.streams if stream.startswith("new")]
    assert list(dict.fromkeys(found)) == [f"new {number}" for number in range(news)]
