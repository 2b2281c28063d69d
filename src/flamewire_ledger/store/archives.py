"""What the store asks archives for: events by position, by stream and by time, as if they were still in the log.

Files are read in a thread and only as far as needed; a few frames stay in memory, because readers go on from where
they are. What was asked for is given whole, or an ArchiveError says which file is at fault: there is no short answer.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from flamewire_ledger.store.archive import FRAME_EVENTS, Archive
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.event_store import RecordedEvent
from flamewire_ledger.store.frames import ArchiveError, ArchiveMissing
from flamewire_ledger.store.statements import read_statements

_SQL: Final = {
    name: statement.query
    for name, statement in read_statements(files(__package__) / "archives.sql").items()
}
_FRAMES_KEPT_MAX: Final = 8  # some 10 MB
_ARCHIVES_OPEN_MAX: Final = 8


class Archives:
    """The archives of a ledger. `directory` is where they are, unless one was written elsewhere."""

    def __init__(self, connections: Connections, directory: Path | None) -> None:
        self._connections = connections
        self._directory = directory
        self._open: OrderedDict[bytes, Archive] = OrderedDict()
        self._frames: OrderedDict[tuple[str, int], Sequence[RecordedEvent]] = OrderedDict()

    async def read(self, partition: int, first: int, last: int) -> list[RecordedEvent]:
        """The events from one position to another; fewer when something is not in any archive."""
        found: list[RecordedEvent] = []
        while first <= last and (archive := await self._at(partition, first)) is not None:
            end = min(last, archive.manifest.last_position)
            pages: list[RecordedEvent] = []
            for frame in range(archive.frame_of(first), archive.frame_of(end) + 1):
                pages += await self._frame(archive, frame)
            skipped = archive.manifest.first_position + archive.frame_of(first) * FRAME_EVENTS
            found += pages[first - skipped : end - skipped + 1]
            first = end + 1
        return found

    async def read_stream(
        self, partition: int, stream_id: str, after: int, until: int, limit: int
    ) -> list[RecordedEvent]:
        """At most `limit` events of a stream behind a version, in order, none past version `until`. Raises
        EventsMissing when there are not as many as that.
        """
        wanted: list[tuple[Archive, list[int]]] = []
        given = {"partition": partition, "stream_id": stream_id}
        for archive in await self._archives("of_stream", given):
            line = await asyncio.to_thread(archive.stream, stream_id)
            if line is None:
                continue
            behind = max(0, after + 1 - line.first_version)
            wanted.append((archive, line.positions[behind : until + 1 - line.first_version]))
            if line.first_version <= after + 1:
                break
        found: list[RecordedEvent] = []
        for archive, positions in reversed(wanted):
            for position in positions[: limit - len(found)]:
                frame = await self._frame(archive, archive.frame_of(position))
                found.append(frame[(position - archive.manifest.first_position) % FRAME_EVENTS])
        versions = list(range(after + 1, min(until, after + limit) + 1))
        if [event.version for event in found if event.stream_id == stream_id] != versions:
            raise EventsMissing(
                f"events of {stream_id} behind version {after} are neither in the log nor in an archive: "
                "run `flamewire verify`, and restore the database"
            )
        return found

    async def position_at(self, partition: int, at: datetime) -> int | None:
        """The last archived position recorded at or before a time; None when all are, and the answer
        may be later.
        """
        found = await self._archives("at_time", {"partition": partition, "at": at})
        if not found:
            return None
        archive = found[0]
        low, high = 0, len(archive.manifest.events.frames) - 1
        while low < high:  # the first frame that ends after the time
            middle = (low + high) // 2
            if (await self._frame(archive, middle))[-1].recorded_at > at:
                high = middle
            else:
                low = middle + 1
        frame = await self._frame(archive, low)
        before = bisect_right(frame, at, key=lambda event: event.recorded_at)
        return frame[0].position - 1 + before

    async def _at(self, partition: int, position: int) -> Archive | None:
        found = await self._archives("at_position", {"partition": partition, "position": position})
        return found[0] if found else None

    async def _archives(self, question: str, given: Mapping[str, Any]) -> list[Archive]:
        async with self._connections.use() as connection:
            rows = await (await connection.execute(_SQL[question], given)).fetchall()
        return [await self._opened(*row[3:]) for row in rows]

    async def _opened(
        self, manifest: str, manifest_sha256: bytes, elsewhere: str | None
    ) -> Archive:
        archive = self._open.get(manifest_sha256)
        if archive is None:
            path = place(self._directory, manifest, elsewhere)
            archive = await asyncio.to_thread(Archive.open, path, manifest_sha256)
            self._open[manifest_sha256] = archive
            if len(self._open) > _ARCHIVES_OPEN_MAX:
                self._open.popitem(last=False)
        return archive

    async def _frame(self, archive: Archive, number: int) -> Sequence[RecordedEvent]:
        key = (archive.manifest.name, number)
        frame = self._frames.get(key)
        if frame is None:
            frame = await asyncio.to_thread(archive.events_of_frame, number)
            self._frames[key] = frame
            if len(self._frames) > _FRAMES_KEPT_MAX:
                self._frames.popitem(last=False)
        return frame


def place(directory: Path | None, manifest: str, elsewhere: str | None) -> Path:
    """Where a manifest is. Raises ArchiveMissing when nobody said where archives are."""
    if elsewhere is not None:
        return Path(elsewhere) / manifest
    if directory is None:
        raise ArchiveMissing(
            f"these events are in the archive {manifest}: set FLAMEWIRE_ARCHIVE_DIR to where archives are"
        )
    return directory / manifest


class EventsMissing(ArchiveError):
    """Events that were recorded are neither in the log nor in an archive."""
