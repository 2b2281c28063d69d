"""Dead letters: what a projection or a process could not handle, and what a person does about it.

To retry one is to apply everything its key has parked, in order, as far as it goes. To discard one
is to leave it out for good, in rebuilds too, and let what waited behind it go on. Letters of other
consumers than projections are retried by those: here they can be listed, shown and discarded.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import psycopg
from psycopg.rows import dict_row

from flamewire_ledger.projector.alone import lock_mark
from flamewire_ledger.projector.apply import apply
from flamewire_ledger.projector.batch import Item
from flamewire_ledger.projector.catalog import Catalog, Projection
from flamewire_ledger.projector.connections import WriteConnection, WritePool
from flamewire_ledger.projector.poison import cause_of, is_poison
from flamewire_ledger.queries.statements import by_name, parse_statements, text_beside
from flamewire_ledger.store.event_store import EventStore

SQL: Final = by_name(
    parse_statements(text_beside(__file__, "dead_letters.sql"), "dead_letters.sql")
)
Rows: TypeAlias = list[dict[str, Any]]
LETTERS_MAX: Final = 1_000
_PREFIX: Final = "projection:"


class NoSuchLetter(Exception):
    """Nothing is parked under this number."""


class NotOurs(Exception):
    """The letter belongs to a process, which tries again by itself."""


class DeadLetters:
    """The parked events, by their numbers."""

    def __init__(self, pool: WritePool, store: EventStore, catalog: Catalog) -> None:
        self._pool = pool
        self._store = store
        self._catalog = catalog

    async def list(
        self, *, after: int = 0, limit: int = LETTERS_MAX, discarded: bool = False
    ) -> Rows:
        """Oldest first: {id, reader, partition, position, type, key, stream_id, attempts, cause, …}.

        `cause` is None for one that only waits behind another of its key.
        """
        given = {"after": after, "limit": limit, "discarded": discarded}
        return await self._rows("list", given)

    async def show(self, number: int) -> dict[str, Any] | None:
        """One letter, with the event's data as it was recorded; None when there is none."""
        rows = await self._rows("by_number", {"id": number})
        if not rows:
            return None
        letter = rows[0]
        if not letter["position"]:  # what was never recorded has none
            return letter
        events = await self._store.read(letter["partition"], letter["position"] - 1, 1)
        if events:
            letter["version"] = events[0].version
            letter["merchant_id"] = events[0].merchant_id
            letter["recorded_at"] = events[0].recorded_at
            letter["data"] = events[0].data.decode(errors="replace")
        return letter

    async def retry(self, number: int) -> int:
        """Apply what this letter's key has parked, in order; how many are parked still.

        Raises NoSuchLetter, NotOurs. It stops at the first that still cannot be applied.
        """
        letter = await self._find(number)
        projection = self._projection(letter)
        async with self._pool.connection() as connection, connection.transaction():
            await lock_mark(connection, projection, letter["partition"], "live")
            return await self._retry_key(connection, projection, letter)

    async def discard(self, number: int) -> int:
        """Leave this one out for good; what waited behind it is tried. How many are parked still."""
        letter = await self._find(number)
        async with self._pool.connection() as connection, connection.transaction():
            if letter["reader"].startswith(_PREFIX):
                projection = self._projection(letter)
                await lock_mark(connection, projection, letter["partition"], "live")
            await connection.execute(SQL["discard"].sql, {"id": number})
            if not letter["reader"].startswith(_PREFIX):
                return 0
            return await self._retry_key(connection, projection, letter)

    async def _retry_key(
        self, connection: WriteConnection, projection: Projection, letter: dict[str, Any]
    ) -> int:
        """In order, until one fails; under the checkpoint's lock, so that no later event overtakes."""
        given = {name: letter[name] for name in ("reader", "partition", "key")}
        waiting = await (await connection.execute(SQL["of_key"].sql, given)).fetchall()
        for index, (number, position) in enumerate(waiting):
            events = await self._store.read(letter["partition"], position - 1, 1)
            try:
                async with connection.transaction():
                    await apply(connection, projection, [Item(event) for event in events])
            except psycopg.Error as error:
                if not (is_poison(error) or isinstance(error, psycopg.ProgrammingError)):
                    raise
                failed = {"id": number, "cause": cause_of(error)}
                await connection.execute(SQL["failed_again"].sql, failed)
                return len(waiting) - index
            await connection.execute(SQL["applied"].sql, {"id": number})
        return 0

    async def _find(self, number: int) -> dict[str, Any]:
        rows = await self._rows("by_number", {"id": number})
        if not rows or rows[0]["discarded_at"] is not None:
            raise NoSuchLetter(f"nothing is parked as {number}: see `flamewire dlq list`")
        return rows[0]

    def _projection(self, letter: dict[str, Any]) -> Projection:
        reader: str = letter["reader"]
        if not reader.startswith(_PREFIX):
            raise NotOurs(f"{reader} tries again by itself; a letter of it can be discarded")
        return self._catalog.get(reader.removeprefix(_PREFIX))

    async def _rows(self, name: str, given: dict[str, Any]) -> Rows:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=dict_row)
            return await (await cursor.execute(SQL[name].sql, given)).fetchall()
