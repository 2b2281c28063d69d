"""The reactor: shows every event to the processes, in order, until all that follows from it is
recorded.

Deliveries are a bell; the store is the truth, and what they announce is looked for there: only the
events that a process reads, because most are of no consequence. What comes twice is dropped, and
now and then the reactor looks whether something lies there that nobody rang for. Several reactors
may run: they say the same things, and each thing happens once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from flamewire_ledger.processes.checkpoint import Checkpoints, DeadLetters
from flamewire_ledger.processes.process import Process
from flamewire_ledger.processes.reaction import Failure, Reactions, Task
from flamewire_ledger.processes.search import Search, StoreSearch
from flamewire_ledger.store.event_store import EventStore, RecordedEvent, StoreUnavailable
from flamewire_ledger.store.shares import AllOfThem, Shares, work_on

_log = structlog.get_logger(__name__)
_WAIT_SECONDS_FIRST: Final = 0.1
_WAIT_SECONDS_MAX: Final = 15.0
_LANE_DELIVERIES_MAX: Final = 16
_SEARCH_EVENTS_MAX: Final = 100_000  # looked through in one question
_UNSAVED_EVENTS_MAX: Final = 1000
_UNSAVED_SECONDS_MAX: Final = 1.0


class Delivery(Protocol):
    """A stretch of events of one partition, in order; no events at all: look in the store."""

    @property
    def partition(self) -> int: ...

    @property
    def events(self) -> Sequence[RecordedEvent]: ...

    async def done(self) -> None: ...

    async def failed(self) -> None: ...


class Deliveries(Protocol):
    """Where they come from."""

    def __aiter__(self) -> AsyncIterator[Delivery]: ...


class Meter(Protocol):
    """What telemetry counts by."""

    def add(self, name: str, amount: int = 1, /, **labels: str) -> None: ...

    def set(self, name: str, value: float, /, **labels: str) -> None: ...


@dataclass(slots=True)
class _Progress:
    """Where the processes are in one partition, and how much of it the checkpoints do not say
    yet.
    """

    positions: dict[str, int]
    saved: dict[str, int]
    saved_at: float
    moved_at: float
    retried_at: float

    @property
    def start(self) -> int:
        """Every process has seen everything up to here."""
        return min(self.positions.values())

    @property
    def unsaved(self) -> int:
        return max(at - self.saved.get(name, 0) for name, at in self.positions.items())


class Reactor:
    """`run` tails the store, or works through deliveries; `catch_up` works off what there is."""

    def __init__(
        self,
        store: EventStore,
        reactions: Reactions,
        processes: Sequence[Process],
        checkpoints: Checkpoints,
        dead_letters: DeadLetters,
        *,
        search: Search | None = None,
        batch_events_max: int = 500,
        sweep_seconds: float = 5.0,
        retry_seconds: float = 15.0,
        shares: Shares | None = None,
        meter: Meter | None = None,
    ) -> None:
        """`search`: a faster way to find events in the store than to read all of them.

        `sweep_seconds`: how long something may lie in the store before it is looked for.

        `retry_seconds`: between two looks whether a dead letter should be tried again.

        `shares`: the partitions to tail, without deliveries; all of them when there are none.
        """
        self._store = store
        self._search = search or StoreSearch(store)
        self._reactions = reactions
        self._processes = {process.name: process for process in processes}
        self._types = frozenset().union(*(process.reads for process in processes))
        self._checkpoints = checkpoints
        self._dead_letters = dead_letters
        self._batch_events_max = batch_events_max
        self._sweep_seconds = sweep_seconds
        self._retry_seconds = retry_seconds
        self._shares = shares or AllOfThem(store.partitions)
        self._meter = meter
        self._progress: dict[int, _Progress] = {}

    def position(self, partition: int) -> int:
        """Up to where every process has seen everything; 0 before it has begun."""
        progress = self._progress.get(partition)
        return progress.start if progress else 0

    async def run(self, deliveries: Deliveries | None = None) -> None:
        """Go on until cancelled, or until the deliveries end."""
        if deliveries is not None:
            await self._listen(deliveries)
            return
        await work_on(self._shares, self._tail)

    async def catch_up(self, partition: int) -> int:
        """React to everything in the store; returns the position reached."""
        progress = await self._begin(partition)
        while (head := await self._store.head(partition)) > progress.start:
            await self._react_until(partition, progress, head)
        if head < progress.start:  # the server that came back after a failover lacks what was seen
            raise StoreUnavailable(f"the store ends at {head}, and {progress.start} was seen")
        await self._save(partition, progress)
        return progress.start

    async def take(self, partition: int, events: Sequence[RecordedEvent]) -> None:
        """React to everything in the store up to the last of these events.

        They are only the news, and what they say is not believed: a queue can outlive the database
        it was filled from, and money would be given for what is nowhere recorded.
        """
        if not events:
            await self.catch_up(partition)
            return
        progress, last = await self._begin(partition), events[-1].position
        if progress.start >= last:
            return
        head = await self._store.head(partition)
        if head < last:
            _log.error("a delivery is ahead of the store", partition=partition, position=last)
        await self._react_until(partition, progress, min(last, head))

    async def retry(self, process: str, partition: int, position: int) -> Failure | None:
        """Handle a dead letter again, and then what waits behind it, until one fails: that one
        is returned.

        Raises LookupError for a process or an event that there is not.
        """
        waiting: int | None = position
        while waiting is not None:
            event = next(iter(await self._store.read(partition, waiting - 1, 1)), None)
            if event is None or process not in self._processes:
                raise LookupError(f"there is no event {waiting} that waits for {process}")
            reaction = await self._reactions.react(
                partition, [Task(self._processes[process], event)]
            )
            if reaction.failures:
                await self._dead_letters.park(reaction.failures)
                return reaction.failures[0]
            await self._dead_letters.release(process, partition, waiting)
            parked = await self._dead_letters.parked(partition)
            waiting = parked.waiting.get((process, event.stream_id))
        return None

    async def _react_until(self, partition: int, progress: _Progress, until: int) -> None:
        """React to what is recorded up to a position that is not beyond the head."""
        while (after := progress.start) < until:
            last = min(until, after + _SEARCH_EVENTS_MAX)
            events = await self._search.find(
                partition, after, last, self._types, self._batch_events_max
            )
            if len(events) == self._batch_events_max:
                last = events[-1].position
            await self._page(partition, progress, events, last)

    async def _page(
        self, partition: int, progress: _Progress, events: Sequence[RecordedEvent], last: int
    ) -> None:
        """React to the events that matter; nothing else up to `last` does."""
        tasks = [
            Task(process, event)
            for event in events
            for process in self._processes.values()
            if event.type in process.reads and event.position > progress.positions[process.name]
        ]
        if tasks:
            await self._react(partition, tasks)
        now = asyncio.get_running_loop().time()
        for name, position in progress.positions.items():
            progress.positions[name] = max(position, last)
        progress.moved_at = now
        overdue = now - progress.saved_at >= _UNSAVED_SECONDS_MAX
        if tasks or overdue or progress.unsaved >= _UNSAVED_EVENTS_MAX:
            await self._save(partition, progress)

    async def _react(self, partition: int, tasks: Sequence[Task]) -> None:
        parked = await self._dead_letters.parked(partition)
        free: list[Task] = []
        behind: list[Failure] = []
        for task in tasks:
            name, event = task.process.name, task.event
            first = parked.waiting.get((name, event.stream_id), event.position + 1)
            if event.position < first and (name, event.position) not in parked.discarded:
                free.append(task)
            elif event.position > first:
                behind.append(Failure(name, event, None))
        reaction = await self._reactions.react(partition, free)
        failures = (*behind, *reaction.failures)
        if failures:
            await self._dead_letters.park(failures)
        for failure in failures:
            _log.warning(
                "an event was put aside",
                process=failure.process,
                partition=partition,
                position=failure.event.position,
                cause=failure.cause,
            )
            self._count("process_parked", 1, name=failure.process)
        for outcome, count in (("recorded", reaction.recorded), ("repeated", reaction.repeated)):
            self._count("process_commands", count, outcome=outcome)

    async def _begin(self, partition: int) -> _Progress:
        progress = self._progress.get(partition)
        if progress is None:
            saved = dict(await self._checkpoints.load(partition))
            positions = {name: saved.get(name, 0) for name in self._processes}
            now = asyncio.get_running_loop().time()
            progress = self._progress[partition] = _Progress(
                positions, saved, now, now, now - self._retry_seconds
            )
        return progress

    async def _save(self, partition: int, progress: _Progress) -> None:
        progress.saved_at = asyncio.get_running_loop().time()
        if not progress.unsaved:
            return
        positions = dict(progress.positions)
        await self._checkpoints.save(partition, positions)
        progress.saved = positions
        for name, position in positions.items():
            if self._meter is not None:
                self._meter.set("process_position", position, name=name, partition=str(partition))

    async def _tail(self, partition: int) -> None:
        self._progress.pop(partition, None)  # another may have gone on with it meanwhile
        wait_seconds = _WAIT_SECONDS_FIRST
        while True:
            try:
                position = await self.catch_up(partition)
                await self._retry_due(partition)
                await self._store.wait_beyond(partition, position, self._sweep_seconds)
                wait_seconds = _WAIT_SECONDS_FIRST
            except Exception as error:  # noqa: BLE001 - the loop's edge
                wait_seconds = await self._back_off(partition, error, wait_seconds)

    async def _listen(self, deliveries: Deliveries) -> None:
        """Hand each delivery to its partition, so that one that is in trouble holds up no other."""
        lanes: list[asyncio.Queue[Delivery]] = [
            asyncio.Queue(_LANE_DELIVERIES_MAX) for _ in range(self._store.partitions)
        ]
        async with asyncio.TaskGroup() as tasks:
            workers = [tasks.create_task(self._work(*it)) for it in enumerate(lanes)]
            async for delivery in deliveries:
                await lanes[delivery.partition].put(delivery)
            for worker in workers:
                worker.cancel()

    async def _work(self, partition: int, lane: asyncio.Queue[Delivery]) -> None:
        wait_seconds = _WAIT_SECONDS_FIRST
        while True:
            delivery = await self._next(lane)
            try:
                if delivery is not None:
                    await self.take(partition, delivery.events)
                    await delivery.done()
                await self._sweep(partition)
                wait_seconds = _WAIT_SECONDS_FIRST
            except Exception as error:  # noqa: BLE001 - the loop's edge
                if delivery is not None:
                    await delivery.failed()
                wait_seconds = await self._back_off(partition, error, wait_seconds)

    async def _next(self, lane: asyncio.Queue[Delivery]) -> Delivery | None:
        try:
            async with asyncio.timeout(self._sweep_seconds):
                return await lane.get()
        except TimeoutError:
            return None

    async def _sweep(self, partition: int) -> None:
        """Where it has been quiet: look for what nobody rang for, or nobody works on."""
        progress, now = await self._begin(partition), asyncio.get_running_loop().time()
        await self._retry_due(partition)
        if now - progress.moved_at < self._sweep_seconds:
            return
        progress.moved_at = now
        await self._save(partition, progress)
        if not self._advance(progress, await self._checkpoints.load(partition)):
            await self.catch_up(partition)

    async def _retry_due(self, partition: int) -> None:
        """Try dead letters again, now and then: what was missing may be there, or mended."""
        progress, now = await self._begin(partition), asyncio.get_running_loop().time()
        if now - progress.retried_at < self._retry_seconds:
            return
        progress.retried_at = now
        for process, position in await self._dead_letters.due(partition):
            if process in self._processes:
                try:
                    await self.retry(process, partition, position)
                except LookupError as error:  # it is from a store that lacks its event by now
                    _log.error("a dead letter has no event", partition=partition, why=str(error))

    def _advance(self, progress: _Progress, saved: Mapping[str, int]) -> bool:
        """Take over what another reactor has done meanwhile; False when it did nothing."""
        before = dict(progress.positions)
        for name, position in before.items():
            progress.positions[name] = max(position, saved.get(name, 0))
        progress.saved = dict(saved)
        return progress.positions != before

    async def _back_off(self, partition: int, error: Exception, wait_seconds: float) -> float:
        _log.warning(
            "the reactor begins again", partition=partition, error=str(error), exc_info=error
        )
        # What is saved is the truth: the server that comes back may lack what was seen.
        self._progress.pop(partition, None)
        await asyncio.sleep(wait_seconds)
        return min(2 * wait_seconds, _WAIT_SECONDS_MAX)

    def _count(self, name: str, amount: int, /, **labels: str) -> None:
        if self._meter is not None and amount:
            self._meter.add(name, amount, **labels)
