"""Several processes, one log, one read model and one cache, at random: what each reader is given is judged.

Everything here is made up but the rule itself: readers, writers and the projector take turns as a
seed says, round trips take as long as they like, and the cache loses and brings back what it wants.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from flamewire_ledger.queries.changes import Changes
from flamewire_ledger.queries.credit_account import QUESTION
from flamewire_ledger.queries.facts import Facts, Subject, Told
from flamewire_ledger.queries.shelf import Age

_AGE_MAX: Final = 5.0
_STREAMS: Final = ("ca_0", "ca_1", "ca_2")
_MERCHANT: Final = "mer_0"


@dataclass
class Reader:
    """What was given to somebody, and what had been so when they asked."""

    stream: str
    position: int
    asked_at: float
    told_before: int  # the latest that anybody was given of this stream
    given: int = -1  # the position of its last event in what was given
    is_cached: bool = False


@dataclass
class World:
    """The facts of a stream are the position of its last event, as text."""

    random: random.Random
    now: float = 0.0
    epoch: int = 0
    log: list[tuple[str, float]] = field(default_factory=list)  # stream, when
    reached: int = 0  # by the read model
    kept: dict[str, tuple[Age, bytes]] = field(default_factory=dict)
    is_sound: bool = True  # the cache has lost nothing and brought nothing back
    told: dict[str, int] = field(default_factory=dict)
    readers: list[Reader] = field(default_factory=list)

    async def pause(self) -> None:
        for _ in range(self.random.randrange(6)):
            self.now += self.random.random() / 4
            await asyncio.sleep(0)

    def last(self, stream: str, until: int) -> int:
        positions = (at for at, (it, _) in enumerate(self.log[:until], 1) if it == stream)
        return max(positions, default=0)

    async def postgres(self, subjects: Sequence[Subject]) -> Mapping[Subject, Told]:
        await self.pause()
        reached = self.reached
        found = {it: self.last(it[1], reached) for it in subjects}
        await self.pause()
        return {it: Told(last, b"%d" % last) for it, last in found.items() if last}

    # The shelf

    async def get(self, key: str) -> tuple[Age, bytes] | None:
        await self.pause()
        found = self.kept.get(key)
        await self.pause()
        return found

    async def keep(self, key: str, age: Age, value: bytes) -> None:
        await self.pause()
        if key not in self.kept or self.kept[key][0] < age:
            self.kept[key] = (age, value)
        await self.pause()


class Look(Changes):
    """At the made-up log."""

    def __init__(self, world: World) -> None:
        super().__init__(None, "made_up", "ca_", lambda: world.now, age_seconds_max=_AGE_MAX)  # type: ignore[arg-type]
        self.world = world

    async def _ask(self, partition: int, after: int) -> Sequence[Any]:
        world = self.world
        await world.pause()
        head, behind = len(world.log), max(after, len(world.log) - 40)
        state = (head, behind, world.reached, f"epoch {world.epoch}", False)
        changed = {stream: world.last(stream, head) for stream in _STREAMS}
        rows = [(*state, stream, at) for stream, at in changed.items() if at > behind]
        await world.pause()
        return rows or [(*state, None, None)]


async def writing(world: World) -> None:
    for _ in range(60):
        await world.pause()
        world.log.append((world.random.choice(_STREAMS), world.now))


async def projecting(world: World) -> None:
    while world.reached < 60:
        await world.pause()
        world.reached = world.random.randint(world.reached, len(world.log))


async def misfortune(world: World) -> None:
    """A flush, and a failover to what was there a while ago."""
    await world.pause()
    before = dict(world.kept)
    for _ in range(world.random.randrange(40)):
        await world.pause()
    world.is_sound = False
    world.kept = world.random.choice(({}, before))


async def reading(world: World, facts: Facts) -> None:
    for _ in range(25):
        await world.pause()
        stream = world.random.choice(_STREAMS)
        asked_for = world.random.choice((0, 0, world.random.randint(0, len(world.log))))
        reader = Reader(stream, asked_for, world.now, world.told.get(stream, 0))
        found = await facts.cached(0, _MERCHANT, stream, asked_for)
        reader.is_cached = found is not None
        if found is None:
            while world.reached < asked_for:
                await world.pause()
            found = await facts.read(0, _MERCHANT, stream)
        if found is None:
            continue
        reader.given = int(found)
        world.told[stream] = max(reader.given, world.told.get(stream, 0))
        world.readers.append(reader)


def judge(world: World, *, was_sound: bool) -> None:
    for reader in world.readers:
        assert world.log[reader.given - 1][0] == reader.stream, "it is this stream's"
        assert reader.given >= world.last(reader.stream, reader.position), "the position asked for"
        if was_sound:
            assert reader.given >= reader.told_before, "never older than what was told"
        if reader.is_cached:
            looked_at = reader.asked_at - _AGE_MAX
            recorded = sum(at <= looked_at for _, at in world.log)
            assert reader.given >= world.last(reader.stream, recorded), "not older than allowed"


@pytest.mark.parametrize("first_seed", range(0, 200, 50))
@pytest.mark.parametrize("is_lucky", [True, False])
async def test_nobody_is_given_less_than_is_due(first_seed: int, is_lucky: bool):
    hits = 0
    for seed in range(first_seed, first_seed + 50):
        world = World(random.Random(seed))
        processes = [Facts(world.postgres, QUESTION, (Look(world), world)) for _ in range(3)]
        acts = [writing(world), projecting(world), *(reading(world, it) for it in processes * 2)]
        if not is_lucky:
            acts.append(misfortune(world))
        await asyncio.gather(*acts)
        hits += sum(reader.is_cached for reader in world.readers)
        try:
            judge(world, was_sound=is_lucky)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
    assert hits > 500, "or nothing was tried"
