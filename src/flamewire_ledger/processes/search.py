"""Finding the few events that processes react to among the many that they do not.

Most of a busy log is consumption of credits, which nothing follows from. Postgres looks through a
thousand such events in the time that one takes to get here, so the looking is done there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib.resources import files
from typing import Final, Protocol

from flamewire_ledger.processes.same_server import SameServer
from flamewire_ledger.store.arrays import TextArray
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.event_store import EventStore, RecordedEvent
from flamewire_ledger.store.statements import read_statements

_SQL: Final = read_statements(files(__package__) / "search.sql")
_PAGE_EVENTS: Final = 1_000


class Search(Protocol):
    """Where events are looked for. May raise StoreUnavailable."""

    async def find(
        self, partition: int, after: int, until: int, types: Collection[str], limit: int
    ) -> Sequence[RecordedEvent]:
        """At most `limit` events of these types behind `after`, in order, none past `until`.

        `until` is not beyond the head: what is not found between the two is not there.
        """


class StoreSearch:
    """Reads everything and puts aside what is not wanted: for any store."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def find(
        self, partition: int, after: int, until: int, types: Collection[str], limit: int
    ) -> Sequence[RecordedEvent]:
        found: list[RecordedEvent] = []
        while after < until and len(found) < limit:
            page = await self._store.read(partition, after, _PAGE_EVENTS, until=until)
            if not page:
                break
            found += [event for event in page if event.type in types]
            after = page[-1].position
        return found[:limit]


class PostgresSearch:
    """Asks the log itself; what the log does not have any more, it reads from the store.

    Raises StoreUnavailable as well when the log is on another server than the time before.
    """

    def __init__(self, connections: Connections, store: EventStore) -> None:
        self._connections = connections
        self._store = StoreSearch(store)
        self._servers = SameServer()

    async def find(
        self, partition: int, after: int, until: int, types: Collection[str], limit: int
    ) -> Sequence[RecordedEvent]:
        wanted = {
            "partition": partition,
            "first": after + 1,
            "last": until,
            "types": TextArray(list(types)),
            "limit": limit + 1,
        }
        async with self._connections.use() as connection:
            cursor = connection.cursor(binary=True)
            await cursor.execute(_SQL["find"].query, wanted, prepare=True)
            rows = await cursor.fetchall()
        if rows:
            self._servers.check(partition, rows[0][-1])
        found = [RecordedEvent(*row[:-1]) for row in rows]
        # The log loses its oldest events only: where the first is, all are.
        if not found or found[0].position != after + 1:
            return await self._store.find(partition, after, until, types, limit)
        if found[0].type not in types:
            del found[0]
        return found[:limit]
