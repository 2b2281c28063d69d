"""Connections that read: a pool on the live read models, read only, in UTC, each statement bounded.

Rows come as dicts by column name. Columns of base units come as int; `price` and the like stay
Decimal; JSON comes decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from flamewire_ledger.queries.statements import all_queries

Row: TypeAlias = dict[str, Any]
ReadConnection: TypeAlias = AsyncConnection[Row]
ReadPool: TypeAlias = AsyncConnectionPool[ReadConnection]

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
    sql = all_queries()[question].sql
    async with pool.connection() as connection:
        try:
            return await (await connection.execute(sql, parameters)).fetchall()
        except psycopg.errors.UndefinedTable as error:
            raise ReadModelNotBuilt(str(error.diag.message_primary)) from error
        except psycopg.errors.FeatureNotSupported:
            # A generation of another shape took the place of the one this was prepared for.
            return await (await connection.execute(sql, parameters, prepare=False)).fetchall()


def _units_as_int(cursor: Any) -> Any:
    names = [column.name for column in cursor.description or ()]
    whole = [name == "units" or name.endswith("_units") for name in names]

    def row(values: Sequence[Any]) -> Row:
        return {
            name: int(value) if is_units and type(value) is Decimal else value
            for name, is_units, value in zip(names, whole, values, strict=True)
        }

    return row
