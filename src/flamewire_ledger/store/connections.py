"""A few connections to Postgres, made when needed and dropped when they break.

A pool for one purpose: a broken server is tried again at the very next question instead of on a
schedule of the pool's, and whatever means "ask again" comes out as StoreUnavailable, with a
sentence that says what is wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from importlib.resources import files
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import AsyncConnection, errors
from psycopg.conninfo import conninfo_to_dict

from flamewire_ledger.store.arrays import register_arrays
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.store.statements import read_statements

Connection: TypeAlias = AsyncConnection[Any]
_SQL: Final = {
    name: statement.query
    for name, statement in read_statements(files(__package__) / "connections.sql").items()
}

# What an operator can do something about deserves a sentence of its own.
_MEANINGS: Final[tuple[tuple[type[psycopg.Error], str], ...]] = (
    (errors.DiskFull, "the database's disk is full; nothing was recorded: make room"),
    (errors.TooManyConnections, "the database has no connection left: raise max_connections"),
    (errors.QueryCanceled, "the database took longer than statement_timeout allows"),
    (errors.LockNotAvailable, "a lock was held for longer than lock_timeout allows"),
    (errors.ReadOnlySqlTransaction, "the database takes no writes: it is a standby, or set so"),
    (errors.InvalidPassword, "the database refused the password in FLAMEWIRE_DATABASE_URL"),
    (
        errors.InvalidCatalogName,
        "there is no such database: make it, or mend FLAMEWIRE_DATABASE_URL",
    ),
)
_ASK_AGAIN: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.ReadOnlySqlTransaction,
)


class Connections:
    """At most `size_max` connections in autocommit, in UTC, with limits on statements and locks."""

    def __init__(
        self,
        dsn: str,
        *,
        size_max: int,
        connect_timeout_seconds: int = 5,
        statement_timeout_seconds: int = 30,
        lock_timeout_seconds: int = 10,
        wait_seconds_max: float = 30.0,
    ) -> None:
        self._dsn = dsn
        self._idle: list[Connection] = []
        self._places = asyncio.Semaphore(size_max)
        self._connect_timeout_seconds = connect_timeout_seconds
        self._wait_seconds_max = wait_seconds_max
        # What the address asks for itself comes last, and so counts.
        asked_for = conninfo_to_dict(dsn).get("options") or ""
        self._options = (
            f"-c TimeZone=UTC -c statement_timeout={statement_timeout_seconds}s "
            f"-c lock_timeout={lock_timeout_seconds}s "
            "-c idle_in_transaction_session_timeout=60s "
            # Everything asked here is found by index. A plan that was kept since the tables were
            # small would scan them, for as long as nobody has counted their rows again.
            "-c enable_seqscan=off -c jit=off "
            # For the same reason one plan serves all: it leaves out the segments of the log that a read
            # does not need when it starts. Planning each read anew took three times as long as reading.
            f"-c plan_cache_mode=force_generic_plan {asked_for}"
        )
        self.opened = 0  # connections made so far; more than a few says that they break
        # One after the other. A connection broke for whoever had it; who gets the one made in its
        # place sees only here that there may be less behind it than was seen before.
        self.servers_met = 0
        self._server_began: datetime | None = None

    @asynccontextmanager
    async def use(self) -> AsyncIterator[Connection]:
        """A connection for a while. What means "ask again" is raised as StoreUnavailable."""
        try:
            async with asyncio.timeout(self._wait_seconds_max):
                await self._places.acquire()
        except TimeoutError as error:
            raise StoreUnavailable("every connection to the database stayed busy") from error
        connection: Connection | None = None
        try:
            connection = self._idle.pop() if self._idle else await self.connect()
            yield connection
        except _ASK_AGAIN as error:
            if connection is not None and isinstance(error, errors.ReadOnlySqlTransaction):
                await connection.close()  # another server may be the one that takes writes now
            raise StoreUnavailable(meaning(error)) from error
        finally:
            if connection is not None:
                await self._put_back(connection)
            self._places.release()

    async def connect(self) -> Connection:
        """A connection outside the limit; the caller closes it. Raises psycopg errors."""
        connection = await AsyncConnection.connect(
            self._dsn,
            autocommit=True,
            prepare_threshold=0,
            connect_timeout=self._connect_timeout_seconds,
            options=self._options,
            application_name="flamewire",
            keepalives_idle=10,
        )
        register_arrays(connection.adapters)
        try:
            began, _ = await (await connection.execute(_SQL["begin"])).fetchone() or (None, None)
        except BaseException:
            await connection.close()
            raise
        self.opened += 1
        if began != self._server_began:  # the same one, started anew, counts: it may have crashed
            self._server_began = began
            self.servers_met += 1
        return connection

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    async def _put_back(self, connection: Connection) -> None:
        # Left within a transaction or a half-read answer, by a cancelled task say, it is of no more
        # use.
        status = connection.pgconn.transaction_status
        if status == psycopg.pq.TransactionStatus.IDLE:
            self._idle.append(connection)
        else:
            await connection.close()
            # The others broke for the same reason, most likely: better to find out by connecting.
            await self.close()


@contextmanager
def asking() -> Iterator[None]:
    """For a connection that is kept for several questions: what means "ask again" is raised as StoreUnavailable."""
    try:
        yield
    except _ASK_AGAIN as error:
        raise StoreUnavailable(meaning(error)) from error


def meaning(error: Exception) -> str:
    """What an error of the connection means to whoever runs the ledger."""
    for kind, sentence in _MEANINGS:
        if isinstance(error, kind):
            return sentence
    return f"the database did not answer: {str(error).strip() or type(error).__name__}"
