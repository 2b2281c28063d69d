"""Statements stay in proportion to the batch when the read models have become large.

What a planner thinks of a batch it has no statistics of is a guess; a guess that is wrong reads a
large table once an event. So the plans are looked at on tables with a hundred thousand rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flamewire_ledger.projector.apply import steps, wanted
from flamewire_ledger.projector.batch import Item, reading_batch, stage
from flamewire_ledger.projector.catalog import Projection, load_catalog
from flamewire_ledger.projector.connections import WriteConnection, WritePool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.memory import MemoryEventStore
from tests.projector.stories import Stories, record

CATALOG = load_catalog(Codec().classes)
# The others only add rows.
LOOKED_INTO = [each for each in CATALOG if each.name not in ("audit_trail", "ledger_entries")]
ROWS = 100_000
EVENTS = 400
# Every row again and again, under other keys: the first column of a primary key is always text.
MULTIPLY = """
INSERT INTO {table} ({columns})
SELECT {values}
FROM {table} AS known,
    generate_series(1, {rows} / greatest(1, (SELECT count(*) FROM {table}))) AS copy (number)
"""
COLUMNS = """
SELECT attname FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""
FIRST_OF_KEY = """
SELECT attribute.attname
FROM pg_index AS index
JOIN pg_attribute AS attribute
    ON attribute.attrelid = index.indrelid AND attribute.attnum = index.indkey[0]
WHERE index.indrelid = %s::regclass AND index.indisprimary
"""


async def _enlarge(connection: WriteConnection) -> None:
    for table in (table for projection in LOOKED_INTO for table in projection.tables):
        cursor = await connection.execute(FIRST_OF_KEY, [table])
        (key,) = await cursor.fetchone() or ("",)
        cursor = await connection.execute(COLUMNS, [table])
        columns = [name for (name,) in await cursor.fetchall()]
        values = [f"known.{name} || '_' || copy.number" if name == key else f"known.{name}"
                  for name in columns]  # fmt: skip
        sql = MULTIPLY.format(
            table=table, columns=", ".join(columns), values=", ".join(values), rows=ROWS
        )
        await connection.execute(sql)  # type: ignore[arg-type]
        await connection.execute(f"ANALYZE {table}")  # type: ignore[arg-type]


async def _plans(
    connection: WriteConnection, projection: Projection, items: list[Item]
) -> list[dict[str, Any]]:
    """What each statement did with these events, as the database tells it."""
    plans = []
    async with connection.transaction(force_rollback=True):
        await stage(connection, [projection], items)
        for sql, types, positions in steps(projection, wanted(projection, items)):
            cursor = await connection.execute(
                "EXPLAIN (ANALYZE, TIMING off, FORMAT json) " + reading_batch(sql),  # type: ignore[arg-type]
                {"types": types, "after": 0, "positions": positions},
            )
            ((told,),) = await cursor.fetchall()
            plans.append(told[0]["Plan"])
    return plans


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _rows_read(plan: dict[str, Any], tables: tuple[str, ...]) -> float:
    """How many rows of these tables a plan looked at."""
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in _nodes(plan)
        if node.get("Relation Name") in tables and "Scan" in node["Node Type"]
    )


async def test_no_statement_reads_a_large_table_once_an_event(
    pool: WritePool, store: MemoryEventStore
) -> None:
    stories = Stories(11)
    await record(store, stories.tell(600))
    await Projector(pool, store, CATALOG).catch_up()
    head = await store.head(0)
    while await store.head(0) < head + EVENTS:
        await record(store, stories.tell(100))
    items = [Item(event) for event in await store.read(0, head, EVENTS)]
    one_of_each = {item.event.type: item for item in items}
    async with pool.connection() as connection:
        await _enlarge(connection)
        for projection in LOOKED_INTO:
            for item in wanted(projection, list(one_of_each.values())):
                for plan in await _plans(connection, projection, [item]):
                    assert _rows_read(plan, projection.tables) < 100, (projection.name, plan)
            # Many events may read a table from end to end, where that is cheaper: but once.
            for plan in await _plans(connection, projection, items):
                assert _rows_read(plan, projection.tables) < 2 * ROWS, (projection.name, plan)
    assert len(one_of_each) > 20
