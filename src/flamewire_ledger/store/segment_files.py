"""From a segment to the files of its archive. Nothing here changes the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec
from psycopg.sql import SQL, Identifier, Literal

from flamewire_ledger.store.archive import (
    FRAME_EVENTS,
    FRAME_STREAMS,
    Archive,
    Manifest,
    StreamLine,
    archive_name,
)
from flamewire_ledger.store.archive_line import event_line
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.event_store import RecordedEvent
from flamewire_ledger.store.frames import ArchiveError, FrameWriter, write_whole
from flamewire_ledger.store.merkle import MerkleTree
from flamewire_ledger.store.statements import read_statements

_STATEMENTS: Final = read_statements(files(__package__) / "archiving.sql")
_PAGE_ROWS: Final = 5000


@dataclass(frozen=True, slots=True)
class Segment:
    """A full segment of the log, in the database or not."""

    partition: int
    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1

    def filled(self, statement: bytes) -> bytes:
        """A statement about this segment's table."""
        name = f"events_{self.partition}_{self.first}"
        return (
            SQL(statement.decode())
            .format(
                name=Literal(name),
                segment=Identifier(name),
                partition=Literal(self.partition),
                first=Literal(self.first),
                last=Literal(self.last),
            )
            .as_bytes(None)
        )


async def write_archive(
    connections: Connections, segment: Segment, folder: Path, on_events: Callable[[int], None]
) -> tuple[Path, bytes]:
    """Write the files of a segment into a folder, the manifest last; its path and its hash.

    They are on the disk when this returns, and have their names only when they are whole. An archive of
    the very same events that is there already is kept as it is.
    """
    stem = f"{archive_name(segment.partition, segment.first, segment.last, '')}unfinished"
    events = FrameWriter(folder / f"{stem}.jsonl.zst")
    streams = FrameWriter(folder / f"{stem}.streams.jsonl.zst")
    try:
        tree = MerkleTree()
        ends: list[RecordedEvent] = []
        async for page in _events(connections, segment):
            lines = [event_line(event) for event in page]
            events.write(page[0].position, lines)
            tree.add(lines)
            ends = [*ends[:1], page[-1]] if ends else [page[0], page[-1]]
            on_events(len(page))
        async for group in _streams(connections, segment):
            streams.write(group[0].stream_id, [msgspec.json.encode(line) for line in group])
        name = archive_name(segment.partition, segment.first, segment.last, tree.root().hex())
        manifest = Manifest(
            partition=segment.partition,
            first_position=segment.first,
            last_position=segment.last,
            count=tree.leaves,
            first_recorded_at=ends[0].recorded_at,
            last_recorded_at=ends[-1].recorded_at,
            merkle_root=tree.root().hex(),
            events=events.finish(f"{name}.jsonl.zst"),
            streams=streams.finish(f"{name}.streams.jsonl.zst"),
        )
        path = folder / f"{name}.json"
        if not _is_good(path):
            events.publish(folder / manifest.events.name)
            streams.publish(folder / manifest.streams.name)
            write_whole(path, msgspec.json.encode(manifest))
        return path, sha256(path.read_bytes()).digest()
    finally:
        events.abandon()
        streams.abandon()


def _is_good(path: Path) -> bool:
    try:
        Archive.open(path, sha256(path.read_bytes()).digest()).verify()
    except (OSError, ArchiveError, msgspec.MsgspecError):
        return False
    return True


async def root_of(connections: Connections, segment: Segment) -> bytes:
    """The Merkle root over the events that a segment has in the database."""
    tree = MerkleTree()
    async for page in _events(connections, segment):
        tree.add([event_line(event) for event in page])
    return tree.root()


async def _events(connections: Connections, segment: Segment) -> AsyncIterator[list[RecordedEvent]]:
    """The events of a segment, as many at a time as go into a frame. Raises ArchiveError for a gap."""
    statement = segment.filled(_STATEMENTS["segment_events"].query)
    for first in range(segment.first, segment.last + 1, FRAME_EVENTS):
        last = min(first + FRAME_EVENTS - 1, segment.last)
        async with connections.use() as connection:
            cursor = connection.cursor(binary=True)
            await cursor.execute(statement, {"first": first, "last": last})
            page = [RecordedEvent(*row) for row in await cursor.fetchall()]
        if [event.position for event in page] != list(range(first, last + 1)):
            raise ArchiveError(
                f"partition {segment.partition} lacks events between {first} and {last}: nothing was "
                "archived; see `flamewire verify`, and restore the database"
            )
        yield page


async def _streams(connections: Connections, segment: Segment) -> AsyncIterator[list[StreamLine]]:
    """Where the events of each stream are, by stream, as many streams at a time as go into a frame."""
    statement = segment.filled(_STATEMENTS["streams"].query)
    group: list[StreamLine] = []
    behind: dict[str, object] = {"stream_id": "", "version": 0, "limit": _PAGE_ROWS}
    while True:
        async with connections.use() as connection:
            rows = await (await connection.execute(statement, behind)).fetchall()
        for stream_id, version, position in rows:
            if not group or group[-1].stream_id != stream_id:
                if len(group) == FRAME_STREAMS:
                    yield group
                    group = []
                group.append(StreamLine(stream_id, version, []))
            group[-1].positions.append(position)
        if len(rows) < _PAGE_ROWS:
            break
        behind |= {"stream_id": rows[-1][0], "version": rows[-1][1]}
    if group:
        yield group
