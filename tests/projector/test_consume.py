"""The live loop: whatever the news leaves out, says twice or breaks off, every event counts once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flamewire_ledger.projector.alone import Stretch, apply_stretch
from flamewire_ledger.projector.catalog import Projection, load_catalog
from flamewire_ledger.projector.checkpoint import lock_marks
from flamewire_ledger.projector.connections import WriteConnection, WritePool, write_pool
from flamewire_ledger.projector.consume import Projector, share_out
from flamewire_ledger.projector.rebuild import rebuild
from flamewire_ledger.projector.verify import verify
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import RecordedEvent
from flamewire_ledger.store.memory import MemoryEventStore
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.projector.notes import NoteChanged, NoteTorn, NoteWritten, notes, only, rows, write
from tests.projector.stories import NOON, Stories, record

CATALOG = load_catalog(Codec().classes)
Batch = tuple[int, Sequence[RecordedEvent]]


@dataclass
class News:
    """A delivery that remembers how it was settled."""

    partition: int
    last: int
    events: Sequence[RecordedEvent]
    settled: str = ""

    async def done(self) -> None:
        self.settled = "done"

    async def failed(self) -> None:
        self.settled = "failed"


class Paper:
    """A source with these deliveries and then silence."""

    def __init__(self, news: Sequence[News]) -> None:
        self._news = news

    async def __aiter__(self) -> AsyncIterator[News]:
        for delivery in self._news:
            yield delivery
        await asyncio.Event().wait()


async def until(is_so: Callable[[], bool], seconds_max: float = 20) -> None:
    async with asyncio.timeout(seconds_max):
        while not is_so():
            await asyncio.sleep(0.01)


async def position_of(pool: WritePool, name: str) -> int:
    async with pool.connection() as connection, connection.transaction():
        marks = await lock_marks(connection, [name], 0, "live")
    return marks[name].position if name in marks else -1


async def test_a_projector_tails_the_store_until_it_is_cancelled(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path
) -> None:
    await write(store, NoteWritten("a", "1"), NoteChanged("a", "2"))
    projector = Projector(pool, store, notes(tmp_path), look_again_seconds=0.05)
    running = asyncio.create_task(projector.run())
    await until(lambda: projector.is_ready)
    await write(store, NoteWritten("b", "5"), NoteTorn("a"))
    async with asyncio.timeout(10):
        while await position_of(pool, "notes") < 4:
            await asyncio.sleep(0.01)
    assert await rows(pool) == {"b": (5, 0)}
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_news_of_what_the_store_never_had_is_not_believed(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path
) -> None:
    """A queue outlives the database it was filled from: restored from a backup, or made anew."""
    catalog, gone = notes(tmp_path), MemoryEventStore(lambda: NOON)
    await Projector(pool, store, catalog).catch_up()
    await write(gone, NoteWritten("a", "1"), NoteWritten("b", "2"), NoteWritten("c", "3"))
    told = list(await gone.read(0, 0, 100))
    news = [News(0, 2, told[:2]), News(0, 3, told[2:])]
    projector = Projector(pool, store, catalog, Paper(news), look_again_seconds=60)
    await _from_where_it_stands(projector)
    await write(store, NoteWritten("a", "7"), NoteWritten("z", "8"))
    running = asyncio.create_task(projector.run())
    await until(lambda: all(delivery.settled == "done" for delivery in news))
    assert await rows(pool) == {"a": (7, 0), "z": (8, 0)}
    assert await position_of(pool, "notes") == 2
    running.cancel()


async def test_news_with_holes_and_repeats_is_made_whole_from_the_store(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path
) -> None:
    for number in range(1, 9):
        await write(store, NoteWritten(f"n{number}", str(number)))
    events = list(await store.read(0, 0, 100))
    fresh = MemoryEventStore(lambda: NOON)
    catalog = notes(tmp_path)
    await Projector(pool, fresh, catalog).catch_up()  # built while there was nothing to read
    news = [
        News(0, 4, events[2:4]),  # 1 and 2 are missing
        News(0, 3, events[0:3]),  # said before
        News(0, 6, []),  # could not be carried
        News(0, 7, events[5:7]),  # half of it is known
    ]
    projector = Projector(pool, store, catalog, Paper(news), look_again_seconds=60)
    await _from_where_it_stands(projector)
    running = asyncio.create_task(projector.run())
    await until(lambda: all(delivery.settled == "done" for delivery in news))
    running.cancel()
    assert await position_of(pool, "notes") == 7
    written = await rows(pool)
    assert {f"n{number}": (number, 0) for number in range(1, 8)}.items() <= written.items()
    assert all(changes == 0 for _, changes in written.values())


async def _from_where_it_stands(projector: Projector) -> None:
    """Let it begin with the news: what is in the store before them is for the news to tell."""

    async def nothing(*_: object) -> None:
        return

    projector._drain = nothing  # type: ignore[method-assign]


async def test_lost_news_is_noticed_by_looking_again(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path
) -> None:
    projector = Projector(pool, store, notes(tmp_path), Paper([]), look_again_seconds=0.05)
    running = asyncio.create_task(projector.run())
    await until(lambda: projector.is_ready)
    await write(store, NoteWritten("a", "1"))
    async with asyncio.timeout(10):
        while await position_of(pool, "notes") < 1:
            await asyncio.sleep(0.01)
    running.cancel()


async def test_what_breaks_off_before_the_commit_is_as_if_it_never_was(
    pool: WritePool, store: MemoryEventStore, ledger_url: str, tmp_path: Path
) -> None:
    projection = only(notes(tmp_path))
    await rebuild(pool, store, projection)
    await write(store, NoteWritten("a", "1"))
    stretch = Stretch.of(await store.read(0, 0, 10))
    async with write_pool(ledger_url, connections_max=1) as other, other.connection() as broken:
        with pytest.raises(psycopg.OperationalError):
            await _apply_and_be_cut_off(broken, pool, projection, stretch)
    assert await rows(pool) == {}
    assert await position_of(pool, "notes") == 0
    async with pool.connection() as connection:
        assert await apply_stretch(connection, projection, "live", stretch) == 1
        assert await apply_stretch(connection, projection, "live", stretch) == 1
    assert await rows(pool) == {"a": (1, 0)}


async def _apply_and_be_cut_off(
    connection: WriteConnection, pool: WritePool, projection: Projection, stretch: Stretch
) -> None:
    async with connection.transaction():
        await apply_stretch(connection, projection, "live", stretch)
        pid = connection.info.backend_pid
        async with pool.connection() as killer:
            await killer.execute("SELECT pg_terminate_backend(%s)", [pid])
        await connection.execute("SELECT 1")


async def test_two_projectors_at_once_apply_everything_once(
    pool: WritePool, ledger_url: str, tmp_path: Path
) -> None:
    async with PostgresEventStore(ledger_url) as store, write_pool(ledger_url) as other_pool:
        catalog = notes(tmp_path)
        pair = [
            Projector(each, store, catalog, look_again_seconds=0.05, batch_events_max=7)
            for each in (pool, other_pool)
        ]
        running = [asyncio.create_task(projector.run()) for projector in pair]
        await until(lambda: all(projector.is_ready for projector in pair), 30)
        for number in range(60):
            note = f"n{number % 5}"
            event = NoteWritten if number < 5 else NoteChanged
            await write(store, event(note, str(number)))
        async with asyncio.timeout(20):
            while await position_of(pool, "notes") < 60:
                await asyncio.sleep(0.02)
        for task in running:
            task.cancel()
        assert await rows(pool) == {f"n{n}": (55 + n, 11) for n in range(5)}


async def test_a_database_that_goes_away_is_waited_for(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path
) -> None:
    projector = Projector(pool, store, notes(tmp_path), look_again_seconds=0.05)
    running = asyncio.create_task(projector.run())
    await until(lambda: projector.is_ready)
    async with await psycopg.AsyncConnection.connect(pool.conninfo, autocommit=True) as killer:
        for number in range(10):
            await write(store, NoteWritten(f"n{number}", str(number)))
            await killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await asyncio.sleep(0.02)
    async with asyncio.timeout(30):
        while True:
            try:
                if await position_of(pool, "notes") == 10:
                    break
            except psycopg.OperationalError:
                continue
            await asyncio.sleep(0.02)
    running.cancel()
    assert len(await rows(pool)) == 10


async def test_the_meter_is_told_where_each_projection_is_and_how_far_behind(
    pool: WritePool, store: MemoryEventStore, tmp_path: Path
) -> None:
    told: dict[tuple[str, str, str], float] = {}

    class Meter:
        def set(self, name: str, value: float, /, **labels: str) -> None:
            told[name, labels["name"], labels["partition"]] = value

    projector = Projector(
        pool,
        store,
        notes(tmp_path),
        look_again_seconds=0.05,
        meter=Meter(),
        now=lambda: NOON + timedelta(seconds=7),
    )
    running = asyncio.create_task(projector.run())
    await until(lambda: projector.is_ready)
    async with pool.connection() as holder, holder.transaction():
        await lock_marks(holder, ["notes"], 0, "live")  # it cannot go on
        await write(store, NoteWritten("a", "1"))
        await until(lambda: told.get(("projection_lag_seconds", "notes", "0")) == 7)
    await until(lambda: told.get(("projection_position", "notes", "0")) == 1)
    assert told["projection_lag_seconds", "notes", "0"] == 0
    running.cancel()


def test_lanes_take_about_as_long_as_each_other(tmp_path: Path) -> None:
    projections = list(CATALOG)
    seconds = {projection.name: 0.1 for projection in projections}
    seconds[projections[0].name] = 10
    lanes = share_out(projections, seconds, 2)
    assert sorted(len(lane) for lane in lanes) == [1, len(projections) - 1]
    assert [len(lane) for lane in share_out(projections[:1], {}, 2)] == [1]
    assert sum(len(lane) for lane in share_out(projections, {}, 3)) == len(projections)


@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32))
def test_random_histories_in_random_batches_equal_their_rebuild(
    seed: int, databases: object, ledger_template: str
) -> None:
    """Real decisions of every aggregate; each batch size is drawn anew."""
    url = databases.create(template=ledger_template)  # type: ignore[attr-defined]
    try:
        asyncio.run(_project_at_random(url, seed))
    finally:
        databases.drop(url)  # type: ignore[attr-defined]


async def _project_at_random(url: str, seed: int) -> None:
    chance = random.Random(seed)
    stories = Stories(seed)
    store = MemoryEventStore(lambda: NOON)
    async with write_pool(url) as pool:
        await Projector(pool, store, CATALOG).catch_up()
        await record(store, stories.tell(200))
        events = list(await store.read(0, 0, 10_000))
        while events:
            size = chance.choice((1, 2, 7, 60, 400))
            stretch = Stretch.of(events[:size])
            events = events[size:]
            for projection in CATALOG:
                async with pool.connection() as connection:
                    await apply_stretch(connection, projection, "live", stretch)
        checks = [check async for check in verify(pool, store, CATALOG)]
    assert all(check.ok for check in checks), [check for check in checks if not check.ok]
    assert sum(check.count for check in checks) > len(stories.told)
