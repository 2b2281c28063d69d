"""Archiving: old segments become files and leave the database, and come back when they are wanted.

The order of the steps is what makes it safe. The files are written, read back and proved before the database is told
that they count, and the segment is dropped only after that: whatever is broken off leaves the segment, or an archive
that was proved, or both. What was left half done is finished by the next run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import errors
from psycopg.rows import dict_row

from flamewire_ledger.store.archive import Archive
from flamewire_ledger.store.archives import place
from flamewire_ledger.store.connections import Connection, Connections
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.store.frames import ArchiveError
from flamewire_ledger.store.segment_files import Segment, root_of, write_archive
from flamewire_ledger.store.statements import read_statements

SQL: Final = {
    name: statement.query
    for name, statement in read_statements(files(__package__) / "archiving.sql").items()
}
_DROP_TRIES_MAX: Final = 50
_DROP_PAUSE_SECONDS: Final = 0.2

OnProgress: TypeAlias = Callable[[int, int], None]  # events done, and in all
OnStep: TypeAlias = Callable[[str], None]


class ArchivingRunning(ArchiveError):
    """Somebody else archives or restores."""


class SegmentBusy(ArchiveError):
    """A segment is archived, and could not be dropped because of its readers."""


@dataclass(frozen=True, slots=True)
class ArchiveRow:
    """What the database knows of an archive."""

    partition: int
    first_position: int
    last_position: int
    first_recorded_at: datetime
    last_recorded_at: datetime
    merkle_root: bytes
    manifest: str
    manifest_sha256: bytes
    directory: str | None
    bytes: int
    archived_at: datetime
    in_database: bool  # its segment was not dropped yet

    @property
    def segment(self) -> Segment:
        return Segment(self.partition, self.first_position, self.last_position)

    @property
    def count(self) -> int:
        return self.last_position - self.first_position + 1


@dataclass(frozen=True, slots=True)
class Held:
    """Why no more was archived: who has still to read from the log itself, and where it is."""

    partition: int
    reader: str
    position: int


@dataclass(frozen=True, slots=True)
class Archived:
    rows: Sequence[ArchiveRow]
    held: Sequence[Held]


class Archiver:
    """Makes archives of a ledger, proves them, and restores them; one at a time for a ledger.

    `directory` is where archives are kept. `on_step` is told of each step that is done.
    """

    def __init__(
        self, connections: Connections, directory: Path, *, on_step: OnStep = lambda _: None
    ) -> None:
        self._connections = connections
        self._directory = directory.absolute()
        self._on_step = on_step

    async def create(
        self,
        *,
        before: int | None = None,
        keep_last: int | None = None,
        into: Path | None = None,
        on_progress: OnProgress = lambda done, total: None,
    ) -> Archived:
        """Archive the full segments before a position of each partition, or all but the last events, or, when
        neither is said, all but the newest full segment.

        What a read model, a process or the relay has still to read stays. Raises ArchivingRunning,
        SegmentBusy, or ArchiveError.
        """
        folder = _made(into or self._directory)
        async with self._alone():
            for row in await self.rows():
                if row.in_database:  # a run was broken off after it was written down
                    await asyncio.to_thread(self._open(row).verify)
                    await self._drop(row.segment)
            segments, held = await self._candidates(before, keep_last)
            done, total = 0, sum(segment.count for segment in segments)

            def count(events: int) -> None:  # each is written, and read back
                nonlocal done
                done += events
                on_progress(done // 2, total)

            for segment in segments:
                await self._archive(segment, folder, count)
            made = {(segment.partition, segment.first) for segment in segments}
            rows = [r for r in await self.rows() if (r.partition, r.first_position) in made]
            return Archived(rows, held)

    async def rows(self) -> list[ArchiveRow]:
        """Every archive, the oldest of a partition first."""
        async with self._connections.use() as connection:
            cursor = connection.cursor(row_factory=dict_row)
            rows = await (await cursor.execute(SQL["list"])).fetchall()
        return [ArchiveRow(**row) for row in rows]

    async def verify(
        self, on_progress: OnProgress = lambda done, total: None
    ) -> list[tuple[ArchiveRow, ArchiveError | None]]:
        """Read every archive and prove it; with each, what is wrong with it."""
        rows = await self.rows()
        done, total = 0, sum(row.count for row in rows)

        def count(events: int) -> None:
            nonlocal done
            done += events
            on_progress(done, total)

        found: list[tuple[ArchiveRow, ArchiveError | None]] = []
        for row in rows:
            try:
                archive = self._open(row)
                await asyncio.to_thread(archive.verify, count)
                _agree(row, archive)
            except ArchiveError as error:
                found.append((row, error))
            else:
                found.append((row, None))
        return found

    async def restore(
        self, after: int = 0, *, on_progress: OnProgress = lambda done, total: None
    ) -> Sequence[ArchiveRow]:
        """Put back into the database every segment that has events behind a position, and forget its archive;
        the files stay. Each is compared with its archive before it counts.
        """
        async with self._alone():
            rows = [row for row in await self.rows() if row.last_position > after]
            done, total = 0, sum(row.count for row in rows)

            def count(events: int) -> None:
                nonlocal done
                done += events
                on_progress(done, total)

            for row in reversed(rows):  # archives stay without a gap: the newest comes back first
                await self._restore(row, count)
        return rows

    async def _candidates(
        self, before: int | None, keep_last: int | None
    ) -> tuple[list[Segment], list[Held]]:
        segments: list[Segment] = []
        held: list[Held] = []
        for partition, head, size, archived in await self._ask("partitions", {}):
            until = head - (size if keep_last is None else keep_last)
            if before is not None:
                until = min(head, before - 1)
            slowest = await self._ask("slowest", {"partition": partition})
            for reader, position in slowest:
                if position < until:
                    held.append(Held(partition, reader, position))
                    until = position
            segments += [
                Segment(partition, first, first + size - 1)
                for first in range(archived + 1, until - size + 2, size)
            ]
        return segments, held

    async def _archive(self, segment: Segment, folder: Path, count: Callable[[int], None]) -> None:
        try:
            path, manifest_sha256 = await write_archive(self._connections, segment, folder, count)
        except OSError as error:
            raise _cannot_write(folder, error) from error
        self._on_step("written")
        archive = await asyncio.to_thread(Archive.open, path, manifest_sha256)
        await asyncio.to_thread(archive.verify, count)
        self._on_step("verified")
        await self._note(segment, archive, path.name, manifest_sha256)
        self._on_step("noted")
        await self._drop(segment)
        self._on_step("dropped")

    async def _note(
        self, segment: Segment, archive: Archive, name: str, manifest_sha256: bytes
    ) -> None:
        facts = archive.manifest
        elsewhere = archive.directory != self._directory
        row = {
            "partition": segment.partition,
            "first": segment.first,
            "last": segment.last,
            "first_at": facts.first_recorded_at,
            "last_at": facts.last_recorded_at,
            "root": bytes.fromhex(facts.merkle_root),
            "manifest": name,
            "manifest_sha256": manifest_sha256,
            "directory": str(archive.directory) if elsewhere else None,
            "bytes": facts.events.bytes + facts.streams.bytes,
        }
        async with self._connections.use() as connection, connection.transaction():
            await connection.execute(SQL["note"], row)
            await _move(connection, segment.partition, segment.first - 1, segment.last)

    async def _drop(self, segment: Segment) -> None:
        given = {"partition": segment.partition, "first": segment.first}
        for _ in range(_DROP_TRIES_MAX):
            try:
                async with self._connections.use() as connection, connection.transaction():
                    await connection.execute(SQL["wait_little"])
                    await connection.execute(SQL["drop_segment"], given)
            except StoreUnavailable as error:
                if not isinstance(error.__cause__, errors.LockNotAvailable):
                    raise
                await asyncio.sleep(_DROP_PAUSE_SECONDS)
            else:
                return
        raise SegmentBusy(
            f"events {segment.first} to {segment.last} of partition {segment.partition} are archived, but "
            "something reads in the log all the time, a backup perhaps: run `flamewire archive create` again "
            "later, and the segment is dropped"
        )

    async def _restore(self, row: ArchiveRow, count: Callable[[int], None]) -> None:
        segment, archive = row.segment, self._open(row)
        await asyncio.to_thread(archive.verify)
        ((is_attached,),) = await self._ask("is_attached", {}, segment)
        if not is_attached:
            await self._fill(segment, archive, count)
            self._on_step("filled")
        if await root_of(self._connections, segment) != row.merkle_root:
            raise ArchiveError(
                f"what is in the database of events {segment.first} to {segment.last} is not what was "
                "archived: see `flamewire archive verify`; nothing was changed"
            )
        self._on_step("compared")
        given = {"partition": segment.partition, "first": segment.first, "last": segment.last}
        async with self._connections.use() as connection, connection.transaction():
            # The head's row comes first, as in an append, or each would wait for the other.
            await _move(connection, segment.partition, segment.last, segment.first - 1)
            if not is_attached:
                await connection.execute(SQL["attach_segment"], given)
            await connection.execute(SQL["forget"], given)
        self._on_step("restored")

    async def _fill(self, segment: Segment, archive: Archive, count: Callable[[int], None]) -> None:
        async with self._connections.use() as connection:
            await connection.execute(segment.filled(SQL["drop_unfinished"]))
            async with connection.transaction():
                await connection.execute(
                    SQL["create_segment"],
                    {"partition": segment.partition, "first": segment.first},
                )
                await connection.execute(segment.filled(SQL["within"]))
            for frame in range(len(archive.manifest.events.frames)):
                events = await asyncio.to_thread(archive.events_of_frame, frame)
                copy_in = connection.cursor().copy(segment.filled(SQL["copy"]))
                async with copy_in as copy:
                    copy.set_types(_COLUMN_TYPES)
                    for event in events:
                        await copy.write_row(
                            (
                                event.position,
                                event.partition,
                                event.stream_id,
                                event.version,
                                event.type,
                                event.data,
                                event.merchant_id,
                                event.command_id,
                                event.metadata,
                                event.recorded_at,
                            )
                        )
                count(len(events))

    def _open(self, row: ArchiveRow) -> Archive:
        path = place(self._directory, row.manifest, row.directory)
        return Archive.open(path, row.manifest_sha256)

    async def _ask(
        self, name: str, given: Mapping[str, Any], segment: Segment | None = None
    ) -> Sequence[tuple[Any, ...]]:
        statement = SQL[name] if segment is None else segment.filled(SQL[name])
        async with self._connections.use() as connection:
            return await (await connection.execute(statement, given)).fetchall()

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        async with await self._connections.connect() as connection:
            row = await (await connection.execute(SQL["try_lock"])).fetchone()
            if not row or not row[0]:
                raise ArchivingRunning(
                    "another `flamewire archive` is at work on this ledger: wait for it"
                )
            try:
                yield
            finally:
                with suppress(psycopg.Error):  # it broke, and has let go of the lock by that
                    await connection.execute(SQL["unlock"])


_COLUMN_TYPES: Final = (
    "int8", "int4", "text", "int4", "text", "bytea", "text", "uuid", "bytea", "timestamptz",
)  # fmt: skip


def _made(folder: Path) -> Path:
    """The folder, there and absolute."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    return folder.absolute()


def _cannot_write(folder: Path, error: OSError) -> ArchiveError:
    return ArchiveError(
        f"archives cannot be written to {folder} ({error.strerror}), and nothing has left the database: "
        "make room there, or choose another folder with --dest"
    )


def _agree(row: ArchiveRow, archive: Archive) -> None:
    """Raises ArchiveError unless the database says the same of the archive as its manifest."""
    facts = archive.manifest
    said = (facts.partition, facts.first_position, facts.last_position, facts.merkle_root)
    if said != (row.partition, row.first_position, row.last_position, row.merkle_root.hex()):
        raise ArchiveError(
            f"{row.manifest} is not about the events that the database says it has: find out who changed "
            "the table `archives`, and restore it from a backup"
        )


async def _move(connection: Connection, partition: int, expected: int, until: int) -> None:
    given = {"partition": partition, "expected": expected, "until": until}
    if await (await connection.execute(SQL["move_archived"], given)).fetchone() is None:
        raise ArchiveError(
            f"the archives of partition {partition} do not end at {expected}: run the command again"
        )
