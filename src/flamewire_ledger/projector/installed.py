"""What the database has of each projection: by which definition its live tables were built, and how far they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Final, TypedDict

from flamewire_ledger.projector.catalog import Catalog, Projection
from flamewire_ledger.projector.checkpoint import consumer_of
from flamewire_ledger.projector.connections import WritePool
from flamewire_ledger.queries.statements import by_name, parse_statements, text_beside
from flamewire_ledger.store.event_store import EventStore

SQL: Final = by_name(parse_statements(text_beside(__file__, "installed.sql"), "installed.sql"))


class Standing(Enum):
    """How the live tables of a projection compare with its folder."""

    MISSING = "it was never built"
    CURRENT = "it was built by this definition"
    OLDER = "it was built by an older version"
    NEWER = "a newer version built it: this process is older than the database"
    CHANGED = (
        "its folder was changed without a new version: raise `version` in projection.toml, "
        "or run `flamewire projection rebuild`"
    )


class Status(TypedDict):
    """How far a projection is in one partition. Lag in seconds is the age of the first event to come."""

    name: str
    version: int
    standing: str
    partition: int
    position: int
    head: int
    lag_events: int
    lag_seconds: float
    is_late: bool
    parked: int


async def standing_of(pool: WritePool, projection: Projection) -> Standing:
    async with pool.connection() as connection:
        cursor = await connection.execute(SQL["built"].sql, {"name": projection.name})
        row = await cursor.fetchone()
    if row is None:
        return Standing.MISSING
    version, fingerprint = row
    if fingerprint == projection.fingerprint:
        return Standing.CURRENT
    if version == projection.version:
        return Standing.CHANGED
    return Standing.OLDER if version < projection.version else Standing.NEWER


async def positions_in(pool: WritePool, partition: int) -> Mapping[str, int]:
    """How far each live projection is in a partition; one that was not built is missing."""
    async with pool.connection() as connection:
        asked = await connection.execute(SQL["positions_in"].sql, {"partition": partition})
        return dict(await asked.fetchall())


async def statuses(
    pool: WritePool, store: EventStore, catalog: Catalog, now: datetime
) -> Sequence[Status]:
    """Every projection and partition. `now` is the database's kind of time, not the sandbox's."""
    async with pool.connection() as connection:
        checkpoints = await (await connection.execute(SQL["live_positions"].sql)).fetchall()
        letters = await (await connection.execute(SQL["parked_counts"].sql)).fetchall()
    positions = {(name, partition): position for name, partition, position in checkpoints}
    parked = {(consumer, partition): count for consumer, partition, count in letters}
    found: list[Status] = []
    for projection in catalog:
        standing = await standing_of(pool, projection)
        for partition in range(store.partitions):
            position = positions.get((projection.name, partition), 0)
            head = await store.head(partition)
            lag_seconds = await age_of_next(store, partition, position, head, now)
            found.append(
                Status(
                    name=projection.name,
                    version=projection.version,
                    standing=standing.name.lower(),
                    partition=partition,
                    position=position,
                    head=head,
                    lag_events=max(0, head - position),
                    lag_seconds=lag_seconds,
                    is_late=lag_seconds > projection.lag_seconds_max,
                    parked=parked.get((consumer_of(projection.name), partition), 0),
                )
            )
    return found


async def age_of_next(
    store: EventStore, partition: int, position: int, head: int, now: datetime
) -> float:
    """Seconds since the first event behind a position was recorded; 0 when there is none."""
    if position >= head:
        return 0.0
    waiting = await store.read(partition, position, 1)
    if not waiting:
        return 0.0
    age = now.astimezone(UTC) - waiting[0].recorded_at
    return max(0.0, age.total_seconds())
