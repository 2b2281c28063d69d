"""Diff: is a read model what a fresh rebuild gives? Row by row, at one position, while live goes on.

A third generation is built up to about where live is. Then one transaction looks at a snapshot of
live, in which rows and checkpoint belong together; applies what is missing to exactly that
position, which only it can see; and compares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import IsolationLevel, sql

from flamewire_ledger.projector.alone import schema_of
from flamewire_ledger.projector.catalog import Projection
from flamewire_ledger.projector.connections import WriteConnection, WritePool
from flamewire_ledger.projector.generations import begin_generation, drop_generation
from flamewire_ledger.projector.installed import Standing, standing_of
from flamewire_ledger.projector.log import is_beside
from flamewire_ledger.projector.rebuild import (
    BATCH_EVENTS_MAX,
    Builder,
    OnProgress,
    building,
)
from flamewire_ledger.queries.statements import by_name, parse_statements, text_beside
from flamewire_ledger.store.event_store import EventStore

SQL: Final = by_name(parse_statements(text_beside(__file__, "difference.sql"), "difference.sql"))
ROWS_SHOWN_MAX: Final = 100  # of each table


class NothingToCompare(Exception):
    """The live tables were not built by this definition: there is no row by row to speak of."""


@dataclass(frozen=True, slots=True)
class RowDifference:
    """One row that is not the same; None where it is missing."""

    table: str
    live: dict[str, Any] | None
    rebuilt: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Difference:
    """`rows` has the first of them, `differing` how many there are by table."""

    name: str
    events: int  # that the rebuild took: the position compared at, summed over partitions
    compared: int  # rows
    differing: dict[str, int]
    rows: Sequence[RowDifference]

    @property
    def is_equal(self) -> bool:
        return not any(self.differing.values())


async def difference(
    pool: WritePool,
    store: EventStore,
    projection: Projection,
    *,
    on_progress: OnProgress | None = None,
    rows_max: int = ROWS_SHOWN_MAX,
    batch_events_max: int = BATCH_EVENTS_MAX,
) -> Difference:
    """Compare live with a rebuild. Raises NothingToCompare, RebuildRunning."""
    standing = await standing_of(pool, projection)
    if standing is not Standing.CURRENT:
        raise NothingToCompare(f"{projection.name}: {standing.value}")
    async with pool.connection() as connection, building(connection, projection, "diff"):
        await begin_generation(connection, projection, "diff", store.partitions)
        try:
            builder = Builder(
                connection,
                store,
                projection,
                "diff",
                batch_events_max,
                on_progress,
                beside=is_beside(store, pool),
            )
            await builder.run(await _live_positions(connection, projection))
            return await _compare(builder, rows_max)
        finally:
            async with connection.transaction():
                await drop_generation(connection, projection.name, "diff")


async def _compare(builder: Builder, rows_max: int) -> Difference:
    connection, projection = builder.connection, builder.projection
    await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    try:
        async with connection.transaction(force_rollback=True):
            positions = await _live_positions(connection, projection)
            await builder.finish(positions)
            compared, differing, rows = 0, {}, []
            for table in projection.tables:
                compared += await _count(connection, table)
                differing[table], found = await _differences(
                    connection, projection, table, rows_max
                )
                rows += found
    finally:
        await connection.set_isolation_level(None)
    return Difference(projection.name, sum(positions.values()), compared, differing, rows)


async def _live_positions(connection: WriteConnection, projection: Projection) -> dict[int, int]:
    cursor = await connection.execute(SQL["live_positions"].sql, {"name": projection.name})
    return dict(await cursor.fetchall())


async def _count(connection: WriteConnection, table: str) -> int:
    live = sql.Identifier("read_models", table)
    cursor = await connection.execute(sql.SQL(SQL["count_rows"].sql).format(live=live))
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def _differences(
    connection: WriteConnection, projection: Projection, table: str, rows_max: int
) -> tuple[int, list[RowDifference]]:
    """How many rows differ, and the first of them. Rows belong together by the primary key."""
    rebuilt = sql.Identifier(schema_of("diff", projection.name), table)
    live = sql.Identifier("read_models", table)
    cursor = await connection.execute(SQL["key_columns"].sql, {"table": f"read_models.{table}"})
    keys = [name for (name,) in await cursor.fetchall()]
    cursor = await connection.execute(
        sql.SQL(SQL["differing_rows"].sql).format(
            live=live,
            rebuilt=rebuilt,
            keys=sql.SQL(", ").join(sql.Identifier(name) for name in keys),
        ),
        {"limit": rows_max},
    )
    found = await cursor.fetchall()
    count = found[0][0] if found else 0
    return count, [RowDifference(table, live_row, new_row) for _, live_row, new_row in found]
