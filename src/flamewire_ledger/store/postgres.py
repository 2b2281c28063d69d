"""The event store in Postgres: one round trip a batch, gapless positions in commit order.

The work is done by the SQL functions of migrations/0002_append.sql; here a batch is packed into
arrays and the answer unpacked into verdicts. Positions are gapless because an append moves the head
of its partition first and holds it until the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from importlib.resources import files
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Self, TypeAlias, TypeVar
from uuid import UUID

import psycopg
from psycopg import AsyncCursor, errors

from flamewire_ledger.store.archives import Archives, EventsMissing
from flamewire_ledger.store.arrays import Int4Array, TextArray, UuidArray
from flamewire_ledger.store.connections import Connection, Connections, asking
from flamewire_ledger.store.event_store import (
    Append,
    RecordedCommand,
    RecordedEvent,
    StateSnapshot,
    StoreUnavailable,
    Turn,
    Verdict,
)
from flamewire_ledger.store.listener import Listener
from flamewire_ledger.store.migrate import check_migrated
from flamewire_ledger.store.packed_batch import (
    all_appended,
    pack_alone,
    pack_batch,
    pack_each,
    verdicts,
)
from flamewire_ledger.store.statements import read_statements

_SQL: Final = {
    name: statement.query
    for name, statement in read_statements(files(__package__) / "postgres.sql").items()
}
_READ_TRIES_MAX: Final = 5
_READ_PAUSE_SECONDS: Final = 0.05
T = TypeVar("T")
Rows: TypeAlias = list[tuple[Any, ...]]
Ask: TypeAlias = Callable[[str, Mapping[str, Any]], Awaitable[Rows]]
_version: Final = attrgetter("version")


class PostgresEventStore:
    """Use it as an async context manager, or call `open` and `close`. The database has to be
    migrated.
    """

    def __init__(
        self,
        dsn: str,
        *,
        connections_max: int = 4,
        connect_timeout_seconds: int = 5,
        statement_timeout_seconds: int = 30,
        lock_timeout_seconds: int = 10,
        poll_seconds: float = 1.0,
        archive_directory: Path | None = None,
    ) -> None:
        self._connections = Connections(
            dsn,
            size_max=connections_max,
            connect_timeout_seconds=connect_timeout_seconds,
            statement_timeout_seconds=statement_timeout_seconds,
            lock_timeout_seconds=lock_timeout_seconds,
        )
        # Who waits for a turn has a connection meanwhile: some are left for whoever has one already.
        self._turns = asyncio.Semaphore(max(1, connections_max // 2))
        self._archives = Archives(self._connections, archive_directory)
        self._listener = Listener(self._connections, _SQL["listen"])
        self._poll_seconds = poll_seconds
        self._database_url = dsn
        self._partitions = 0
        self.round_trips = 0

    async def open(self) -> None:
        """Connect. Raises StoreUnavailable, or MigrationError when the database is of another
        version.
        """
        async with self._connections.use() as connection:
            await check_migrated(connection)
        ((self._partitions,),) = await self._ask("partitions_of_ledger", {})
        self._listener.start()

    async def close(self) -> None:
        try:
            await self._listener.stop()
        finally:
            await self._connections.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def database_url(self) -> str:
        """Where the tables are: whoever works in the same database can read the log there."""
        return self._database_url

    @property
    def partitions(self) -> int:
        if not self._partitions:
            raise StoreUnavailable("the store is not open")
        return self._partitions

    @property
    def servers_met(self) -> int:
        return self._connections.servers_met

    async def append(self, partition: int, appends: Sequence[Append]) -> Sequence[Verdict]:
        if not appends:
            return []
        batch = pack_batch(partition, appends)
        if batch is not None:
            ((base,),) = await self._ask("append", batch)
            if base is not None:
                return all_appended(appends, base)
        return verdicts(appends, await self._ask("append_each", pack_each(partition, appends)))

    @asynccontextmanager
    async def alone(self, partition: int) -> AsyncIterator[Turn]:
        async with self._turns, self._connections.use() as connection:
            try:
                # Not in a pipeline: what ends one on the wire stops the clock of the time-out.
                self.round_trips += 3
                await connection.execute(_SQL["begin"], prepare=False)  # two statements
                for name in ("wait_in_line", "hold_head"):
                    await _send(connection, name, {"partition": partition})
                yield _PostgresTurn(self, connection)
            finally:
                await _end(connection)

    async def load(
        self, partition: int, after_versions: Mapping[str, int]
    ) -> Mapping[str, Sequence[RecordedEvent]]:
        return await _settled(lambda: self._load(partition, after_versions, self._ask))

    async def _load(
        self,
        partition: int,
        after_versions: Mapping[str, int],
        ask: Ask,
    ) -> Mapping[str, Sequence[RecordedEvent]]:
        loaded: dict[str, list[RecordedEvent]] = {stream_id: [] for stream_id in after_versions}
        wanted = {
            "partition": partition,
            "streams": TextArray(list(after_versions)),
            "versions": Int4Array(list(after_versions.values())),
        }
        archived: dict[str, int] = {}  # streams of which events up to a version are in archives
        for row in await ask("load", wanted):
            event = RecordedEvent(*row)
            if row[4] is None:
                archived[event.stream_id] = event.version
            else:
                loaded[event.stream_id].append(event)
        for events in loaded.values():
            events.sort(key=_version)  # those of older segments come last
        for stream_id, until in archived.items():
            after = after_versions[stream_id]
            old = await self._archives.read_stream(
                partition, stream_id, after, until, until - after
            )
            loaded[stream_id] = [*old, *loaded[stream_id]]
        return loaded

    async def snapshots(
        self, partition: int, stream_ids: Sequence[str]
    ) -> Mapping[str, StateSnapshot]:
        return await _snapshots(self._ask, partition, stream_ids)

    async def save_snapshots(self, partition: int, snapshots: Sequence[StateSnapshot]) -> None:
        rows = [
            {
                "partition": partition,
                "stream_id": snapshot.stream_id,
                "version": snapshot.version,
                "format": snapshot.format,
                "state": snapshot.state,
            }
            for snapshot in snapshots
        ]
        self.round_trips += 1
        async with self._connections.use() as connection, connection.cursor() as cursor:
            await cursor.executemany(_SQL["save_snapshot"], rows)

    async def find_commands(
        self, partition: int, command_ids: Sequence[UUID]
    ) -> Mapping[UUID, RecordedCommand]:
        rows = await self._ask(
            "find_commands", {"partition": partition, "ids": UuidArray(command_ids)}
        )
        return {
            command_id: RecordedCommand(fingerprint, position, answer)
            for command_id, fingerprint, position, answer in rows
        }

    async def read(
        self, partition: int, after: int, limit: int, *, until: int | None = None
    ) -> Sequence[RecordedEvent]:
        # Positions have no gaps: what is asked for lies between two of them, and so in one segment or two.
        last = after + limit if until is None else min(after + limit, until)
        return await _settled(lambda: self._read(partition, after, last))

    async def _read(self, partition: int, after: int, last: int) -> Sequence[RecordedEvent]:
        wanted = {"partition": partition, "first": after + 1, "last": last}
        *rows, (archived_until, *_), (head, *_) = await self._ask("read", wanted)
        found = [RecordedEvent(*row) for row in rows]
        if after < archived_until:
            old = await self._archives.read(partition, after + 1, min(last, archived_until))
            found = [*old, *(event for event in found if event.position > archived_until)]
        if len(found) != max(0, min(last, head) - after):
            raise EventsMissing(
                f"events of partition {partition} behind {after} are neither in the log nor in an archive: "
                "run `flamewire verify`, and restore the database"
            )
        return found

    async def read_stream(
        self, partition: int, stream_id: str, *, after_version: int = 0, limit: int = 10_000
    ) -> Sequence[RecordedEvent]:
        return await _settled(lambda: self._read_stream(partition, stream_id, after_version, limit))

    async def _read_stream(
        self, partition: int, stream_id: str, after: int, limit: int
    ) -> Sequence[RecordedEvent]:
        wanted = {"partition": partition, "stream_id": stream_id, "after": after, "limit": limit}
        rows = await self._ask("read_stream", wanted)
        events = [RecordedEvent(*row) for row in rows if row[4] is not None]
        if len(events) == len(rows):
            return events
        until = events[0].version - 1 if events else rows[0][3]
        old = await self._archives.read_stream(partition, stream_id, after, until, limit)
        return [*old, *events][:limit]

    async def head(self, partition: int) -> int:
        ((head,),) = await self._ask("head", {"partition": partition})
        return int(head)

    async def position_at(self, partition: int, at: datetime) -> int:
        ((position,),) = await self._ask("position_at", {"partition": partition, "at": at})
        archived = await self._archives.position_at(partition, at)
        return int(position) if archived is None else archived

    async def wait_beyond(self, partition: int, position: int, timeout_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while True:
            bell = self._listener.bell(partition)
            if self._listener.heard(partition) > position or await self.head(partition) > position:
                return
            # The bell may be broken: look again after a while, whatever it says.
            until = min(deadline, loop.time() + self._poll_seconds)
            try:
                async with asyncio.timeout_at(until):
                    await bell.wait()
            except TimeoutError:
                if loop.time() >= deadline:
                    return

    async def _ask(self, name: str, parameters: Mapping[str, Any]) -> Rows:
        self.round_trips += 1
        async with self._connections.use() as connection:
            return await (await _send(connection, name, parameters)).fetchall()


class _PostgresTurn:
    """A transaction that has the head's lock since before its first question."""

    def __init__(self, store: PostgresEventStore, connection: Connection) -> None:
        self._store = store
        self._connection = connection

    async def load(
        self, partition: int, after_versions: Mapping[str, int]
    ) -> Mapping[str, Sequence[RecordedEvent]]:
        try:
            return await self._store._load(partition, after_versions, self._ask)
        except (EventsMissing, errors.UndefinedTable) as error:
            # Asked again, as `_settled` does; but an error is the end of a transaction.
            raise StoreUnavailable("a segment of the log was just then archived") from error

    async def snapshots(
        self, partition: int, stream_ids: Sequence[str]
    ) -> Mapping[str, StateSnapshot]:
        return await _snapshots(self._ask, partition, stream_ids)

    async def append(self, partition: int, appends: Sequence[Append]) -> Sequence[Verdict]:
        if not appends:
            return []
        name, batch = "append_alone", pack_alone(partition, appends)
        if batch is None:
            name, batch = "append_each", pack_each(partition, appends)
        self._store.round_trips += 1
        with asking():
            async with self._connection.pipeline():
                # The commit goes along: the others need not wait until this process gets round to it.
                cursor = await _send(self._connection, name, batch)
                await self._connection.execute(_SQL["commit"])
            return verdicts(appends, await cursor.fetchall())

    async def _ask(self, name: str, parameters: Mapping[str, Any]) -> Rows:
        self._store.round_trips += 1
        with asking():
            return await (await _send(self._connection, name, parameters)).fetchall()


