"""What Postgres alone takes in: the very rows that the ledger has just written for a thousand commands,
copied as they are into tables with nothing but a primary key, a thousand commands a commit.

It is the same server with the same settings, with fsync on, and the client is on the same two cores.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import psycopg

from flamewire_ledger.store.statements import read_statements

_SQL: Final = {
    name: statement.sql
    for name, statement in read_statements(Path(__file__).with_suffix(".sql")).items()
}
_TABLES: Final = ("events", "commands")
COMMANDS: Final = 1_000
NAME: Final = "COPY of the same rows, 1 000 commands a commit"


class InsertReference:
    """Use it as a context manager, once commands are in the store; their rows are what is copied."""

    def __init__(self, url: str) -> None:
        self._connection: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True)
        self._rows: dict[str, bytes] = {}

    def __enter__(self) -> InsertReference:
        self._do("make_schema")
        for table in _TABLES:
            self._do(f"make_{table}")
            self._do(f"number_{table}")
            with self._connection.cursor().copy(self._sql(f"copy_{table}_out")) as out:
                self._rows[table] = b"".join(bytes(part) for part in out)
        return self

    def __exit__(self, *_: object) -> None:
        self._do("drop_schema")
        self._connection.close()

    def commands_per_second(self, seconds: float) -> float:
        """Commands whose rows were committed in a second."""
        columns = {table: self._columns(table) for table in _TABLES}
        self._insert(columns)
        began, done = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            self._insert(columns)
            done += COMMANDS
        rate = done / (time.perf_counter() - began)
        for table in _TABLES:
            self._do(f"empty_{table}")
        return rate

    def _insert(self, columns: dict[str, str]) -> None:
        with self._connection.transaction():
            for table in _TABLES:
                statement = self._sql(f"copy_{table}_in", columns[table])
                with self._connection.cursor().copy(statement) as into:
                    into.write(self._rows[table])

    def _columns(self, table: str) -> str:
        row = self._connection.execute(
            _SQL["columns"].encode(), {"table": f"public.{table}"}
        ).fetchone()
        assert row is not None
        return str(row[0])

    def _sql(self, name: str, columns: str = "") -> bytes:
        return (
            _SQL[name].replace("{commands}", str(COMMANDS)).replace("{columns}", columns).encode()
        )

    def _do(self, name: str) -> None:
        self._connection.execute(self._sql(name))
