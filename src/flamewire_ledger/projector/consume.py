"""The live loop: this file holds how every batch gets into every read model, once.

Projections share lanes (`lane.py`). One that is behind, has something parked, or fails on a batch
takes it alone, so that nobody waits for it. Batches are only news: what is missing between a
checkpoint and a batch is read from the store, and now and then the store is asked whether the news
left something out. With the log in the same database news is only a bell: whatever is in the log by
then is taken from it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final, Protocol

import structlog

from flamewire_ledger.projector.alone import (
    CARRIED_EVENTS_MAX,
    NotBuilt,
    Stretch,
    apply_stretch,
    catch_up,
    lock_mark,
    read_ahead,
)
from flamewire_ledger.projector.catalog import Catalog, Projection
from flamewire_ledger.projector.connections import WritePool
from flamewire_ledger.projector.generations import RebuildRunning
from flamewire_ledger.projector.installed import Standing, age_of_next, positions_in, standing_of
from flamewire_ledger.projector.lane import WIDE_EVENTS, Taken, share_out, take, take_from_log
from flamewire_ledger.projector.log import is_beside
from flamewire_ledger.projector.patience import AWAY, insist
from flamewire_ledger.projector.poison import ProjectionBroken
from flamewire_ledger.projector.rebuild import heads, rebuild
from flamewire_ledger.projector.source import Batches, TailBatches
from flamewire_ledger.store.event_store import EventStore, RecordedEvent, StoreUnavailable
from flamewire_ledger.store.shares import AllOfThem, Shares

_log = structlog.get_logger(__name__)
_BUILDERS_MAX: Final = 2  # at once
_STEADY_EVENTS: Final = 20  # in a batch: many come all the time
_STEADY_PAUSES: Final = 2.5  # that are rested then
_REST_SECONDS_MAX: Final = 0.1  # so that what was appended is seen soon
_BROKEN_PAUSE_SECONDS: Final = 5.0  # before a projection that stands still is tried again


class Meter(Protocol):
    """What telemetry is told by."""

    def set(self, name: str, value: float, /, **labels: str) -> None: ...


class Projector:
    """Keeps every projection of a catalog up to date.

    `run` until cancelled; or `catch_up` once, to the store's heads. `source` None tails the store.
    """

    def __init__(
        self,
        pool: WritePool,
        store: EventStore,
        catalog: Catalog,
        source: Batches | None = None,
        *,
        lanes: int = 2,
        batch_events_max: int = 5_000,
        look_again_seconds: float = 1.0,
        pause_seconds: float = 0.02,
        shares: Shares | None = None,
        meter: Meter | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        """`lanes`: transactions at once. `look_again_seconds`: how soon lost news is noticed.

        `pause_seconds`: from the beginning of a batch to that of the next one at the least, where
        the log is beside us and whatever came meanwhile is in it. `shares`: the partitions to work
        on. `now`, the real time, is for the lag in seconds that `meter` is told.
        """
        self._pool = pool
        self._store = store
        self._catalog = catalog
        self._source = source
        self._lanes = lanes
        self._batch_events_max = batch_events_max
        self._look_again_seconds = look_again_seconds
        self._pause_seconds = pause_seconds
        self._beside = is_beside(store, pool)
        self._shares = shares or AllOfThem(store.partitions)
        self._meter = meter
        self._now = now
        self._live: dict[str, Projection] = {}
        self._positions: dict[tuple[str, int], int] = {}
        self._turns = [asyncio.Lock() for _ in range(store.partitions)]
        self._broken: dict[str, str] = {}
        self._is_caught_up = False
        self._seconds: dict[str, float] = {}  # that the last batch took
        self._builders = asyncio.Semaphore(_BUILDERS_MAX)

    @property
    def is_ready(self) -> bool:
        """Whether every projection is built, was caught up once, and goes on."""
        return self._is_caught_up and len(self._live) == len(self._catalog)

    @property
    def broken(self) -> Mapping[str, str]:
        """The projections that stand still, with the reason."""
        return dict(self._broken)

    async def run(self) -> None:
        """Build what is missing, catch up, and go on with the news, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            building = [tasks.create_task(self._join(name, tasks)) for name in self._catalog.names]
            await asyncio.gather(*building)
            held = await self._shares.first()
            for partition, head in (await insist(lambda: heads(self._store))).items():
                if partition in held:
                    await self._drain(partition, head, tasks)
            self._is_caught_up = True
            tasks.create_task(self._look_again(tasks))
            await self._follow(tasks)

    async def catch_up(self) -> None:
        """Build what is missing and apply everything the store has now. Raises ProjectionBroken."""
        for projection in self._catalog:
            await self._build(projection)
            await self._catch_up(projection)

    async def _drain(self, partition: int, head: int, tasks: asyncio.TaskGroup) -> None:
        """Bring all of them to the head together, from one reading of the store."""
        if self._beside:
            await self._take_from_log(partition, head, tasks)
        while self._live and (position := self._least(partition)) < head:
            size = min(self._batch_events_max, CARRIED_EVENTS_MAX)
            try:
                async for stretch in read_ahead(self._store, partition, position, head, size):
                    await self._take(stretch, tasks)
            except StoreUnavailable:
                await asyncio.sleep(self._look_again_seconds)
                continue
            if self._least(partition) <= position:
                return  # there is less in the store than it said

    async def _follow(self, tasks: asyncio.TaskGroup) -> None:
        source = self._source or TailBatches(
            self._store,
            {turn: self._least(turn) for turn in range(len(self._turns))},
            events_max=self._batch_events_max,
            poll_seconds=self._look_again_seconds,
            carries=not self._beside,
            shares=self._shares,
        )
        async for delivery in source:
            events = delivery.events
            began, before = time.monotonic(), self._least(delivery.partition)
            async with self._turns[delivery.partition]:
                if self._beside:
                    await self._take_from_log(delivery.partition, delivery.last, tasks)
                elif events and await self._is_recorded(events[-1]):
                    await self._take(Stretch.of(events), tasks)
                else:
                    await self._take_from_store(delivery.partition, delivery.last, tasks)
            await delivery.done()
            if self._beside:
                events_taken = self._least(delivery.partition) - before
                if events_taken > 0:  # what has been taken with the one before costs nothing
                    await self._rest(time.monotonic() - began, events_taken)

    async def _rest(self, took_seconds: float, events_taken: int) -> None:
        """Let some more come before the next batch: half of what a small one takes is spent on the
        batch, not on its events. To rest as long as it took makes batches larger when there is more
        to do; and where many come all the time, nobody waits for the one in particular.
        """
        pause = self._pause_seconds
        if events_taken >= _STEADY_EVENTS:
            pause *= _STEADY_PAUSES
        rest = max(pause - took_seconds, took_seconds)
        await asyncio.sleep(min(rest, _REST_SECONDS_MAX))

    async def _take_from_log(self, partition: int, last: int, tasks: asyncio.TaskGroup) -> None:
        """What the log has behind the least of the read models, up to a position at the least."""
        while (position := self._least(partition)) < last:
            until = position + self._batch_events_max
            news = Stretch(partition, position + 1, min(last, until), ())
            live = list(self._live.values())
            step = partial(take_from_log, self._pool, stretch=news, until=until)
            waiting = await self._share_out(live, news, step, tasks)
            if waiting:
                await self._carry(waiting, partition, news.last, tasks)
            if self._least(partition) <= position:
                return  # there is less in the store than it said

    async def _carry(
        self, waiting: Sequence[Projection], partition: int, last: int, tasks: asyncio.TaskGroup
    ) -> None:
        """Those that take runs of a key have to be told of every event of theirs: they share a reading
        of the store, up to where the others are.
        """
        at = {name: self._positions[name, partition] for name in self._live}
        known = [at[each.name] for each in waiting if each.name in at]
        least, until = min(known, default=last), max(last, *at.values())
        size = min(self._batch_events_max, CARRIED_EVENTS_MAX)
        try:
            async for stretch in read_ahead(self._store, partition, least, until, size):
                step = partial(take, self._pool, stretch=stretch)
                await self._share_out(waiting, stretch, step, tasks)
        except StoreUnavailable as error:
            _log.warning("the store does not answer", partition=partition, error=str(error))

    async def _is_recorded(self, event: RecordedEvent) -> bool:
        """Whether the store has this very event: a queue can outlive the database that it was filled
        from, restored from a backup or made anew, and then it tells of what never was.
        """
        if self._source is None:
            return True  # it comes from the store
        found = await insist(lambda: self._store.read(event.partition, event.position - 1, 1))
        return any(each.command_id == event.command_id for each in found)

    async def _look_again(self, tasks: asyncio.TaskGroup) -> None:
        """What the news left out is in the store."""
        while True:
            await asyncio.sleep(self._look_again_seconds)
            for partition, turn in enumerate(self._turns):
                if partition not in self._shares.held:
                    self._measure_nothing(partition)
                    continue
                try:
                    head = await self._store.head(partition)
                    await self._measure(partition, head)
                except AWAY:
                    continue  # whoever has something to do says so
                async with turn:
                    await insist(partial(self._recall, partition))
                    if self._beside:
                        await self._take_from_log(partition, head, tasks)
                    else:
                        await self._take_from_store(partition, head, tasks)

    async def _recall(self, partition: int) -> None:
        """Where they are by the database's word: after a failover they may be behind what is
        remembered, and there would be no news until the log had come as far again.
        """
        found = await positions_in(self._pool, partition)
        for name in self._live:
            self._positions[name, partition] = found.get(name, 0)

    async def _measure(self, partition: int, head: int) -> None:
        """Tell the meter where each projection is, and how old the first event is that it has not."""
        if self._meter is None or self._now is None:
            return
        ages: dict[int, float] = {}
        for (name, shard), position in list(self._positions.items()):
            if shard != partition:
                continue
            if position not in ages:
                ages[position] = await age_of_next(
                    self._store, partition, position, head, self._now()
                )
            labels = {"name": name, "partition": str(partition)}
            self._meter.set("projection_position", position, **labels)
            self._meter.set("projection_lag_seconds", ages[position], **labels)

    def _measure_nothing(self, partition: int) -> None:
        """Another process works on it: how far behind it is, is that one's to tell."""
        for name, shard in self._positions:
            if shard == partition and self._meter is not None:
                labels = {"name": name, "partition": str(partition)}
                self._meter.set("projection_lag_seconds", 0, **labels)

    async def _take_from_store(self, partition: int, until: int, tasks: asyncio.TaskGroup) -> None:
        for projection in list(self._live.values()):
            if self._positions.get((projection.name, partition), 0) < until:
                await self._alone(projection, partition, until, None, tasks)

    async def _take(self, stretch: Stretch, tasks: asyncio.TaskGroup) -> None:
        """Get a stretch that is carried into every live read model."""
        live = list(self._live.values())
        await self._share_out(live, stretch, partial(take, self._pool, stretch=stretch), tasks)

    async def _share_out(
        self,
        projections: Sequence[Projection],
        stretch: Stretch,
        step: Callable[[Sequence[Projection]], Awaitable[Taken]],
        tasks: asyncio.TaskGroup,
    ) -> list[Projection]:
        """Lane by lane, however long the database stays away. A short stretch is not worth two: each
        stages it for itself. Returns those that wait for their events to be carried to them.
        """
        count = self._lanes if stretch.length >= WIDE_EVENTS or stretch.items else 1
        lanes = share_out(projections, self._seconds, count)
        waiting: list[Projection] = []

        async def take_in(lane: Sequence[Projection]) -> None:
            taken = await insist(lambda: step(lane))
            for name, position in taken.positions.items():
                self._positions[name, stretch.partition] = position
            self._seconds.update(taken.seconds)
            waiting.extend(taken.carried)
            carried = stretch if stretch.items else None
            for projection in taken.alone:
                await self._alone(projection, stretch.partition, taken.last, carried, tasks)

        await asyncio.gather(*(take_in(lane) for lane in lanes))
        return waiting

    async def _alone(
        self,
        projection: Projection,
        partition: int,
        until: int,
        stretch: Stretch | None,
        tasks: asyncio.TaskGroup,
    ) -> None:
        """Bring one projection to a position, over a gap too; one that cannot go on steps aside."""

        async def go() -> int:
            if stretch is not None:
                async with self._pool.connection() as connection:
                    at = await apply_stretch(connection, projection, "live", stretch)
                if at >= until:
                    return at
            return await catch_up(
                self._pool,
                self._store,
                projection,
                partition,
                until,
                events_max=self._batch_events_max,
            )

        try:
            self._positions[projection.name, partition] = await insist(go)
        except (ProjectionBroken, NotBuilt) as error:
            self._live.pop(projection.name, None)
            self._broken[projection.name] = str(error)
            _log.error("a projection stands still", projection=projection.name, error=str(error))
            tasks.create_task(self._join_again(projection.name, tasks))

    async def _join_again(self, name: str, tasks: asyncio.TaskGroup) -> None:
        await asyncio.sleep(_BROKEN_PAUSE_SECONDS)
        await self._join(name, tasks)

    async def _join(self, name: str, tasks: asyncio.TaskGroup) -> None:
        """Build it if need be, and let it take part in the news. If it cannot: later."""
        projection = self._catalog.get(name)
        try:
            await insist(lambda: self._build(projection))
            if self._is_caught_up:  # the others are ahead, and do not wait
                await insist(lambda: self._catch_up(projection))
        except (ProjectionBroken, NotBuilt, RebuildRunning) as error:
            self._broken[name] = str(error)
            _log.error("a projection stands still", projection=name, error=str(error))
            tasks.create_task(self._join_again(name, tasks))
            return
        self._broken.pop(name, None)
        self._live[name] = projection

    async def _build(self, projection: Projection) -> None:
        """Make sure that this definition has built the live tables, and remember where they are."""
        async with self._builders:
            standing = await standing_of(self._pool, projection)
            if standing is Standing.CHANGED or standing is Standing.NEWER:
                raise NotBuilt(f"{projection.name}: {standing.value}")
            if standing is not Standing.CURRENT:
                _log.info("a read model is being built", projection=projection.name)
                await rebuild(self._pool, self._store, projection)
            async with self._pool.connection() as connection, connection.transaction():
                for partition in range(self._store.partitions):
                    mark = await lock_mark(connection, projection, partition, "live")
                    self._positions[projection.name, partition] = mark.position

    async def _catch_up(self, projection: Projection) -> None:
        for partition, until in (await heads(self._store)).items():
            self._positions[projection.name, partition] = await catch_up(
                self._pool,
                self._store,
                projection,
                partition,
                until,
                events_max=self._batch_events_max,
            )

    def _least(self, partition: int) -> int:
        """Up to where every live projection is, as far as this process knows. News begin there;
        what joins later comes up to them from the store.
        """
        known = [self._positions[name, partition] for name in self._live]
        return min(known, default=0)
