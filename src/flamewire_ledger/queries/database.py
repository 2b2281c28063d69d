"""Connections that read: a pool on the live read models, read only, in UTC, each statement bounded.

Rows come as dicts by column name. Columns of base units come as int; `price` and the like stay
Decimal; JSON comes decoded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from flamewire_ledger.queries.plans import Plans
from flamewire_ledger.queries.statements import all_queries

Row: TypeAlias = dict[str, Any]
ReadConnection: TypeAlias = AsyncConnection[Row]
ReadPool: TypeAlias = AsyncConnectionPool[ReadConnection]

_PLANS: Final = Plans(seconds_max=10.0)
_OPTIONS: Final = (
    "-c search_path=read_models,public -c default_transaction_read_only=on -c timezone=UTC"
)


class ReadModelNotBuilt(Exception):
    """The read model is not there yet: its first generation, or a new version, is being built."""


def read_pool(
    database_url: str, *, connections_max: int = 8, statement_seconds_max: float = 5
) -> ReadPool:
    """A closed pool: `await pool.open()` before use, `await pool.close()` after."""
    return AsyncConnectionPool(
        database_url,
        connection_class=AsyncConnection[Row],
        kwargs={
            "autocommit": True,
            "row_factory": _units_as_int,
            "options": f"{_OPTIONS} -c statement_timeout={int(statement_seconds_max * 1000)}",
        },
        min_size=1,
        max_size=connections_max,
        open=False,
        timeout=5,
        name="queries",
    )


async def ask(pool: ReadPool, question: str, **parameters: Any) -> list[Row]:
    """The rows that answer one of the named questions in projections/*/queries.sql."""
    return await execute(pool, all_queries()[question].sql, parameters, _units_as_int)


async def execute(
    pool: ReadPool,
    sql: str,
    parameters: Mapping[str, object],
    row_factory: Any,
    *,
    binary: bool = False,
) -> list[Any]:
    """The rows of a statement. With `binary` it is prepared at once, and nothing is sent as text."""
    async with (
        pool.connection() as connection,
        connection.cursor(binary=binary, row_factory=row_factory) as cursor,
    ):
        await _PLANS.forget_old(connection)
        prepare = True if binary else None
        try:
            await cursor.execute(sql, parameters, prepare=prepare)
        except psycopg.errors.UndefinedTable as error:
            raise ReadModelNotBuilt(str(error.diag.message_primary)) from error
        except psycopg.errors.FeatureNotSupported:
            # A generation of another shape took the place of the one this was prepared for.
            await cursor.execute(sql, parameters, prepare=False)
        return await cursor.fetchall()


def _units_as_int(cursor: Any) -> Any:
    names = [column.name for column in cursor.description or ()]
    whole = [name == "units" or name.endswith("_units") for name in names]

    def row(values: Sequence[Any]) -> Row:
        return {
            name: int(value) if is_units and type(value) is Decimal else value
            for name, is_units, value in zip(names, whole, values, strict=True)
        }

    return row
