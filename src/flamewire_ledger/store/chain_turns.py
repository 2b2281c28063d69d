"""Whose turn it is to follow a chain: one watcher among all processes that use this database.

A turn is a connection that holds an advisory lock, and what is kept of the chain is written over
that very connection: who has lost the lock cannot write. When its holder dies, the database lets go
of the lock, and the next one goes on from what is saved.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from typing import Any, Final

import psycopg

from flamewire_ledger.store.connections import Connection, Connections
from flamewire_ledger.store.ending import end
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.store.statements import read_statements

_SQL: Final = {
    name: statement.query
    for name, statement in read_statements(files(__package__) / "chain_turns.sql").items()
}
STANDBY_SECONDS: Final = 1.0  # between two looks whether the turn is free, or still ours
_ANSWER_SECONDS_MAX: Final = 10.0  # of a connection that is asked whether it still is one


class PostgresChainTurn:
    """The turn of one chain, for one follower. Lends its connection as Connections lends its own."""

    def __init__(
        self,
        connections: Connections,
        chain_id: str,
        *,
        name: str = "a watcher",
        standby_seconds: float = STANDBY_SECONDS,
    ) -> None:
        """A turn has a connection of its own, beyond those that are shared. `name` is what people
        are shown of who has it: a machine and a process, say.
        """
        self._connections = connections
        self._chain_id = chain_id
        self._name = name
        self._standby_seconds = standby_seconds
        self._connection: Connection | None = None
        self._lost = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._is_standing_by = False

    @property
    def is_standing_by(self) -> bool:
        """Whether another process follows the chain."""
        return self._is_standing_by

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[asyncio.Event]:
        """Wait until it is ours. What is yielded is set when it is lost: then stop following.

        Raises StoreUnavailable when there is no connection, or it breaks while waiting.
        """
        try:
            connection = await self._connections.connect()
        except psycopg.OperationalError as error:
            raise StoreUnavailable(f"no connection to take the turn of {self._chain_id}") from error
        try:
            await self._wait(connection)
            self._connection, self._lost = connection, asyncio.Event()
            looking = asyncio.create_task(self._look())
            try:
                yield self._lost
            finally:
                self._connection = None
                await end(looking)
        finally:
            self._is_standing_by = False
            await connection.close()

    @asynccontextmanager
    async def use(self) -> AsyncIterator[Connection]:
        """The connection that holds the turn, for one at a time; StoreUnavailable when it is lost."""
        async with self._one_at_a_time:
            connection, lost = self._connection, self._lost
            if connection is None or lost.is_set():
                raise StoreUnavailable(f"it is not our turn to follow {self._chain_id}")
            try:
                yield connection
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                raise StoreUnavailable(f"the turn of {self._chain_id} may be lost") from error
            finally:
                idle = psycopg.pq.TransactionStatus.IDLE
                if connection.pgconn.transaction_status != idle:
                    lost.set()

    async def _wait(self, connection: Connection) -> None:
        try:
            await connection.execute(_SQL["notice_soon"])
            named = {"name": self._name, "chain_id": self._chain_id}
            await connection.execute(_SQL["be_seen"], named)
            # The one that holds it is another process: there is no event of ours to wait for.
            while not await self._is_locked(connection):
                self._is_standing_by = True
                await asyncio.sleep(self._standby_seconds)
        except psycopg.OperationalError as error:
            raise StoreUnavailable("the connection broke while waiting for a turn") from error
        self._is_standing_by = False

    async def _is_locked(self, connection: Connection) -> bool:
        cursor = await connection.execute(_SQL["try_lock"], {"chain_id": self._chain_id})
        row: tuple[Any, ...] | None = await cursor.fetchone()
        return row is not None and bool(row[0])

    async def _look(self) -> None:
        """A chain may be quiet for long, and nothing written: find out all the same."""
        lost = self._lost
        while not lost.is_set():
            await asyncio.sleep(self._standby_seconds)
            with suppress(StoreUnavailable):
                try:
                    async with asyncio.timeout(_ANSWER_SECONDS_MAX), self.use() as connection:
                        await connection.execute(_SQL["still_there"])
                except TimeoutError:
                    lost.set()
