"""Writers that share streams: who finds that others write reads up on its streams before it decides, and who
loses a race takes turns with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from psycopg import AsyncConnection

from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.rejection import NotAllowed
from flamewire_ledger.store.event_store import NewEvent, StreamAppend
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.commands.counter import CODEC, empty, fill
from tests.commands.test_writer import running
from tests.commands.watched_store import WatchedStore
from tests.store.contract import append

STREAMS = [f"ca_{number}" for number in range(100)]


async def test_two_writers_that_alternate_on_the_same_streams_lose_no_races():
    store = WatchedStore()
    async with running(store) as one, running(store) as other:
        await one.submit_many([fill(name, 100) for name in STREAMS])
        for _ in range(20):
            for writer in (one, other):
                outcomes = await writer.submit_many([empty(name, 1) for name in STREAMS])
                assert all(isinstance(outcome, Done) for outcome in outcomes)
        # Once each: before that, neither could know of the other.
        assert one.counts.tried_again <= len(STREAMS)
        assert other.counts.tried_again <= len(STREAMS)
        assert one.counts.contended == other.counts.contended == 0


async def test_a_writer_that_is_alone_again_does_not_read_up_for_ever():
    store = WatchedStore()
    async with running(store) as one, running(store) as other:
        for writer in (one, other, one):
            await writer.submit_many([fill(name, 1) for name in STREAMS])
        for _ in range(40):
            await one.submit_many([fill(name, 1) for name in STREAMS])
        before = store.asked["load"]
        await one.submit_many([fill(name, 1) for name in STREAMS])
        assert store.asked["load"] == before


async def test_a_stream_that_lost_a_race_is_not_folded_anew():
    store = WatchedStore()
    async with running(store) as one, running(store) as other:
        await one.submit_many([fill("a", 1) for _ in range(50)])
        await other.submit(fill("a", 1))
        asked: list[dict[str, int]] = []
        load = store.load

        async def noting(partition: int, after_versions: Any) -> Any:
            asked.append(dict(after_versions))
            return await load(partition, after_versions)

        store.load = noting  # type: ignore[method-assign]
        assert await one.submit(fill("a", 1)) == Done(52, b"52", False)
    assert asked == [{"a": 50}]


@asynccontextmanager
async def over_postgres(url: str, count: int) -> AsyncIterator[list[Writer]]:
    """Writers as in so many processes: each has connections and states of its own."""
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(PostgresEventStore(url)) for _ in range(count)]
        writers = [Writer(store, CODEC, batch_commands_max=100) for store in stores]
        tasks = [asyncio.create_task(writer.run()) for writer in writers]
        yield writers
        for writer in writers:
            writer.stop()
        await asyncio.gather(*tasks)


async def send(writer: Writer, rounds: int) -> None:
    """Ten callers at once, each with a part of the streams; all of it has to be done, and done now."""

    async def call(part: int) -> None:
        for _ in range(rounds):
            for outcome in await writer.submit_many([fill(name, 1) for name in STREAMS[part::10]]):
                assert isinstance(outcome, Done)
                assert not outcome.replayed

    await asyncio.gather(*(call(part) for part in range(10)))


async def coins(url: str) -> list[int]:
    async with PostgresEventStore(url) as store:
        history = [await store.load(shard, dict.fromkeys(STREAMS, 0)) for shard in (0, 1)]
    return [sum(len(events[name]) for events in history) for name in STREAMS]


@pytest.mark.parametrize("count", [2, 4])
async def test_writers_at_the_same_streams_at_once_take_turns_and_lose_no_races(
    ledger_url: str, count: int
):
    async with over_postgres(ledger_url, count) as writers:
        await asyncio.gather(*(send(writer, 2) for writer in writers))  # each finds the others
        turns = [writer.counts.turns for writer in writers]
        await asyncio.gather(*(send(writer, 10) for writer in writers))
    for writer, turned in zip(writers, turns, strict=True):
        assert writer.counts.contended == writer.counts.failed == 0
        assert writer.counts.turns > turned
        # A writer that had not met another yet loses what it had on its way: two batches at most.
        assert writer.counts.tried_again <= 200
    assert await coins(ledger_url) == [count * 12] * len(STREAMS)


async def test_a_turn_that_is_cut_off_is_neither_lost_nor_done_twice(ledger_url: str):
    cut = 0
    async with (
        over_postgres(ledger_url, 2) as writers,
        await AsyncConnection.connect(ledger_url, autocommit=True) as connection,
    ):
        rounds = 0
        while cut < 3 and rounds < 600:
            rounds += 30
            sending = asyncio.gather(*(send(writer, 30) for writer in writers))
            while not sending.done():
                await asyncio.sleep(0.02)
                if cut < 10:
                    found = await connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_locks"
                        " WHERE locktype = 'advisory' AND granted AND classid = 1953853038"
                        " AND database ="
                        " (SELECT oid FROM pg_database WHERE datname = current_database())"
                    )
                    cut += found.rowcount
            await sending
    assert cut >= 3
    assert await coins(ledger_url) == [2 * rounds] * len(STREAMS)


async def test_a_writer_that_is_alone_again_decides_ahead_and_takes_no_turns(ledger_url: str):
    async with over_postgres(ledger_url, 2) as (one, other):
        await asyncio.gather(send(one, 5), send(other, 5))
        assert one.counts.turns + other.counts.turns > 2
        for _ in range(20):
            await one.submit_many([fill(name, 1) for name in STREAMS])
        turns, batches = one.counts.turns, one.counts.batches
        await send(one, 5)
        assert one.counts.batches > batches
        assert one.counts.turns == turns


async def test_writers_that_share_a_partition_but_no_streams_take_no_turns():
    store = WatchedStore()
    async with running(store) as one, running(store) as other:
        for _ in range(5):
            for writer, name in ((one, "a"), (other, "b")):
                await writer.submit_many([fill(name, 1) for _ in range(10)])
    assert store.asked["alone"] == 0


async def test_a_turn_is_over_before_refusals_are_looked_up():
    """Whoever has nothing to append lets the others go first."""
    store = WatchedStore()
    store.turns_keep_others_away = False
    lost = iter((True,))

    async def race() -> None:
        if next(lost, False):
            version = len(await store.read_stream(0, "a"))
            event = NewEvent("purse.filled.v1", b'{"coins":100}')
            stream = StreamAppend("a", version, [event])
            await super(WatchedStore, store).append(0, [append(stream)])

    store.before_append = race
    async with running(store) as writer:
        await writer.submit(fill("a", 1))
        store.turns_keep_others_away = True
        looked_up: list[bool] = []
        find_commands = store.find_commands

        async def noting(*asked: Any) -> Any:
            async with asyncio.timeout(1):
                await super(WatchedStore, store).append(0, [])
            looked_up.append(True)
            return await find_commands(*asked)

        store.find_commands = noting  # type: ignore[method-assign]
        assert isinstance(await writer.submit(empty("a", 1000)), NotAllowed)
        assert looked_up
        assert store.asked["alone"] == 2
