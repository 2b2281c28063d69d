"""Migrations: numbered SQL files that each run once, forward, in order, under a lock.

What ran is written down with its checksum. A file that changed after it ran is an error, for then
nobody knows what the database looks like; so is a database that a newer version has migrated. To
change something, add a file.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection, Connection

from flamewire_ledger.store.connections import meaning
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.store.statements import read_statements

_HERE: Final = files(__package__)
_SQL: Final = read_statements(_HERE / "migrate.sql")
SEGMENT_EVENTS: Final = 2**22
_FILE_NAME: Final = re.compile(r"([0-9]{4})_[a-z0-9_]+\.sql\Z")


class MigrationError(Exception):
    """The database and the migrations of this version do not belong together; says what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations(folder: Traversable | Path = _HERE / "migrations") -> list[Migration]:
    """The migrations of this version, in order."""
    found: dict[int, Migration] = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        match = _FILE_NAME.match(file.name)
        if match is None:
            continue
        migration = Migration(int(match[1]), file.name, file.read_text(encoding="utf-8"))
        if migration.number in found:
            raise MigrationError(f"two migrations have the number {migration.number}")
        found[migration.number] = migration
    return list(found.values())


async def migrate(
    dsn: str,
    *,
    partitions: int = 1,
    segment_events: int = SEGMENT_EVENTS,
    known: Sequence[Migration] | None = None,
) -> list[str]:
    """Bring the database to this version; the names of what ran now.

    Safe to repeat, and to run twice at once. `partitions` and `segment_events` (a power of two)
    count when the ledger is made, and are ignored afterwards. Raises MigrationError, or
    StoreUnavailable when nothing answers.
    """
    return await asyncio.to_thread(
        migrate_blocking, dsn, partitions=partitions, segment_events=segment_events, known=known
    )


def migrate_blocking(
    dsn: str,
    *,
    partitions: int = 1,
    segment_events: int = SEGMENT_EVENTS,
    known: Sequence[Migration] | None = None,
    only: Container[int] | None = None,
) -> list[str]:
    """The same for code without a loop. With `only` some numbers, no ledger is made."""
    wanted = migrations() if known is None else known
    with _connect(dsn) as connection:
        connection.execute(_SQL["lock"].query)
        connection.execute(_SQL["create_table"].query)
        applied = connection.execute(_SQL["applied"].query).fetchall()
        pending = [
            migration
            for migration in _pending(wanted, applied)
            if only is None or migration.number in only
        ]
        for migration in pending:
            _run(connection, migration)
        if known is None and only is None:
            made = {"partitions": partitions, "segment_events": segment_events}
            connection.execute(_SQL["create_partitions"].query, made)
            connection.execute(_SQL["make_room_ahead"].query)
    return [migration.name for migration in pending]


def _run(connection: Connection[Any], migration: Migration) -> None:
    with connection.transaction():
        connection.execute(migration.sql.encode())
        connection.execute(
            _SQL["record"].query,
            {"number": migration.number, "name": migration.name, "sha256": migration.sha256},
        )


async def check_migrated(connection: AsyncConnection[Any]) -> None:
    """Raises MigrationError unless the database is at exactly this version."""
    row = await (await connection.execute(_SQL["table_exists"].query)).fetchone()
    applied = []
    if row and row[0]:
        applied = await (await connection.execute(_SQL["applied"].query)).fetchall()
    pending = _pending(migrations(), applied)
    if pending:
        raise MigrationError(
            f"the database lacks {len(pending)} migrations, from {pending[0].name}: "
            "run `flamewire migrate`"
        )


def _connect(dsn: str) -> Connection[Any]:
    try:
        return Connection.connect(dsn, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise StoreUnavailable(meaning(error)) from error


def _pending(
    wanted: Sequence[Migration], applied: Sequence[tuple[int, str, str]]
) -> list[Migration]:
    known = {migration.number: migration for migration in wanted}
    for number, name, sha256 in applied:
        if number not in known:
            raise MigrationError(
                f"the database has migration {name}, which this version does not know: "
                "run the version that made it, or a newer one"
            )
        if known[number].sha256 != sha256:
            raise MigrationError(
                f"migration {name} is not the file that ran on this database: "
                "restore the file, and make the change in a new migration"
            )
    done = {number for number, _, _ in applied}
    return [migration for migration in wanted if migration.number not in done]
