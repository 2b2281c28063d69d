"""A run: a ledger under traffic, payers and faults, then calm, and what it left behind."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from random import Random

import structlog

from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.store.event_store import RecordedEvent
from flamewire_ledger.store.memory import MemoryEventStore
from tests.simulation import chains, oracle
from tests.simulation.broken import Broken
from tests.simulation.business import Business
from tests.simulation.client import Client
from tests.simulation.clock import Clock, run
from tests.simulation.intents import SimulatedIntents
from tests.simulation.payers import Payers
from tests.simulation.readings import Readings
from tests.simulation.roles import (
    CODEC,
    Api,
    Durable,
    Process,
    ReactorProcess,
    Watcher,
    keep_killing,
)
from tests.simulation.traffic import Traffic
from tests.simulation.weather import Seed, Weather

ACTIONS = 1_000
_ROUNDS_MAX = 120
_ROUND_ADVANCE_SECONDS = 1_800
_ROUND_SECONDS = 20
# A stream by its id, or a transaction as its chain spells it.
_NAMED = re.compile(
    r"\b(pi|ca|pl|inv|ir|cnr|mer|ut|sub|us|tu|plan|en)_\w{26,}|0x[0-9a-f]{64}|\b[1-9A-HJ-NP-Za-km-z]{43,44}\b"
)
_STEADY_ROUNDS = 6  # three hours of sandbox time: past every expiry and every wait


@dataclass(frozen=True)
class Report:
    """What a run was like, and everything it recorded, partition by partition."""

    seed: int
    actions: int
    events: Sequence[RecordedEvent]
    now: datetime  # sandbox time at the end
    virtual_seconds: float
    faults: Counter[str]
    requests: Counter[str]
    payers: Counter[str]
    statuses: Counter[str]

    @property
    def digest(self) -> str:
        """Stands for every event, to the byte."""
        digest = hashlib.sha256()
        for event in self.events:
            digest.update(f"{event.stream_id}/{event.version}/{event.type}".encode())
            digest.update(event.data)
        return digest.hexdigest()


class World:
    """All parts of one simulated ledger."""

    def __init__(self, seed: Seed) -> None:
        self.seed = seed
        self.chance = seed.chance("world")
        self.clock = Clock()
        self.weather = Weather(seed)
        partitions = self.chance.choice([1, 2])
        store = MemoryEventStore(self.clock.real_now, partitions)
        self.durable = Durable(self.clock, self.weather, store)
        self.readings = Readings(store, CODEC, self.weather)
        self.apis = [Api("api-1", self.durable), Api("api-2", self.durable)]
        intents = SimulatedIntents()
        self.processes: list[Process] = [
            *self.apis,
            Watcher(self.durable, self.readings),
            *(
                ReactorProcess(name, self.durable, self.readings, seed.chance(name), intents)
                for name in ("reactor-1", "reactor-2")
            ),
        ]
        self.client = Client(self.apis, seed.chance("client"))
        outside = {
            name: chains.connect(name, self.durable.journal, self.clock) for name in chains.NAMES
        }
        self.chains = outside
        self.traffic = Traffic(
            self.client, self.clock, seed.chance("traffic"), outside, self.readings.unclaimed
        )
        intents.traffic = self.traffic
        self.business = Business(self.traffic, self.readings, self.apis)
        self.payers = Payers(
            self.traffic, self.readings.known, self.clock, seed.chance("payers"), outside
        )

    async def live(self, actions: int) -> Report:
        """All of it; raises Broken at the first rule that does not hold."""
        try:
            return await self._live(actions)
        except Broken as broken:
            broken.history = await self._recorded_about(broken.shown_by)
            raise

    async def _live(self, actions: int) -> Report:
        for name, chain in self.chains.items():
            self.durable.starts[name] = (await chain.heads()).latest.height
        reading = asyncio.create_task(self.readings.run())
        for process in self.processes:
            process.start()
        await self._in_fair_weather(self._open_the_doors())
        await self._under_faults(actions)
        await self._settle()
        statuses = await oracle.check(self.durable, self.client, self.chains, self.business)
        reading.cancel()
        await self._nothing_follows_a_second_time()
        return await self._report(actions, statuses)

    async def _open_the_doors(self) -> None:
        await self.traffic.open_the_doors(self.chance.randint(1, 3))
        await self.business.open_the_doors()

    async def _in_fair_weather(self, work: object) -> None:
        self.weather.is_calm = True
        await work  # type: ignore[misc]
        self.weather.is_calm = False

    async def _under_faults(self, actions: int) -> None:
        keepers = [
            asyncio.create_task(
                keep_killing(it, self.seed.chance(f"killer of {it.name}"), self.weather)
            )
            for it in self.processes
        ]
        keepers.append(asyncio.create_task(self._take_the_store_down()))
        doing: list[asyncio.Task[None]] = []
        months_from = actions * 3 // 4
        for number in range(actions):
            await asyncio.sleep(self.chance.expovariate(4))
            doing = _still_going(doing)
            act = self._act if number < months_from else self._act_in_months
            doing.append(asyncio.create_task(act()))
        for task in doing:
            await task
        for keeper in keepers:
            keeper.cancel()

    async def _act(self) -> None:
        which = self.chance.random()
        if which < 0.3:
            await self.payers.somebody_pays()
        elif which < 0.31:
            self.clock.advance(self.chance.choice([10, 100, 1_000]))
        elif which < 0.32:
            await self.traffic.a_rush()
        elif which < 0.45:
            await self.business.something()
        else:
            await self.traffic.something()

    async def _act_in_months(self) -> None:
        """Towards the end hours and days go by, so that periods begin and end."""
        which = self.chance.random()
        if which < 0.15:
            await self.payers.somebody_pays()
        elif which < 0.3:
            self.clock.advance(self.chance.choice([600, 3_600, 20_000, 86_400, 200_000]))
        elif which < 0.4:
            await self.traffic.something()
        else:
            await self.business.something()

    async def _take_the_store_down(self) -> None:
        while True:
            await asyncio.sleep(self.chance.expovariate(1 / 60))
            self.weather.take_store_down()

    async def _settle(self) -> None:
        """No more faults: everything runs, and time goes by until nothing happens any more."""
        self.weather.is_calm = True
        for process in self.processes:
            if not process.is_alive:
                process.start()
        if self.durable.underway:
            await asyncio.wait(self.durable.underway)
        await asyncio.sleep(_ROUND_SECONDS)
        await self.business.end_what_recurs()
        steady, heads = 0, await self._heads()
        for _ in range(_ROUNDS_MAX):
            self.clock.advance(_ROUND_ADVANCE_SECONDS)
            await asyncio.sleep(_ROUND_SECONDS)
            before, heads = heads, await self._heads()
            steady = steady + 1 if heads == before else 0
            if steady == _STEADY_ROUNDS:
                return
        raise Broken("it comes to rest", f"events are still recorded: {heads}")

    async def _heads(self) -> list[int]:
        store = self.durable.store
        return [await store.head(partition) for partition in range(store.partitions)]

    async def _nothing_follows_a_second_time(self) -> None:
        """Forget how far the reactor was, and let it see everything again."""
        for process in self.processes:
            await process.kill()
        before = await self._heads()
        await oracle.react_from_the_beginning(self.durable, Writer(self.durable.store, CODEC))
        if await self._heads() != before:
            raise Broken(
                "reacting to everything again changes nothing",
                f"positions went from {before} to {await self._heads()}",
            )

    async def _recorded_about(self, words: str) -> list[str]:
        """The events that name the first stream, or else the first transaction, in these words."""
        found = _NAMED.search(words)
        if found is None:
            return []
        return [
            f"{event.position} {event.recorded_at:%H:%M:%S.%f} {event.stream_id}/{event.version} "
            f"{event.type} {event.metadata.decode()[:60]}"
            for partition in range(self.durable.store.partitions)
            for event in await self.durable.store.read(partition, 0, 10**9)
            if found[0] in event.stream_id or found[0].encode() in event.data
        ]

    async def _report(self, actions: int, statuses: Counter[str]) -> Report:
        store = self.durable.store
        shards = [await store.read(each, 0, 10**9) for each in range(store.partitions)]
        return Report(
            seed=self.seed.number,
            actions=actions,
            events=[event for shard in shards for event in shard],
            now=self.clock.now(),
            virtual_seconds=asyncio.get_running_loop().time(),
            faults=self.weather.counts,
            requests=self.client.counts + self.business.counts,
            payers=self.payers.counts,
            statuses=statuses,
        )


def _still_going(tasks: list[asyncio.Task[None]]) -> list[asyncio.Task[None]]:
    """Those that are not done; what broke in one is raised here."""
    for task in tasks:
        if task.done():
            task.result()
    return [task for task in tasks if not task.done()]


def simulate(seed: int, actions: int = ACTIONS) -> Report:
    """One run, from its seed alone. Raises Broken."""

    async def work() -> Report:
        return await World(Seed(seed)).live(actions)

    with quiet():
        return run(work)


@contextmanager
def quiet() -> Iterator[None]:
    """What the parts log about faults is expected here, and would take most of the time."""
    before = structlog.get_config()
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
        logging.disable(logging.NOTSET)


def any_seed() -> int:
    """A seed nobody chose."""
    return Random().randrange(1_000_000)
