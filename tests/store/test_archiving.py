"""Archives: what left the database is read as before, and is never lost on the way, whatever breaks off."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from backports import zstd

from flamewire_ledger.store import archive, segment_files
from flamewire_ledger.store.archive_line import event_line, line_event
from flamewire_ledger.store.archives import EventsMissing
from flamewire_ledger.store.archiving import Archiver, ArchivingRunning, SegmentBusy
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.event_store import Append, RecordedEvent, Verdict
from flamewire_ledger.store.frames import ArchiveAltered, ArchiveError, ArchiveMissing
from flamewire_ledger.store.merkle import leaf_hash, node_hash
from flamewire_ledger.store.migrate import migrate_blocking
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.services.postgres import Databases, database_of
from tests.store.contract import EventStoreContract, append, to
from tests.store.test_segments import ask, segments

SEGMENT_EVENTS = 8


@pytest.fixture(autouse=True)
def small_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a segment is several frames."""
    for module in (archive, segment_files):
        monkeypatch.setattr(module, "FRAME_EVENTS", 4)
    monkeypatch.setattr("flamewire_ledger.store.archives.FRAME_EVENTS", 4)
    monkeypatch.setattr(segment_files, "FRAME_STREAMS", 2)
    monkeypatch.setattr(segment_files, "_PAGE_ROWS", 3)


@pytest.fixture(scope="session")
def archived_template(databases: Databases) -> str:
    url = databases.create()
    migrate_blocking(url, partitions=2, segment_events=SEGMENT_EVENTS)
    return database_of(url)


@pytest.fixture
def url(databases: Databases, archived_template: str) -> Iterator[str]:
    made = databases.create(template=archived_template)
    yield made
    databases.drop(made)


@pytest.fixture
async def connections(url: str) -> AsyncIterator[Connections]:
    opened = Connections(url, size_max=4)
    yield opened
    await opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archives"


@pytest.fixture
async def store(url: str, folder: Path) -> AsyncIterator[PostgresEventStore]:
    async with PostgresEventStore(url, archive_directory=folder) as opened:
        yield opened


@pytest.fixture
def archiver(connections: Connections, folder: Path) -> Archiver:
    return Archiver(connections, folder)