async def _send(
    connection: Connection, name: str, parameters: Mapping[str, Any]
) -> AsyncCursor[tuple[Any, ...]]:
    cursor = connection.cursor(binary=True)
    return await cursor.execute(_SQL[name], parameters, prepare=True)


async def _end(connection: Connection) -> None:
    """End what is left of a transaction. A connection that does not, is closed by who lent it."""
    if connection.pgconn.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        with suppress(psycopg.Error):
            await connection.execute(_SQL["rollback"])


async def _snapshots(
    ask: Ask, partition: int, stream_ids: Sequence[str]
) -> Mapping[str, StateSnapshot]:
    wanted = {"partition": partition, "streams": TextArray(stream_ids)}
    return {row[0]: StateSnapshot(*row) for row in await ask("load_snapshots", wanted)}


async def _settled(ask: Callable[[], Awaitable[T]]) -> T:
    """What is asked for, and asked again when it was missed because a segment was just then on its way into
    an archive or back.
    """
    for _ in range(_READ_TRIES_MAX - 1):
        try:
            return await ask()
        except (EventsMissing, errors.UndefinedTable):
            await asyncio.sleep(_READ_PAUSE_SECONDS)
    try:
        return await ask()
    except errors.UndefinedTable as error:
        raise EventsMissing(
            "a segment of the log is neither in the database nor in an archive: "
            "run `flamewire verify`, and restore the database"
        ) from error
