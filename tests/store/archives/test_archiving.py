"""Archiving and restoring: nothing is lost on the way, whatever breaks off."""

import asyncio
import errno
import shutil
from pathlib import Path

import psycopg
import pytest

from flamewire_ledger.store.archiving import Archiver, ArchivingRunning, SegmentBusy
from flamewire_ledger.store.connections import Connection, Connections
from flamewire_ledger.store.frames import ArchiveError
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.store.archives.history import everything, fill
from tests.store.contract import append, to
from tests.store.test_segments import ask, segments


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


async def test_a_full_disk_leaves_the_segment_and_no_file(
    store: PostgresEventStore,
    archiver: Archiver,
    folder: Path,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
):
    await fill(store)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("flamewire_ledger.store.frames.FrameWriter.publish", full)
    with pytest.raises(ArchiveError, match="No space left"):
        await archiver.create(keep_last=0)
    assert list(folder.iterdir()) == []
    assert len(segments(url)) == 5
    assert len(await everything(store)) == 40


async def test_one_archives_at_a_time(
    store: PostgresEventStore, connections: Connections, folder: Path
):
    await fill(store)
    found = await asyncio.gather(
        *(Archiver(connections, folder).create(keep_last=0) for _ in range(3)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, ArchivingRunning) for each in found) == 2


async def test_one_archiver_may_follow_right_behind_another(
    connections: Connections, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server takes its time to notice that a connection has ended. Here it never does."""
    connect, lingering = connections.connect, []

    async def not_noticed() -> None:
        pass

    async def linger() -> Connection:
        made = await connect()
        lingering.append(made.close)
        monkeypatch.setattr(made, "close", not_noticed)
        return made

    monkeypatch.setattr(connections, "connect", linger)
    for _ in range(2):
        assert not (await Archiver(connections, folder).create(keep_last=0)).rows
    for close in lingering:
        await close()


async def test_a_gap_in_a_segment_is_never_archived(
    store: PostgresEventStore, archiver: Archiver, folder: Path, url: str
):
    await fill(store)
    ask(url, "DELETE FROM events WHERE position = 5 RETURNING 1")
    with pytest.raises(ArchiveError, match="nothing was archived"):
        await archiver.create(keep_last=0)
    assert list(folder.iterdir()) == []
    assert "events_0_1" in segments(url)
