"""Rebuild: the next generation is built beside the live one, and takes its place when it is where live is.

Live goes on being projected into and asked all the time. A rebuild that is killed leaves nothing
that counts: the next one begins by dropping it. It also is how a projection is built the first
time, and how a new version replaces the one before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

import psycopg

from flamewire_ledger.projector.alone import (
    CARRIED_EVENTS_MAX,
    Forward,
    Stretch,
    lock_mark,
    read_ahead,
    use_generation,
)
from flamewire_ledger.projector.catalog import Projection
from flamewire_ledger.projector.checkpoint import Generation, move_marks
from flamewire_ledger.projector.connections import WriteConnection, WritePool
from flamewire_ledger.projector.generations import (
    begin_generation,
    finish_indexes,
    lock_live,
    only_builder,
    switch,
)
from flamewire_ledger.projector.log import is_beside
from flamewire_ledger.projector.poison import apply_or_park
from flamewire_ledger.store.event_store import EventStore

BATCH_EVENTS_MAX: Final = 20_000
_NEAR_EVENTS: Final = 1_000  # so few may be left to apply while live stands still
_ROUNDS_MAX: Final = 20  # of catching up with a store that is being written to
_SWITCH_TRIES_MAX: Final = 20
_SWITCH_PAUSE_SECONDS: Final = 0.2

OnProgress: TypeAlias = Callable[[int, int], None]  # events done, and in all


class SwitchNotPossible(Exception):
    """The next generation was built, but its tables could not be had for the switch; try again."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    name: str
    version: int
    events: int
    seconds: float


async def rebuild(
    pool: WritePool,
    store: EventStore,
    projection: Projection,
    *,
    on_progress: OnProgress | None = None,
    batch_events_max: int = BATCH_EVENTS_MAX,
) -> Rebuilt:
    """Build the projection anew and switch to it. Raises RebuildRunning, SwitchNotPossible.

    `on_progress` gets (done, total) in events; the total grows while the store is written to.
    """
    begin = time.monotonic()
    async with pool.connection() as connection, building(connection, projection, "next"):
        await begin_generation(connection, projection, "next", store.partitions)
        builder = Builder(
            connection,
            store,
            projection,
            "next",
            batch_events_max,
            on_progress,
            beside=is_beside(store, pool),
        )
        await builder.run(await heads(store))
        await finish_indexes(connection, projection, "next")
        for _ in range(_ROUNDS_MAX):
            goal = await heads(store)
            behind = sum(goal.values()) - builder.done
            await builder.run(goal)
            if behind <= _NEAR_EVENTS:
                break
        await _take_over(builder)
    return Rebuilt(projection.name, projection.version, builder.done, time.monotonic() - begin)


@asynccontextmanager
async def building(
    connection: WriteConnection, projection: Projection, generation: Generation
) -> AsyncIterator[None]:
    """Alone in building it. An index that would be kept up to date meanwhile is not there yet."""
    async with only_builder(connection, projection.name, generation):
        yield


async def heads(store: EventStore) -> Mapping[int, int]:
    """The last position of every partition."""
    return {partition: await store.head(partition) for partition in range(store.partitions)}


class Builder:
    """Brings one generation forward over all partitions, and counts."""

    def __init__(
        self,
        connection: WriteConnection,
        store: EventStore,
        projection: Projection,
        generation: Generation,
        batch_events_max: int,
        on_progress: OnProgress | None,
        *,
        beside: bool,
    ) -> None:
        """`beside`: the log is in the database of the connection."""
        self.connection = connection
        self.store = store
        self.projection = projection
        self.generation = generation
        self._batch_events_max = batch_events_max
        self._on_progress = on_progress
        self._beside = beside
        self._positions = dict.fromkeys(range(store.partitions), 0)

    @property
    def done(self) -> int:
        return sum(self._positions.values())

    async def run(self, goal: Mapping[int, int]) -> None:
        """Apply everything up to these positions, each batch in a transaction of its own."""
        total = sum(goal.values())
        for partition, until in goal.items():
            if self._positions[partition] >= until:
                continue
            async for position in self._forward(partition).run(
                self._positions[partition], until, self._beside
            ):
                self._positions[partition] = position
                self._report(total)
        self._report(total)

    def _forward(self, partition: int) -> Forward:
        return Forward(
            self.connection,
            self.store,
            self.projection,
            self.generation,
            partition,
            self._batch_events_max,
        )

    async def finish(self, goal: Mapping[int, int]) -> None:
        """The last bit, within the caller's transaction: what is behind is applied in it as well."""
        await use_generation(self.connection, self.projection.name, self.generation)
        for partition, until in goal.items():
            if self._positions[partition] < until:
                async for stretch in self._stretches(partition, until):
                    await self._apply_inside(stretch)

    async def _apply_inside(self, stretch: Stretch) -> None:
        mark = await lock_mark(self.connection, self.projection, stretch.partition, self.generation)
        await apply_or_park(
            self.connection,
            self.projection,
            stretch.behind(mark.position),
            mark,
            stretch.partition,
            self.generation,
        )
        moved = {self.projection.name: stretch.last}
        await move_marks(self.connection, moved, stretch.partition, self.generation)

    def _stretches(self, partition: int, until: int) -> AsyncIterator[Stretch]:
        after = self._positions[partition]
        size = min(self._batch_events_max, CARRIED_EVENTS_MAX)
        return read_ahead(self.store, partition, after, until, size)

    def _report(self, total: int) -> None:
        if self._on_progress is not None:
            self._on_progress(self.done, max(total, self.done))


async def _take_over(builder: Builder) -> None:
    """Stop live where it is, come to exactly there, and switch; again when a reader is in the way.

    Where live is behind, it goes on from where the next generation is: nothing is applied twice,
    because the tables are the ones that have it.
    """
    connection = builder.connection
    for _ in range(_SWITCH_TRIES_MAX):
        try:
            async with connection.transaction():
                live = await lock_live(connection, builder.projection.name)
                await builder.finish(live)
                await switch(connection, builder.projection)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            await asyncio.sleep(_SWITCH_PAUSE_SECONDS)
        else:
            return
    raise SwitchNotPossible(
        f"{builder.projection.name} was built anew, but readers held its tables all the time: "
        f"run `flamewire projection rebuild {builder.projection.name}` again"
    )
