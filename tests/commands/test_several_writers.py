"""Writers that share streams: who finds that others write reads up on its streams before it decides."""

from __future__ import annotations

import asyncio
from typing import Any

from flamewire_ledger.commands.decider import Done, Failed, Outcome
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.commands.counter import CODEC, empty, fill
from tests.commands.test_writer import running
from tests.commands.watched_store import WatchedStore

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


async def test_two_writers_at_the_same_streams_at_once_record_all_that_is_sent(
    ledger_url: str,
):
    def worker(writer: Writer) -> list[asyncio.Task[list[Outcome | Failed]]]:
        return [
            asyncio.create_task(writer.submit_many([fill(name, 1) for name in STREAMS[part::10]]))
            for part in range(10)
        ]

    async with PostgresEventStore(ledger_url) as first, PostgresEventStore(ledger_url) as second:
        writers = [Writer(first, CODEC), Writer(second, CODEC)]
        tasks = [asyncio.create_task(writer.run()) for writer in writers]
        for _ in range(20):
            for outcomes in await asyncio.gather(*worker(writers[0]), *worker(writers[1])):
                assert all(isinstance(outcome, Done) for outcome in outcomes)
        for writer in writers:
            writer.stop()
        await asyncio.gather(*tasks)
