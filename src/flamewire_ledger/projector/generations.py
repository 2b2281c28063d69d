"""Generations of a read model: this file holds how one is begun, and how it takes the live one's place.

The next generation is a schema of its own beside `read_models`, with the same tables. To switch is
to move tables between schemas, in one transaction: whoever asks sees the old rows or the new ones,
and waits for milliseconds at most.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from psycopg import sql

from flamewire_ledger.projector.alone import schema_of, use_generation
from flamewire_ledger.projector.catalog import Projection
from flamewire_ledger.projector.checkpoint import Generation, consumer_of
from flamewire_ledger.projector.connections import WriteConnection
from flamewire_ledger.queries.statements import by_name, parse_statements, text_beside

SQL: Final = by_name(parse_statements(text_beside(__file__, "generations.sql"), "generations.sql"))


class RebuildRunning(Exception):
    """Somebody else is building this generation just now; theirs goes on untouched."""


@asynccontextmanager
async def only_builder(
    connection: WriteConnection, name: str, generation: Generation
) -> AsyncIterator[None]:
    """The right to build a generation, for this connection. Raises RebuildRunning.

    The lock is the connection's: a builder that is killed lets go of it.
    """
    given = {"lock": f"flamewire {generation} {name}"}
    cursor = await connection.execute(SQL["try_lock"].sql, given)
    row = await cursor.fetchone()
    if row is None or not row[0]:
        raise RebuildRunning(
            f"another process is building {name} just now: wait for it, then try again"
        )
    try:
        yield
    finally:
        if not connection.closed:
            await connection.execute(SQL["unlock"].sql, given)


async def begin_generation(
    connection: WriteConnection, projection: Projection, generation: Generation, partitions: int
) -> None:
    """Empty tables without their secondary indexes, and checkpoints at 0.

    Whatever an earlier builder left behind is dropped. What was discarded stays discarded.
    """
    given = {
        "name": projection.name,
        "consumer": consumer_of(projection.name),
        "generation": generation,
        "partitions": partitions,
    }
    async with connection.transaction():
        await drop_generation(connection, projection.name, generation)
        await _run(connection, "create_schema", schema_of(generation, projection.name))
        await use_generation(connection, projection.name, generation)
        for statement in projection.table_sql:
            await connection.execute(statement)
        await connection.execute(SQL["begin_checkpoints"].sql, given)
        await connection.execute(SQL["copy_discarded"].sql, given)


async def finish_indexes(
    connection: WriteConnection, projection: Projection, generation: Generation
) -> None:
    """Make the indexes that were left out, and let the planner look at the tables."""
    async with connection.transaction():
        await use_generation(connection, projection.name, generation)
        for statement in projection.index_sql:
            await connection.execute(statement)
        schema = schema_of(generation, projection.name)
        for table in projection.tables:
            await connection.execute(
                sql.SQL(SQL["analyze"].sql).format(table=sql.Identifier(schema, table))
            )


async def drop_generation(connection: WriteConnection, name: str, generation: Generation) -> None:
    """Its tables, checkpoints and dead letters; live cannot be dropped."""
    assert generation != "live"
    given = {"name": name, "consumer": consumer_of(name), "generation": generation}
    await _run(connection, "drop_schema", schema_of(generation, name))
    await connection.execute(SQL["drop_checkpoints"].sql, given)
    await connection.execute(SQL["drop_letters"].sql, given)


async def lock_live(connection: WriteConnection, name: str) -> Mapping[int, int]:
    """The live positions by partition, locked; empty when nothing was ever built."""
    cursor = await connection.execute(SQL["lock_live"].sql, {"name": name})
    return dict(await cursor.fetchall())


async def switch(connection: WriteConnection, projection: Projection) -> None:
    """Put the next generation in the live one's place, in the caller's transaction.

    The caller holds the live checkpoints (`lock_live`), and next is exactly there or ahead of them.
    The live tables become `read_models_old_<name>`; those that were there before are dropped.
    """
    name = projection.name
    given = {
        "name": name,
        "version": projection.version,
        "fingerprint": projection.fingerprint,
        "tables": list(projection.tables),
        "consumer": consumer_of(name),
    }
    old_schema = f"read_models_old_{name}"
    await _run(connection, "drop_schema", old_schema)
    cursor = await connection.execute(SQL["live_tables"].sql, {"name": name})
    live = [table for (table,) in await cursor.fetchall()]
    if live:
        await _run(connection, "create_schema", old_schema)
    # A reader may hold one of these tables and wait for another: give up rather than wait on it.
    await connection.execute(SQL["do_not_wait"].sql)
    for table in live:
        await _run(connection, "lock_table", "read_models", table)
    for table in live:
        await _run(connection, "move_table", "read_models", table, to=old_schema)
    for table in projection.tables:
        await _run(connection, "move_table", schema_of("next", name), table, to="read_models")
    for statement in ("record_built", "drop_live_letters", "keep_next_letters"):
        await connection.execute(SQL[statement].sql, given)
    for statement in ("keep_next_checkpoints", "drop_next_checkpoints"):
        await connection.execute(SQL[statement].sql, given)
    await _run(connection, "drop_schema", schema_of("next", name))


async def _run(connection: WriteConnection, statement: str, *names: str, to: str = "") -> None:
    query = sql.SQL(SQL[statement].sql)
    await connection.execute(
        query.format(name=sql.Identifier(*names), to=sql.Identifier(to or "-"))
    )
