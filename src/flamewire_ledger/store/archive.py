"""One archive: a segment of the log as files, which can be read by position and by stream and be proved whole.

Three files: the events, a line each (archive_line.py); for each stream the positions of its events; and the
manifest, which has the hashes of both and of each of their frames. The database has the hash of the manifest, so
nothing is believed that was not written. The names have the segment's Merkle root in them: two archives that
differ never have the same name, so none is ever written over.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from flamewire_ledger.store.archive_line import line_event
from flamewire_ledger.store.event_store import RecordedEvent
from flamewire_ledger.store.frames import (
    FramedFile,
    altered,
    check_file,
    missing,
    read_frame,
)
from flamewire_ledger.store.merkle import MerkleTree

FRAME_EVENTS: Final = 1024
FRAME_STREAMS: Final = 2048


class StreamLine(msgspec.Struct):
    """A stream's events in this archive: versions from `first_version` on, without a gap."""

    stream_id: str
    first_version: int
    positions: list[int]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    format: int = 1
    partition: int
    first_position: int
    last_position: int
    count: int
    first_recorded_at: datetime
    last_recorded_at: datetime
    merkle_root: str  # RFC 6962 over the lines of the events
    events: FramedFile
    streams: FramedFile

    @property
    def name(self) -> str:
        return archive_name(
            self.partition, self.first_position, self.last_position, self.merkle_root
        )


_decode_manifest: Final = msgspec.json.Decoder(Manifest).decode
_decode_stream: Final = msgspec.json.Decoder(StreamLine).decode


def archive_name(partition: int, first: int, last: int, root: str) -> str:
    """What the files are called, before their endings."""
    return f"events-{partition}-{first}-{last}-{root[:16]}"


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that was opened. Its methods block; each may raise ArchiveMissing or ArchiveAltered."""

    directory: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path, manifest_sha256: bytes) -> Archive:
        """The archive of a manifest, if it is the one that was written."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise missing(path, error) from error
        if sha256(content).digest() != manifest_sha256:
            raise altered(path)
        return cls(path.parent, _decode_manifest(content))

    def frame_of(self, position: int) -> int:
        """The number of the frame that has a position."""
        return (position - self.manifest.first_position) // FRAME_EVENTS

    def events_of_frame(self, frame: int) -> list[RecordedEvent]:
        file = self.manifest.events
        return [
            line_event(line) for line in read_frame(self.directory / file.name, file.frames[frame])
        ]

    def lines_of_frame(self, frame: int) -> list[bytes]:
        file = self.manifest.events
        return read_frame(self.directory / file.name, file.frames[frame])

    def stream(self, stream_id: str) -> StreamLine | None:
        """Where a stream's events are; None if it has none here."""
        file = self.manifest.streams
        frame = bisect_right(
            file.frames, stream_id.encode(), key=lambda each: str(each.first).encode()
        )
        if frame == 0:
            return None
        for line in read_frame(self.directory / file.name, file.frames[frame - 1]):
            found = _decode_stream(line)
            if found.stream_id == stream_id:
                return found
        return None

    def verify(self, on_events: Callable[[int], None] = lambda _: None) -> None:
        """Read all of it back. Raises unless both files are as written, every position is there, and the
        Merkle root over the events is that of the manifest.
        """
        check_file(self.directory, self.manifest.streams)
        check_file(self.directory, self.manifest.events)
        tree = MerkleTree()
        position = self.manifest.first_position
        for frame in range(len(self.manifest.events.frames)):
            lines = self.lines_of_frame(frame)
            tree.add(lines)
            for line in lines:
                if line_event(line).position != position:
                    raise altered(self.directory / self.manifest.events.name)
                position += 1
            on_events(len(lines))
        whole = (
            position
            == self.manifest.last_position + 1
            == self.manifest.first_position + self.manifest.count
        )
        if not whole or tree.root().hex() != self.manifest.merkle_root:
            raise altered(self.directory / self.manifest.events.name)
