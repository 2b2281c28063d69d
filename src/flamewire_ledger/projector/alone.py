"""One projection, one stretch of events, one transaction: the step that consuming and rebuilding share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql

from flamewire_ledger.projector.apply import apply_types
from flamewire_ledger.projector.batch import Item
from flamewire_ledger.projector.catalog import Projection
from flamewire_ledger.projector.checkpoint import Generation, Mark, lock_marks, move_marks
from flamewire_ledger.projector.connections import WriteConnection, WritePool
from flamewire_ledger.projector.log import NotInLog, begin_staging, can_stage, is_beside
from flamewire_ledger.projector.poison import apply_or_park, must_go_alone
from flamewire_ledger.queries.statements import by_name, parse_statements, text_beside
from flamewire_ledger.store.event_store import EventStore, RecordedEvent

SQL: Final = by_name(parse_statements(text_beside(__file__, "alone.sql"), "alone.sql"))
CARRIED_EVENTS_MAX: Final = 5_000  # at once, where events pass through Python


class NotBuilt(Exception):
    """The projection has no tables of this generation, or another definition built them."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Contiguous events of one partition, first…last, rendered once for every projection.

    `items` is empty where the events could not be carried: then they are in the store.
    """

    partition: int
    first: int
    last: int
    items: Sequence[Item]

    @classmethod
    def of(cls, events: Sequence[RecordedEvent]) -> Stretch:
        return cls(
            events[0].partition,
            events[0].position,
            events[-1].position,
            [Item(event) for event in events],
        )

    def behind(self, position: int) -> Sequence[Item]:
        """The items after a position."""
        return self.items[max(0, position + 1 - self.first) :]

    @property
    def length(self) -> int:
        """How many events it has, carried or not."""
        return self.last + 1 - self.first


def schema_of(generation: Generation, name: str) -> str:
    """The database schema that has a generation's tables."""
    return "read_models" if generation == "live" else f"read_models_{generation}_{name}"


async def use_generation(connection: WriteConnection, name: str, generation: Generation) -> None:
    """Names of tables mean this generation's until the transaction ends. Live is the default."""
    if generation != "live":
        path = sql.Identifier(schema_of(generation, name)).as_string(connection)
        await connection.execute(SQL["use_schema"].sql, {"path": f"{path}, public"})


async def begin_step(connection: WriteConnection, name: str, generation: Generation) -> None:
    """Begin a transaction that moves a generation forward.

    Nobody reads one that is not live, so its commits need not wait for the disk: rows and
    checkpoint would be lost together, and the builder with them. The switch is a commit that does
    wait, and with it comes everything before. Live waits always: readers remember the positions
    they have seen, and would be told that what is gone is there.
    """
    await use_generation(connection, name, generation)
    if generation != "live":
        await connection.execute(SQL["do_not_wait_for_disk"].sql)


async def apply_stretch(
    connection: WriteConnection, projection: Projection, generation: Generation, stretch: Stretch
) -> int:
    """Apply what is behind the checkpoint, and move it, in a transaction of its own.

    Returns the position the projection has then: before `stretch.first` - 1 when events are missing
    in between, in which case nothing was done. Applying the same stretch again does nothing.
    """
    async with connection.transaction():
        await begin_step(connection, projection.name, generation)
        mark = await lock_mark(connection, projection, stretch.partition, generation)
        if mark.position >= stretch.last or mark.position + 1 < stretch.first or not stretch.items:
            return mark.position
        await apply_or_park(
            connection,
            projection,
            stretch.behind(mark.position),
            mark,
            stretch.partition,
            generation,
        )
        moved = {projection.name: stretch.last}
        await move_marks(connection, moved, stretch.partition, generation)
        return stretch.last


async def lock_mark(
    connection: WriteConnection, projection: Projection, partition: int, generation: Generation
) -> Mark:
    """Lock one checkpoint. Raises NotBuilt unless this very definition built the tables."""
    marks = await lock_marks(connection, [projection.name], partition, generation)
    mark = marks.get(projection.name)
    if mark is None or (generation == "live" and mark.fingerprint != projection.fingerprint):
        raise NotBuilt(
            f"{projection.name} was not built by this definition, or not at all; "
            f"run `flamewire projection rebuild {projection.name}`"
        )
    return mark


async def read_ahead(
    store: EventStore, partition: int, after: int, until: int, events_max: int
) -> AsyncIterator[Stretch]:
    """The stretches behind `after` up to `until`; the next one is read while one is worked on."""

    async def read(position: int) -> Sequence[RecordedEvent]:
        return await store.read(partition, position, events_max, until=until)

    ahead = asyncio.create_task(read(after))
    try:
        while events := await ahead:
            ahead = asyncio.create_task(read(events[-1].position))
            yield Stretch.of(events)
            if events[-1].position >= until:
                return
    finally:
        ahead.cancel()


async def catch_up(
    pool: WritePool,
    store: EventStore,
    projection: Projection,
    partition: int,
    until: int,
    *,
    generation: Generation = "live",
    events_max: int,
) -> int:
    """Bring one projection to a position from the store, and return where it is."""
    async with pool.connection() as connection:
        async with connection.transaction():
            position = (await lock_mark(connection, projection, partition, generation)).position
        forward = Forward(connection, store, projection, generation, partition, events_max)
        async for reached in forward.run(position, until, is_beside(store, pool)):
            position = reached
    return position


@dataclass(frozen=True, slots=True)
class Forward:
    """One generation of a projection on its way through a partition, `events_max` at a time."""

    connection: WriteConnection
    store: EventStore
    projection: Projection
    generation: Generation
    partition: int
    events_max: int

    async def run(self, position: int, until: int, beside: bool) -> AsyncIterator[int]:
        """Where it is after each transaction, up to `until`; it ends before when the store does.

        With the log `beside` it is taken from there, but for the stretches that have to be carried:
        those that something is parked in, and those of the archives.
        """
        from_log = beside and can_stage(self.projection)
        while position < until:
            begin = position
            goal = min(until, position + self.events_max) if from_log else until
            if from_log:
                position = await apply_from_log(
                    self.connection,
                    self.projection,
                    self.generation,
                    self.partition,
                    position,
                    goal,
                )
                if position > begin:
                    yield position
                    continue
            async for reached in self._carry(begin, goal):
                position = reached
                yield position
            if position <= begin:
                return

    async def _carry(self, position: int, until: int) -> AsyncIterator[int]:
        size = min(self.events_max, CARRIED_EVENTS_MAX)
        async for stretch in read_ahead(self.store, self.partition, position, until, size):
            position = await apply_stretch(
                self.connection, self.projection, self.generation, stretch
            )
            yield position
            if position < stretch.last:
                return


async def apply_from_log(
    connection: WriteConnection,
    projection: Projection,
    generation: Generation,
    partition: int,
    position: int,
    until: int,
) -> int:
    """Apply what is in the log beside us behind a position, in a transaction of its own.

    Returns the position the projection has then: the same as before when these events have to be
    carried, and nothing was done.
    """
    try:
        async with connection.transaction():
            await begin_step(connection, projection.name, generation)
            mark = await lock_mark(connection, projection, partition, generation)
            if mark.position != position or not mark.is_plain:
                return mark.position
            asked = await begin_staging(
                connection, [projection], partition, position, until, prepare=False
            )
            staged = await asked.answer()
            await apply_types(connection, projection, staged.types, position, prepare=False)
            await move_marks(connection, {projection.name: staged.last}, partition, generation)
            return staged.last
    except NotInLog:
        return position
    except psycopg.Error as error:
        if must_go_alone(error):
            return position
        raise
