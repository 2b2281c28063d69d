"""The files prove themselves, with us and without."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest
from backports import zstd

from flamewire_ledger.store.archive_line import event_line, line_event
from flamewire_ledger.store.archiving import Archiver
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.event_store import RecordedEvent
from flamewire_ledger.store.frames import ArchiveAltered
from flamewire_ledger.store.merkle import leaf_hash, node_hash
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.services.postgres import Databases
from tests.store.archives.history import everything, fill


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
