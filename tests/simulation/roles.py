"""The processes of a ledger as they run in production, each with a writer of its own, and what it
is to kill one: its memory is gone, what it had asked of the database may happen all the same.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, TypeVar

from flamewire_ledger.chains.follow import Follower
from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.chains.sandbox.journal import MemorySandboxJournal
from flamewire_ledger.commands.decider import Envelope, Outcome
from flamewire_ledger.commands.usage_recording import UsageRecorder
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.prices.board import PriceBoard
from flamewire_ledger.prices.sandbox import sandbox_feeds
from flamewire_ledger.processes.checkpoint import MemoryCheckpoints, MemoryDeadLetters
from flamewire_ledger.processes.deadlines import Deadlines
from flamewire_ledger.processes.reaction import Reactions
from flamewire_ledger.processes.reactor import Reactor
from flamewire_ledger.processes.renewals import Renewals
from flamewire_ledger.processes.topping_up import Intents, ToppingUp
from flamewire_ledger.processes.watching import Watching, watch
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.memory import MemoryEventStore
from flamewire_ledger.store.usage_items import MemoryUsageItems
from flamewire_ledger.wiring.roles import processes
from flamewire_ledger.wiring.usage import finish_usage
from tests.simulation import chains
from tests.simulation.clock import Clock
from tests.simulation.deliveries import Deliveries
from tests.simulation.durable import (
    Reached,
    ReachedCheckpoints,
    ReachedDeadLetters,
    ReachedFollowerState,
    ReachedStore,
    ReachedUsageItems,
)
from tests.simulation.readings import Readings
from tests.simulation.weather import Line, Weather

CODEC = Codec()
T = TypeVar("T")


@dataclass
class Durable:
    """What survives every process."""

    clock: Clock
    weather: Weather
    store: MemoryEventStore
    journal: MemorySandboxJournal = field(default_factory=MemorySandboxJournal)
    checkpoints: MemoryCheckpoints = field(default_factory=MemoryCheckpoints)
    dead_letters: MemoryDeadLetters = field(default_factory=MemoryDeadLetters)
    followed: MemoryFollowerState = field(default_factory=MemoryFollowerState)
    usage_items: MemoryUsageItems = field(default_factory=MemoryUsageItems)
    underway: list[asyncio.Task[Any]] = field(default_factory=list)
    writers: list[Writer] = field(default_factory=list)  # those in use, for their folded states
    starts: dict[str, int] = field(default_factory=dict)  # where the chains were when it began
    faults: list[BaseException] = field(default_factory=list)  # that ended a task
    counts: Counter[str] = field(default_factory=Counter)


class Process:
    """One process: its tasks live and die together."""

    def __init__(self, name: str, durable: Durable) -> None:
        self.name = name
        self.durable = durable
        self.line = Line()
        self.writer: Writer | None = None
        self._tasks: list[asyncio.Task[Any]] = []

    @property
    def is_alive(self) -> bool:
        return bool(self._tasks)

    @property
    def reached(self) -> Reached:
        return Reached(self.durable.weather, self.line, self.durable.underway)

    def start(self) -> None:
        self.line = Line()
        store = ReachedStore(self.durable.store, self.reached)
        self.writer = Writer(
            store,
            CODEC,
            batch_commands_max=50,
            queue_commands_max=200,
            streams_kept_max=40,
            snapshot_every_events=6,
            unavailable_seconds_max=5,
        )
        self.durable.writers.append(self.writer)
        self._begin(self.writer.run())
        for work in self.works(store, self.writer):
            self._begin(work)

    def works(self, store: ReachedStore, writer: Writer) -> Sequence[Coroutine[Any, Any, Any]]:
        """What runs here beside the writer."""
        return ()

    async def kill(self) -> None:
        self.line.is_cut = True
        dying, self._tasks = self._tasks, []
        if self.writer is not None:
            self.durable.writers.remove(self.writer)
            self.writer = None
        for task in dying:
            task.cancel()
        if dying:
            await asyncio.wait(dying)

    def _begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        self._tasks.append(task)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and task.exception() is not None and not self.line.is_cut:
            self.durable.faults.append(task.exception())  # type: ignore[arg-type]


class Api(Process):
    """Takes commands, and usage. Answers None when the process died before it could."""

    usage_items: ReachedUsageItems
    recorder: UsageRecorder

    def works(self, store: ReachedStore, writer: Writer) -> Sequence[Coroutine[Any, Any, Any]]:
        self.usage_items = ReachedUsageItems(self.durable.usage_items, self.reached)
        self.recorder = UsageRecorder(self.usage_items, store, CODEC, writer)
        return ()

    async def ask(self, envelope: Envelope, timeout_seconds: float) -> Outcome | None:
        """Raises StoreUnavailable as the writer does, and TimeoutError for a caller who left."""
        if self.writer is None:
            return None
        return await self.alive(self.writer.submit(envelope), timeout_seconds)

    async def alive(self, work: Coroutine[Any, Any, T], timeout_seconds: float) -> T | None:
        """What comes of it, as long as this process lives. Raises TimeoutError as above."""
        if self.writer is None:
            work.close()
            return None
        asked = asyncio.create_task(work)
        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(asked)
        await asyncio.wait([asked], timeout=timeout_seconds)
        if not asked.done():
            asked.add_done_callback(lambda task: task.cancelled() or task.exception())
            raise TimeoutError("the caller did not wait any longer")
        return None if asked.cancelled() else asked.result()


class Watcher(Process):
    """Follows every chain. Only one of it runs at a time."""

    def __init__(self, durable: Durable, readings: Readings) -> None:
        super().__init__("watcher", durable)
        self._readings = readings
        self._now = durable.clock.on_a_machine(durable.weather.seconds(-3, 3))

    def works(self, store: ReachedStore, writer: Writer) -> Sequence[Coroutine[Any, Any, Any]]:
        return [watch(self._follower(name, store, writer)) for name in chains.NAMES]

    def _follower(self, name: str, store: ReachedStore, writer: Writer) -> Follower:
        durable = self.durable
        chain = chains.connect(name, durable.journal, durable.clock)
        listener = Watching(
            chain.network,
            store,
            self._readings,
            writer,
            PriceBoard(sandbox_feeds(self._now)),
            self._now,
            networks_alike=[other for other in chains.NAMES if other != name],
            shared_address=chains.shared_address(chain),
        )
        return Follower(
            chains.UnreliableNode(chain, durable.weather),
            listener,
            ReachedFollowerState(durable.followed, self.reached),
            start_height=durable.starts[name],
        )


@dataclass(frozen=True)
class _MachineClock:
    now: Callable[[], datetime]


class ReactorProcess(Process):
    """Reacts to events, from deliveries or from the store alone; meets deadlines, renews, tops up, and
    records usage that others claimed.
    """

    def __init__(
        self, name: str, durable: Durable, readings: Readings, chance: Random, intents: Intents
    ) -> None:
        super().__init__(name, durable)
        self._readings = readings
        self._intents = intents
        self._chance = chance
        self._clock = _MachineClock(durable.clock.on_a_machine(chance.uniform(-3, 3)))

    def works(self, store: ReachedStore, writer: Writer) -> Sequence[Coroutine[Any, Any, Any]]:
        durable = self.durable
        reactor = Reactor(
            store,
            Reactions(store, CODEC, writer),
            processes(),
            ReachedCheckpoints(durable.checkpoints, self.reached),
            ReachedDeadLetters(durable.dead_letters, self.reached),
            batch_events_max=self._chance.choice([3, 20, 500]),
        )
        readings, clocks = self._readings, {False: self._clock}
        deadlines = Deadlines(readings, writer, clocks, poll_seconds=1, page_rows_max=50)
        renewals = Renewals(readings, readings, store, CODEC, writer, clocks, page_rows_max=20)
        topping_up = ToppingUp(readings, writer, self._intents, clocks, poll_seconds=1)
        items = ReachedUsageItems(durable.usage_items, self.reached)
        finishing = finish_usage(UsageRecorder(items, store, CODEC, writer))
        tails = self._chance.random() < 0.5
        news = None if tails else Deliveries(durable.store, durable.weather)
        return [
            reactor.run(news), deadlines.run(), renewals.run(), topping_up.run(), finishing,
        ]  # fmt: skip


async def keep_killing(process: Process, chance: Random, weather: Weather) -> None:
    """Kill the process at random and start it again after a while."""
    role = process.name.partition("-")[0]
    while True:
        await asyncio.sleep(chance.expovariate(1 / 40))
        weather.counts[f"the {role} is killed"] += 1
        await process.kill()
        await asyncio.sleep(chance.choice([0.05, 1, 5, 30]))
        process.start()
