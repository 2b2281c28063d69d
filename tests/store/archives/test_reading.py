"""What is archived is read as before: by position, stream and time, and while it comes and goes."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from flamewire_ledger.store.archives import EventsMissing
from flamewire_ledger.store.archiving import Archiver, ArchivingRunning
from flamewire_ledger.store.event_store import Append, Verdict
from flamewire_ledger.store.frames import ArchiveAltered, ArchiveMissing
from flamewire_ledger.store.migrate import migrate_blocking
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.services.postgres import Databases
from tests.store.archives.conftest import SEGMENT_EVENTS
from tests.store.archives.history import everything, fill
from tests.store.contract import PostgresEventStoreContract, append, to
from tests.store.test_segments import ask, segments


class ArchivingStore(PostgresEventStore):
    """A store whose full segments are archived after every append, and dropped."""

    archiver: Archiver

    async def append(self, partition: int, appends: list[Append]) -> list[Verdict]:  # type: ignore[override]
        verdicts = await super().append(partition, appends)
        with suppress(ArchivingRunning):
            await self.archiver.create(keep_last=0)
        return list(verdicts)


class TestEventStoreThatIsArchivedAllTheTime(PostgresEventStoreContract):
    @pytest.fixture
    def url(self, databases: Databases) -> Iterator[str]:
        made = databases.create()
        migrate_blocking(made, partitions=2, segment_events=1)
        yield made
        databases.drop(made)

    @pytest.fixture
    async def store(
        self, url: str, folder: Path, archiver: Archiver
    ) -> AsyncIterator[ArchivingStore]:
        async with ArchivingStore(url, archive_directory=folder, connections_max=8) as opened:
            opened.archiver = archiver
            yield opened
            await archiver.create(keep_last=0)  # what came while another archived
            assert ask(url, "SELECT count(*) FROM events") == [(0,)]


async def test_what_is_archived_is_read_as_before(
    store: PostgresEventStore, archiver: Archiver, url: str
):
    await fill(store)
    before = await everything(store)
    streams = {name: await store.read_stream(0, name) for name in ("long", "s0", "s19", "none")}
    loaded = await store.load(0, {"long": 7, "s3": 0, "s4": 1, "new": 0})
    archived = await archiver.create(keep_last=SEGMENT_EVENTS + 3)
    assert [row.last_position for row in archived.rows] == [8, 16, 24]
    assert segments(url) == ["events_0_25", "events_0_33"]
    assert await everything(store) == before
    assert {name: await store.read_stream(0, name) for name in streams} == streams
    assert await store.load(0, {"long": 7, "s3": 0, "s4": 1, "new": 0}) == loaded
    for after, limit in ((0, 1), (0, 12), (3, 4), (11, 3), (13, 100), (19, 5)):
        page = await store.read_stream(0, "long", after_version=after, limit=limit)
        assert page == streams["long"][after : after + limit], (after, limit)
    assert [e.position for e in await store.read(0, 5, 10, until=7)] == [6, 7]
    assert await store.append(0, [append(to("long", 20, "goes on"), to("s0", 1, "and on"))])
    assert (await store.load(0, {"s0": 0}))["s0"][1].data == b'{"name":"and on"}'


async def test_a_position_is_found_by_time_in_archives_too(
    store: PostgresEventStore, archiver: Archiver
):
    await fill(store)
    events = await everything(store)
    await archiver.create(keep_last=SEGMENT_EVENTS)
    for event in events:
        last = max(e.position for e in events if e.recorded_at <= event.recorded_at)
        assert await store.position_at(0, event.recorded_at) == last
    assert await store.position_at(0, events[0].recorded_at - timedelta(microseconds=1)) == 0
    assert await store.position_at(0, datetime(2999, 1, 1, tzinfo=UTC)) == len(events)


async def test_a_reader_is_told_of_a_file_that_is_missing_or_altered(
    store: PostgresEventStore, archiver: Archiver, folder: Path, url: str
):
    await fill(store)
    await archiver.create(keep_last=8)
    events = next(
        file
        for file in folder.iterdir()
        if file.name.startswith("events-0-9-16-")
        and ".streams" not in file.name
        and file.suffix == ".zst"
    )
    good = events.read_bytes()
    events.unlink()
    with pytest.raises(ArchiveMissing, match="FLAMEWIRE_ARCHIVE_DIR") as told:
        await everything(store)
    assert events.name in str(told.value)
    with pytest.raises(ArchiveMissing):
        await store.read_stream(0, "long")
    events.write_bytes(good[:-1] + b"!")
    with pytest.raises(ArchiveAltered):
        await everything(store)
    events.write_bytes(good)
    assert len(await everything(store)) == 40
    async with PostgresEventStore(url) as unaware:
        with pytest.raises(ArchiveMissing, match="FLAMEWIRE_ARCHIVE_DIR"):
            await unaware.read(0, 0, 10)


async def test_events_that_are_nowhere_are_an_error_and_no_gap(store: PostgresEventStore, url: str):
    await fill(store)
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE events_0_9")
    assert len(await store.read(0, 0, 8)) == 8
    with pytest.raises(EventsMissing, match="behind 8"):
        await store.read(0, 8, 100)
    with pytest.raises(EventsMissing, match="verify"):
        await store.read_stream(0, "long")


async def test_appends_and_readers_go_on_while_segments_are_archived_and_restored(
    store: PostgresEventStore, archiver: Archiver
):
    async def write() -> None:
        for number in range(150):
            await store.append(0, [append(to("long", number, "x"), to(f"s{number}", 0, "y"))])

    async def read(until: asyncio.Task[None]) -> None:
        while not until.done():
            events = await everything(store)
            assert [event.position for event in events] == list(range(1, len(events) + 1))
            stream = await store.read_stream(0, "long")
            assert [event.version for event in stream] == list(range(1, len(stream) + 1))

    async def archive_and_restore(until: asyncio.Task[None]) -> None:
        while not until.done():
            await archiver.create(keep_last=8)
            await archiver.restore(after=8)

    writing = asyncio.create_task(write())
    await asyncio.gather(writing, read(writing), archive_and_restore(writing))
    assert len(await everything(store)) == 300