async def fill(store: PostgresEventStore, events: int = 5 * SEGMENT_EVENTS) -> None:
    """One long stream, and a short one for each of its events."""
    for number in range(events // 2):
        await store.append(0, [append(to("long", number, f"l{number}"), to(f"s{number}", 0, "x"))])


async def everything(store: PostgresEventStore) -> list[RecordedEvent]:
    found: list[RecordedEvent] = []
    while page := await store.read(0, len(found), 7):
        found += page
    return found


class ArchivingStore(PostgresEventStore):
    """A store whose full segments are archived after every append, and dropped."""

    archiver: Archiver

    async def append(self, partition: int, appends: list[Append]) -> list[Verdict]:  # type: ignore[override]
        verdicts = await super().append(partition, appends)
        with suppress(ArchivingRunning):
            await self.archiver.create(keep_last=0)
        return list(verdicts)


class TestEventStoreThatIsArchivedAllTheTime(EventStoreContract):
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
        async with ArchivingStore(url, archive_directory=folder) as opened:
            opened.archiver = archiver
            yield opened
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


async def test_the_files_can_be_checked_without_us(
    store: PostgresEventStore, archiver: Archiver, folder: Path
):
    """What an auditor does with `zstd -dc`, `sha256sum` and RFC 6962."""
    await fill(store)
    events = await everything(store)
    (row, *_) = (await archiver.create(before=9)).rows
    manifest = json.loads((folder / row.manifest).read_bytes())
    packed = (folder / manifest["events"]["name"]).read_bytes()
    assert sha256(packed).hexdigest() == manifest["events"]["sha256"]
    lines = zstd.decompress(packed).splitlines()
    assert lines == [event_line(event) for event in events[:8]]
    assert json.loads(lines[0])["data"] == {"name": "l0"}
    level = [leaf_hash(line) for line in lines]
    while len(level) > 1:
        level = [node_hash(*pair) for pair in zip(level[::2], level[1::2], strict=True)]
    assert level[0] == row.merkle_root == bytes.fromhex(manifest["merkle_root"])


@pytest.mark.parametrize("step", ["written", "verified", "noted"])
async def test_whatever_is_broken_off_loses_nothing(
    store: PostgresEventStore, connections: Connections, folder: Path, url: str, step: str
):
    await fill(store)
    before = await everything(store)

    def break_off(done: str) -> None:
        if done == step:
            raise InterruptedError(step)

    with pytest.raises(InterruptedError):
        await Archiver(connections, folder, on_step=break_off).create(keep_last=20)
    assert await everything(store) == before
    assert "events_0_1" in segments(url)
    archiver = Archiver(connections, folder)
    await archiver.create(keep_last=20)
    assert await everything(store) == before
    assert segments(url)[0] == "events_0_17"
    assert [fault for _, fault in await archiver.verify()] == [None, None]
    assert not list(folder.glob("*unfinished*"))


@pytest.mark.parametrize("step", ["filled", "compared", "restored"])
async def test_a_restore_that_is_broken_off_loses_nothing(
    store: PostgresEventStore, connections: Connections, folder: Path, url: str, step: str
):
    await fill(store)
    before = await everything(store)
    await Archiver(connections, folder).create(keep_last=8)

    def break_off(done: str) -> None:
        if done == step:
            raise InterruptedError(step)

    with pytest.raises(InterruptedError):
        await Archiver(connections, folder, on_step=break_off).restore()
    assert await everything(store) == before
    restored = await Archiver(connections, folder).restore()
    assert restored
    shutil.rmtree(folder)
    assert await everything(store) == before
    assert segments(url)[0] == "events_0_1"


async def test_what_was_restored_is_the_same_and_can_be_archived_again(
    store: PostgresEventStore, archiver: Archiver, url: str
):
    await fill(store)
    rows = ask(url, "SELECT * FROM events ORDER BY position")
    first = (await archiver.create(keep_last=8)).rows
    assert [row.first_position for row in await archiver.restore(after=16)] == [17, 25]
    assert segments(url)[0] == "events_0_17"
    assert [row.last_position for row in await archiver.rows()] == [8, 16]
    await archiver.restore()
    assert ask(url, "SELECT * FROM events ORDER BY position") == rows
    assert await archiver.rows() == []
    again = (await archiver.create(keep_last=8)).rows
    assert [row.manifest_sha256 for row in again] == [row.manifest_sha256 for row in first]
    await store.append(0, [append(to("long", 20, "goes on"))])


async def test_an_altered_byte_is_found(
    store: PostgresEventStore, archiver: Archiver, folder: Path, url: str
):
    await fill(store)
    await archiver.create(keep_last=24)
    for file in sorted(folder.iterdir()):
        good = file.read_bytes()
        for place in (0, len(good) // 2, len(good) - 1):
            file.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
            faults = [fault for _, fault in await archiver.verify() if fault]
            assert isinstance(faults[0], ArchiveAltered), (file, place)
            assert file.name in str(faults[0])
            if "-9-16-" in file.name:
                with pytest.raises(ArchiveAltered, match="copy"):
                    await archiver.restore(after=8)
        file.write_bytes(good)
    assert [fault for _, fault in await archiver.verify()] == [None, None]


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
    with pytest.raises((EventsMissing, psycopg.errors.UndefinedTable)):
        await store.read_stream(0, "long")


async def test_what_somebody_has_still_to_read_stays(
    store: PostgresEventStore, archiver: Archiver, url: str
):
    await fill(store)
    ask(url, "INSERT INTO projection_checkpoints VALUES ('slow', 'live', 0, 12) RETURNING 1")
    ask(url, "INSERT INTO process_checkpoints VALUES ('quick', 0, 30) RETURNING 1")
    archived = await archiver.create(keep_last=0)
    assert [row.last_position for row in archived.rows] == [8]
    assert [(held.reader, held.position) for held in archived.held] == [("projection slow", 12)]


async def test_a_segment_that_is_read_all_the_time_is_dropped_later(
    store: PostgresEventStore, archiver: Archiver, url: str, monkeypatch: pytest.MonkeyPatch
):
    await fill(store)
    before = await everything(store)
    monkeypatch.setattr("flamewire_ledger.store.archiving._DROP_TRIES_MAX", 2)
    with psycopg.connect(url) as backup:
        backup.execute("SELECT count(*) FROM events")
        with pytest.raises(SegmentBusy, match="again"):
            await archiver.create(keep_last=8)
        assert await everything(store) == before
        assert await store.append(0, [append(to("new", 0, "x"))])
    assert [row.in_database for row in await archiver.rows()] == [True]
    await archiver.create(keep_last=9)
    assert [row.in_database for row in await archiver.rows()] == [False] * 4


async def test_one_archives_at_a_time(
    store: PostgresEventStore, connections: Connections, folder: Path
):
    await fill(store)
    found = await asyncio.gather(
        *(Archiver(connections, folder).create(keep_last=0) for _ in range(3)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, ArchivingRunning) for each in found) == 2


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


async def test_an_archive_of_other_events_is_never_written_over(
    store: PostgresEventStore,
    archiver: Archiver,
    folder: Path,
    databases: Databases,
    archived_template: str,
):
    """Two ledgers may keep their archives in one folder by mistake."""
    await fill(store)
    await archiver.create(keep_last=8)
    other = databases.create(template=archived_template)
    async with PostgresEventStore(other, archive_directory=folder) as second:
        await fill(second)
        theirs = Connections(other, size_max=2)
        await Archiver(theirs, folder).create(keep_last=8)
        await theirs.close()
        assert len(await everything(second)) == 40
    assert len(await everything(store)) == 40
    databases.drop(other)


async def test_an_archive_may_be_written_elsewhere(
    store: PostgresEventStore, archiver: Archiver, tmp_path: Path
):
    await fill(store)
    (row, *_) = (await archiver.create(before=9, into=tmp_path / "elsewhere")).rows
    assert row.directory == str(tmp_path / "elsewhere")
    assert len(await everything(store)) == 40


def test_lines_keep_every_byte():
    event = RecordedEvent(
        1,
        0,
        'a"\n',
        2**31 - 1,
        "t",
        b"{}",
        "mer",
        UUID(int=7),
        b"",
        datetime(2026, 1, 1, tzinfo=UTC),
    )
    for data in (
        b"",
        b"{}",
        b' {"a":1}',
        b'{"a":1}\n',
        b"\xff\x00",
        b'{"a":\r1}',
        b"1 2",
        b'{"a":"\xc3\xa4"}',
    ):
        changed = replace(event, data=data, metadata=data)
        assert b"\n" not in event_line(changed)
        assert line_event(event_line(changed)) == changed
    assert line_event(event_line(event)) == event


async def test_a_gap_in_a_segment_is_never_archived(
    store: PostgresEventStore, archiver: Archiver, folder: Path, url: str
):
    await fill(store)
    ask(url, "DELETE FROM events WHERE position = 5 RETURNING 1")
    with pytest.raises(ArchiveError, match="nothing was archived"):
        await archiver.create(keep_last=0)
    assert list(folder.iterdir()) == []
    assert "events_0_1" in segments(url)
