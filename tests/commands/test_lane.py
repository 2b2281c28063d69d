"""While a batch is committed the next one is decided; nothing that was assumed too soon is answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from flamewire_ledger.commands.decider import Done, Envelope, Facts
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.rejection import NotAllowed
from flamewire_ledger.store.event_store import NewEvent, StoreUnavailable, StreamAppend
from tests.commands.counter import (
    CODEC,
    Filled,
    break_down,
    empty,
    fill,
    fill_if_other_is_empty,
    move,
)
from tests.commands.test_writer import running
from tests.commands.watched_store import WatchedStore
from tests.store.contract import append

BATCHES_OF_TWO = {"batch_commands_max": 2}


class Gate:
    """Holds appends back, one after the other."""

    def __init__(self, store: WatchedStore) -> None:
        self.waiting = 0
        self._open = asyncio.Semaphore(0)
        store.before_append = self._pass

    async def _pass(self) -> None:
        self.waiting += 1
        await self._open.acquire()
        self.waiting -= 1

    async def let_one_through(self) -> None:
        self._open.release()
        await settle()

    def open(self) -> None:
        for _ in range(1_000):
            self._open.release()


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


async def rival(store: WatchedStore, stream_id: str, coins: int) -> None:
    """Another writer fills a purse."""
    version = len(await store.read_stream(0, stream_id))
    event = NewEvent("purse.filled.v1", b'{"coins":%d}' % coins)
    stream = StreamAppend(stream_id, version, [event])
    await super(WatchedStore, store).append(0, [append(stream)])


def noting(envelope: Envelope, decided: list[int], number: int) -> Envelope:
    def decide(states: Mapping[str, Any]) -> Facts:
        decided.append(number)
        return envelope.decide(states)

    return replace(envelope, decide=decide)


def submit(writer: Writer, *envelopes: Envelope) -> asyncio.Task[Any]:
    return asyncio.create_task(writer.submit_many(envelopes))


async def test_others_get_their_turn_while_many_commands_are_decided_on_streams_at_hand():
    turns = 0
    decided: Counter[int] = Counter()  # by the turns that others had had

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def decide(states: Mapping[str, Any]) -> Facts:
        decided[turns] += 1
        return {"a": [Filled(1)]}

    async with running(WatchedStore()) as writer:
        await writer.submit(fill("a", 1))
        task = asyncio.create_task(other())
        await writer.submit_many([replace(fill("a", 1), decide=decide) for _ in range(400)])
        task.cancel()
    assert decided.total() == 400
    assert max(decided.values()) == 100


async def test_the_next_batch_is_decided_meanwhile_and_sent_only_behind_the_answer():
    store = WatchedStore()
    gate = Gate(store)
    decided: list[int] = []
    commands = [noting(fill("a", 1), decided, number) for number in range(8)]
    async with running(store, **BATCHES_OF_TWO) as writer:
        task = submit(writer, *commands)
        await settle()
        assert decided == [0, 1, 2, 3], "two batches are on their way, and no more"
        assert store.asked["append"] == 1
        await gate.let_one_through()
        assert decided == [0, 1, 2, 3, 4, 5]
        assert (store.asked["append"], gate.waiting) == (2, 1)
        gate.open()
        outcomes = await task
    assert [outcome.answer for outcome in outcomes] == [b"%d" % n for n in range(1, 9)]
    assert decided == list(range(8))
    assert store.asked["load"] == 1, "what the batch ahead leaves is not loaded"


async def test_a_refusal_on_what_was_assumed_is_not_answered_when_that_did_not_come_true():
    store = WatchedStore()
    async with running(store, **BATCHES_OF_TWO) as writer:
        await writer.submit(fill("a", 5))
        gate = Gate(store)
        first = submit(writer, empty("a", 5), fill("b", 1))
        await settle()
        behind = submit(writer, empty("a", 10), fill("c", 1))
        await settle()
        await rival(store, "a", 10)
        gate.open()
        outcomes = await first + await behind
        assert writer.counts.decided_in_vain == 2
    # 15 are in it after all: the first takes 5, and the one that seemed refused finds its 10.
    assert [outcome.answer for outcome in outcomes] == [b"10", b"1", b"0", b"1"]


async def test_a_refusal_on_what_came_true_is_answered_behind_it():
    store = WatchedStore()
    async with running(store, **BATCHES_OF_TWO) as writer:
        await writer.submit(fill("a", 5))
        gate = Gate(store)
        first = submit(writer, empty("a", 5), fill("b", 1))
        await settle()
        behind = submit(writer, empty("a", 1), fill("c", 1))
        await settle()
        assert not behind.done()
        gate.open()
        assert isinstance((await behind)[0], NotAllowed)
        assert (await first)[0].answer == b"0"


async def test_a_refusal_on_what_was_loaded_ahead_is_answered_only_if_that_has_not_moved():
    store = WatchedStore()
    async with running(store, **BATCHES_OF_TWO) as writer:
        gate = Gate(store)
        first = submit(writer, fill("a", 1), fill("b", 1))
        await settle()
        behind = submit(writer, empty("cold", 5), fill("c", 1))
        await settle()
        await rival(store, "cold", 5)
        gate.open()
        await first
        assert [outcome.answer for outcome in await behind] == [b"0", b"1"]


async def test_a_fault_on_what_was_assumed_is_not_told_when_that_did_not_come_true():
    store = WatchedStore()

    def divide(states: Mapping[str, Any]) -> Facts:
        return {"a": fill("a", 12 // states["a"].coins).decide(states)["a"]}

    async with running(store, **BATCHES_OF_TWO) as writer:
        await writer.submit(fill("a", 5))
        gate = Gate(store)
        first = submit(writer, empty("a", 5), fill("b", 1))
        await settle()
        behind = submit(writer, replace(fill("a", 1), decide=divide), fill("c", 1))
        await settle()
        await rival(store, "a", 4)
        gate.open()
        assert [outcome.answer for outcome in await first + await behind] == [
            b"4",
            b"1",
            b"7",
            b"1",
        ]


async def test_a_conflict_leaves_the_batch_behind_alone_when_it_is_about_other_streams():
    store = WatchedStore()
    decided: list[int] = []
    async with running(store, **BATCHES_OF_TWO) as writer:
        await writer.submit_many([fill(name, 5) for name in "abcd"])
        gate = Gate(store)
        first = submit(writer, empty("a", 5), empty("b", 5))
        await settle()
        behind = submit(writer, noting(empty("c", 5), decided, 1), noting(fill("d", 1), decided, 2))
        await settle()
        await rival(store, "a", 1)
        gate.open()
        await first
        assert [outcome.answer for outcome in await behind] == [b"0", b"6"]
        assert (decided, writer.counts.decided_in_vain) == ([1, 2], 0)


async def test_a_command_of_several_streams_takes_along_all_that_came_behind_it():
    """The retried move is in front of what was decided on either of its streams."""
    store = WatchedStore()
    async with running(store, **BATCHES_OF_TWO) as writer:
        await writer.submit_many([fill("a", 5), fill("b", 1)])
        gate = Gate(store)
        first = submit(writer, move("a", "b", 5), fill("x", 1))
        await settle()
        behind = submit(writer, empty("b", 6), fill("y", 1))
        await settle()
        await rival(store, "a", 1)
        gate.open()
        assert (await first)[0].answer == b"1"
        assert (await behind)[0].answer == b"0"


async def test_what_was_only_looked_at_ahead_must_have_come_true():
    store = WatchedStore()
    async with running(store, **BATCHES_OF_TWO) as writer:
        await writer.submit(fill("lock", 1))
        gate = Gate(store)
        first = submit(writer, empty("lock", 1), fill("x", 1))
        await settle()
        behind = submit(writer, fill_if_other_is_empty("a", "lock"), fill("y", 1))
        await settle()
        await rival(store, "lock", 1)
        gate.open()
        assert (await first)[0].answer == b"1"
        assert isinstance((await behind)[0], NotAllowed)
        assert len(await store.read_stream(0, "a")) == 0


async def test_a_store_that_was_away_takes_all_assumptions_along():
    store = WatchedStore()
    decided: list[int] = []
    async with running(store, **BATCHES_OF_TWO) as writer:
        await writer.submit(fill("a", 5))
        gate = Gate(store)
        store.unavailable_before = 1
        first = submit(writer, fill("a", 1), fill("b", 1))
        await settle()
        behind = submit(writer, noting(fill("c", 1), decided, 1), noting(fill("d", 1), decided, 2))
        await settle()
        gate.open()
        outcomes = await first + await behind
    assert [outcome.answer for outcome in outcomes] == [b"6", b"1", b"1", b"1"]
    assert decided == [1, 2, 1, 2]


async def test_a_batch_that_the_store_never_took_is_not_built_on():
    store = WatchedStore()
    async with running(store, unavailable_seconds_max=0.2, **BATCHES_OF_TWO) as writer:
        await writer.submit(fill("a", 5))
        gate = Gate(store)
        store.unavailable_before = 2  # now, and once more as long as it is asked again
        first = submit(writer, empty("a", 5), fill("b", 1))
        await settle()
        behind = submit(writer, empty("a", 5), fill("c", 1))
        await settle()
        store.unavailable_before = 10
        gate.open()
        assert all(isinstance(outcome.error, StoreUnavailable) for outcome in await first)
        store.unavailable_before = 0
        assert (await behind)[0].answer == b"0", "the coins that nobody took are there"


async def test_an_answer_that_was_lost_is_not_recorded_twice_by_the_batch_behind():
    store = WatchedStore()
    async with running(store, **BATCHES_OF_TWO) as writer:
        await writer.submit(fill("a", 5))
        gate = Gate(store)
        store.unavailable_after = 1
        task = submit(writer, *(fill("a", 1) for _ in range(8)))
        await settle()
        gate.open()
        outcomes = await task
    assert [outcome.answer for outcome in outcomes] == [b"%d" % n for n in range(6, 14)]
    assert not any(outcome.replayed for outcome in outcomes)
    assert await store.head(0) == 9


async def test_the_same_command_in_the_batch_behind_is_a_replay():
    store = WatchedStore()
    command = fill("a", 5)
    async with running(store, **BATCHES_OF_TWO) as writer:
        gate = Gate(store)
        first = submit(writer, command, fill("b", 1))
        await settle()
        behind = submit(writer, command, fill("a", 1))
        await settle()
        gate.open()
        assert (await first)[0] == Done(1, b"5", False)
        assert await behind == [Done(1, b"5", True), Done(3, b"6", False)]


async def test_what_the_store_cannot_take_fails_alone_and_leaves_no_assumption():
    store = WatchedStore()
    store.poison = "bad"
    async with running(store, **BATCHES_OF_TWO) as writer:
        await writer.submit(fill("a", 5))
        gate = Gate(store)
        first = submit(writer, empty("a", 5), fill("bad", 1))
        await settle()
        behind = submit(writer, fill("a", 1), fill("bad", 1), break_down("a"), fill("a", 1))
        await settle()
        gate.open()
        outcomes = await first + await behind
    assert [getattr(outcome, "answer", None) for outcome in outcomes] == [
        b"0", None, b"1", None, None, b"2",
    ]  # fmt: skip


async def test_who_waits_for_a_batch_does_not_wait_for_what_the_next_one_loads():
    store = WatchedStore()
    async with running(store, **BATCHES_OF_TWO) as writer:
        await writer.submit(fill("a", 1))
        gate = Gate(store)
        loading = asyncio.Event()
        store.before_load = loading.wait
        first = submit(writer, fill("a", 1), fill("a", 1))
        await settle()
        behind = submit(writer, fill("cold", 1), fill("a", 1))
        await settle()
        gate.open()
        async with asyncio.timeout(5):
            assert [outcome.answer for outcome in await first] == [b"2", b"3"]
        assert not behind.done()
        loading.set()
        assert [outcome.answer for outcome in await behind] == [b"1", b"4"]


@pytest.mark.parametrize("steps", range(12))
async def test_who_was_recorded_hears_it_whenever_the_writer_is_cancelled(steps: int):
    store = WatchedStore()
    gate = Gate(store)
    writer = Writer(store, CODEC, batch_commands_max=4)
    running = asyncio.create_task(writer.run())
    await settle()
    callers = []
    for _ in range(3):  # recorded, on its way, and forming
        callers.append(submit(writer, *(fill("a", 1) for _ in range(4))))
        await settle()
        if len(callers) == 2:
            await gate.let_one_through()
    gate.open()
    for _ in range(steps):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    async with asyncio.timeout(5):
        await asyncio.gather(*callers)
