"""A lane: this file holds how several projections take a stretch in one transaction.

Each moves its own checkpoint in it. One that cannot take part (something is parked, events are
missing in between, the batch fails) is named in the outcome, and takes the stretch alone.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import psycopg
from psycopg import AsyncPipeline

from flamewire_ledger.projector.alone import Stretch
from flamewire_ledger.projector.apply import apply_staged, apply_types, taking
from flamewire_ledger.projector.batch import stage
from flamewire_ledger.projector.catalog import Projection
from flamewire_ledger.projector.checkpoint import (
    Mark,
    begin_locking,
    lock_marks,
    marks_of,
    move_marks,
)
from flamewire_ledger.projector.connections import WriteConnection, WritePool
from flamewire_ledger.projector.log import NotInLog, Staged, begin_staging, can_stage
from flamewire_ledger.projector.poison import must_go_alone
from flamewire_ledger.queries.plans import Plans

WIDE_EVENTS: Final = (
    1_000  # so many are worth a second lane, plans of their own, and a look at the clock
)
# To plan ten projections' statements takes 4 ms, which is as much as to apply 100 events. A plan that
# is kept must not outlive the sizes of tables that it was made for: at 10 000 events a second a table
# grows by no more than that before it is made anew.
_PLANS: Final = Plans(seconds_max=1.0)


@dataclass(frozen=True, slots=True)
class Taken:
    """Where the projections of a lane are now, and which have to take the stretch alone up to `last`.

    `carried` are those that wait for their events to be carried to them, as they take runs of a key.
    """

    last: int
    positions: Mapping[str, int] = field(default_factory=dict)
    alone: Sequence[Projection] = ()
    carried: Sequence[Projection] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)  # each took, where it was measured


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Those of a lane that are there already, that can take the stretch, and that cannot."""

    there: Mapping[str, int]
    ready: Mapping[str, Mark]
    taking: Sequence[Projection]
    alone: Sequence[Projection]
    carried: Sequence[Projection] = ()

    def leaving_out_runs(self, types: Collection[str]) -> _Sorted:
        """Those of which there is nothing among these types have nothing to do but to move on; of the
        others, those that take runs have to wait until their events are carried.
        """
        carried = [
            projection
            for projection in self.taking
            if not can_stage(projection) and taking(projection, types)
        ]
        waiting = {projection.name for projection in carried}
        return replace(
            self,
            ready={name: mark for name, mark in self.ready.items() if name not in waiting},
            taking=[projection for projection in self.taking if can_stage(projection)],
            carried=carried,
        )


async def take(pool: WritePool, lane: Sequence[Projection], stretch: Stretch) -> Taken:
    """Apply events that are carried, or say that each has to find them in the store."""
    try:
        async with pool.connection() as connection, connection.transaction():
            names = [projection.name for projection in lane]
            marks = await lock_marks(connection, names, stretch.partition, "live")
            found = _sort(lane, marks, stretch, stretch.last)
            if not stretch.items:
                return Taken(stretch.last, found.there, [*found.taking, *found.alone])
            seconds = await _apply_carried(connection, found, stretch)
            moved = dict.fromkeys(found.ready, stretch.last)
            await move_marks(connection, moved, stretch.partition, "live")
    except psycopg.Error as error:
        if must_go_alone(error):
            return Taken(stretch.last, alone=lane)
        raise
    return Taken(stretch.last, {**found.there, **moved}, found.alone, seconds=seconds)


async def _apply_carried(
    connection: WriteConnection, found: _Sorted, stretch: Stretch
) -> Mapping[str, float]:
    """Send the events once, from the least of the marks on, and apply them to each."""
    seconds: dict[str, float] = {}
    if not found.taking:
        return seconds
    least = min(mark.position for mark in found.ready.values())
    await stage(connection, found.taking, stretch.behind(least))
    for projection in found.taking:
        began = time.monotonic()
        after = found.ready[projection.name].position
        await apply_staged(connection, projection, stretch.behind(after), after)
        seconds[projection.name] = time.monotonic() - began
    return seconds


async def take_from_log(
    pool: WritePool, lane: Sequence[Projection], stretch: Stretch, until: int
) -> Taken:
    """Apply what the log beside us has by now: two round trips and a commit, however much that is.

    `stretch` is what was told of it, `until` where to stop. `Taken.last` is how far it was.
    """
    is_wide = stretch.length >= WIDE_EVENTS
    try:
        async with (
            pool.connection() as connection,
            connection.pipeline() as pipeline,
            connection.transaction(),
        ):
            await _PLANS.forget_old(connection)
            names = [projection.name for projection in lane]
            locking = await begin_locking(connection, names, stretch.partition, "live")
            staging = await begin_staging(
                connection,
                lane,
                stretch.partition,
                stretch.first - 1,
                until,
                prepare=not is_wide,
            )
            marks, staged = await marks_of(locking), await staging.answer()
            found = _sort(lane, marks, stretch, staged.last).leaving_out_runs(staged.types)
            seconds = await _apply_in_log(connection, pipeline, found, staged, is_wide)
            moved = dict.fromkeys(found.ready, staged.last)
            await move_marks(connection, moved, stretch.partition, "live")
            await pipeline.sync()  # what fails, fails within the transaction
    except NotInLog:
        return Taken(stretch.last, alone=lane)
    except psycopg.Error as error:
        if must_go_alone(error):
            return Taken(stretch.last, alone=lane)
        raise
    return Taken(staged.last, {**found.there, **moved}, found.alone, found.carried, seconds)


async def _apply_in_log(
    connection: WriteConnection,
    pipeline: AsyncPipeline,
    found: _Sorted,
    staged: Staged,
    is_wide: bool,
) -> Mapping[str, float]:
    seconds: dict[str, float] = {}
    for projection in found.taking:
        began = time.monotonic()
        after = found.ready[projection.name].position
        await apply_types(connection, projection, staged.types, after, prepare=not is_wide)
        if is_wide:
            await pipeline.sync()
            seconds[projection.name] = time.monotonic() - began
    return seconds


def _sort(
    lane: Sequence[Projection], marks: Mapping[str, Mark], stretch: Stretch, last: int
) -> _Sorted:
    there: dict[str, int] = {}
    ready: dict[str, Mark] = {}
    taking, alone = [], []
    for projection in lane:
        mark = marks.get(projection.name)
        if mark is not None and mark.position >= last:
            there[projection.name] = mark.position
        elif mark is not None and _can_take(projection, mark, stretch):
            ready[projection.name] = mark
            taking.append(projection)
        else:
            alone.append(projection)
    return _Sorted(there, ready, taking, alone)


def _can_take(projection: Projection, mark: Mark, stretch: Stretch) -> bool:
    """Whether this definition built the tables, nothing is missing in between, and nothing parked."""
    is_ours = mark.fingerprint == projection.fingerprint
    return is_ours and mark.position + 1 >= stretch.first and mark.is_plain


def share_out(
    projections: Sequence[Projection], seconds: Mapping[str, float], lanes: int
) -> list[list[Projection]]:
    """Lanes that take about as long as each other, by what the last batch took; none is empty."""
    shared: list[list[Projection]] = [[] for _ in range(lanes)]
    loads = [0.0] * lanes
    for projection in sorted(projections, key=lambda each: -seconds.get(each.name, 0.0)):
        lightest = loads.index(min(loads))
        shared[lightest].append(projection)
        loads[lightest] += seconds.get(projection.name, 0.0) + 1e-6
    return [lane for lane in shared if lane]
