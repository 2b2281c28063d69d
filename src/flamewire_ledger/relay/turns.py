"""Whose turn it is to relay a partition, and how far it has come: in Postgres, and in memory for
tests.

A turn is a connection that holds an advisory lock. When its holder dies, the database lets go of
the lock, and the next one goes on from the checkpoint. The checkpoint is written on the same
connection: who has lost the lock cannot move it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.resources import files
from typing import Any, Final

import psycopg

from flamewire_ledger.store.connections import Connection, Connections
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.store.statements import read_statements

_SQL: Final = read_statements(files(__package__) / "turns.sql")
STANDBY_SECONDS: Final = 1.0  # between two looks whether the turn is free


class PostgresTurn:
    """The turn of one partition, as long as its connection lives."""

    def __init__(self, connection: Connection, partition: int, position: int) -> None:
        self._connection = connection
        self._partition = partition
        self._position = position

    @property
    def position(self) -> int:
        return self._position

    async def move(self, position: int) -> None:
        try:
            await self._connection.execute(
                _SQL["move"].query, {"partition": self._partition, "position": position}
            )
        except psycopg.OperationalError as error:
            raise StoreUnavailable("the relay's turn was lost with its connection") from error
        self._position = position


class PostgresTurns:
    """One relay a partition among all processes that use this database."""

    def __init__(
        self, connections: Connections, *, standby_seconds: float = STANDBY_SECONDS
    ) -> None:
        """A turn has a connection of its own, beyond those that are shared."""
        self._connections = connections
        self._standby_seconds = standby_seconds

    @asynccontextmanager
    async def take(self, partition: int) -> AsyncIterator[PostgresTurn]:
        """Raises StoreUnavailable when there is no connection, or it breaks while waiting."""
        try:
            connection = await self._connections.connect()
        except psycopg.OperationalError as error:
            raise StoreUnavailable("no connection to take the relay's turn on") from error
        async with connection:
            try:
                position = await self._wait(connection, partition)
            except psycopg.OperationalError as error:
                raise StoreUnavailable("the connection broke while waiting for a turn") from error
            yield PostgresTurn(connection, partition, position)

    async def _wait(self, connection: Connection, partition: int) -> int:
        await connection.execute(_SQL["unhurried"].query)
        it = {"partition": partition}
        # The one that holds it is another process: there is no event of ours to wait for.
        while not await _value(connection, "try_lock", it):  # noqa: ASYNC110
            await asyncio.sleep(self._standby_seconds)
        return int(await _value(connection, "position", it) or 0)


async def _value(connection: Connection, name: str, given: dict[str, int]) -> Any:
    row = await (await connection.execute(_SQL[name].query, given)).fetchone()
    return row[0] if row else None


class MemoryTurn:
    """A checkpoint for tests."""

    def __init__(self) -> None:
        self._position = 0

    @property
    def position(self) -> int:
        return self._position

    async def move(self, position: int) -> None:
        self._position = position


class MemoryTurns:
    """Turns for tests, of the relays in one process."""

    def __init__(self) -> None:
        self._turns: dict[int, MemoryTurn] = {}
        self._locks: dict[int, asyncio.Lock] = {}

    def take(self, partition: int) -> AbstractAsyncContextManager[MemoryTurn]:
        return self._take(partition)

    @asynccontextmanager
    async def _take(self, partition: int) -> AsyncIterator[MemoryTurn]:
        async with self._locks.setdefault(partition, asyncio.Lock()):
            yield self._turns.setdefault(partition, MemoryTurn())
