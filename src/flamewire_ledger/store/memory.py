"""The event store in memory: the same contract as Postgres, for tests and for trying things out.
Nothing outlives it.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from flamewire_ledger.store.event_store import (
    Append,
    Appended,
    Conflict,
    Duplicate,
    RecordedCommand,
    RecordedEvent,
    StateSnapshot,
    Turn,
    Verdict,
)


@dataclass(slots=True)
class _Partition:
    events: list[RecordedEvent] = field(default_factory=list)
    streams: dict[str, list[RecordedEvent]] = field(default_factory=dict)
    commands: dict[UUID, RecordedCommand] = field(default_factory=dict)
    snapshots: dict[str, StateSnapshot] = field(default_factory=dict)
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # serves in the order of asking

    def version(self, stream_id: str) -> int:
        return len(self.streams.get(stream_id, ()))


class MemoryEventStore:
    """`now` gives recorded_at; it never goes back, whatever the clock does."""

    def __init__(self, now: Callable[[], datetime], partitions: int = 1) -> None:
        if partitions < 1:
            raise ValueError("a store has at least one partition")
        self._now = now
        self._partitions = [_Partition() for _ in range(partitions)]

    @property
    def partitions(self) -> int:
        return len(self._partitions)

    @property
    def servers_met(self) -> int:
        return 1

    async def append(self, partition: int, appends: Sequence[Append]) -> Sequence[Verdict]:
        async with self._partitions[partition].turn:
            return self._record(partition, appends)

    @asynccontextmanager
    async def alone(self, partition: int) -> AsyncIterator[Turn]:
        async with self._partitions[partition].turn:
            yield _MemoryTurn(self, self._record)

    def _record(self, partition: int, appends: Sequence[Append]) -> Sequence[Verdict]:
        shard = self._partitions[partition]
        at = self._now()
        if shard.events:
            at = max(at, shard.events[-1].recorded_at)
        tainted: set[str] = set()
        verdicts = [_append_one(shard, partition, append, at, tainted) for append in appends]
        shard.bell.set()
        shard.bell = asyncio.Event()
        return verdicts

    async def load(
        self, partition: int, after_versions: Mapping[str, int]
    ) -> Mapping[str, Sequence[RecordedEvent]]:
        streams = self._partitions[partition].streams
        return {
            stream_id: streams.get(stream_id, [])[after:]
            for stream_id, after in after_versions.items()
        }

    async def snapshots(
        self, partition: int, stream_ids: Sequence[str]
    ) -> Mapping[str, StateSnapshot]:
        kept = self._partitions[partition].snapshots
        return {stream_id: kept[stream_id] for stream_id in stream_ids if stream_id in kept}

    async def save_snapshots(self, partition: int, snapshots: Sequence[StateSnapshot]) -> None:
        kept = self._partitions[partition].snapshots
        for snapshot in snapshots:
            older = kept.get(snapshot.stream_id)
            if older is None or older.version <= snapshot.version:
                kept[snapshot.stream_id] = snapshot

    async def find_commands(
        self, partition: int, command_ids: Sequence[UUID]
    ) -> Mapping[UUID, RecordedCommand]:
        known = self._partitions[partition].commands
        return {command_id: known[command_id] for command_id in command_ids if command_id in known}

    async def read(
        self, partition: int, after: int, limit: int, *, until: int | None = None
    ) -> Sequence[RecordedEvent]:
        last = after + limit if until is None else min(after + limit, until)
        return self._partitions[partition].events[after : max(last, after)]

    async def read_stream(
        self, partition: int, stream_id: str, *, after_version: int = 0, limit: int = 10_000
    ) -> Sequence[RecordedEvent]:
        events = self._partitions[partition].streams.get(stream_id, [])
        return events[after_version : after_version + limit]

    async def head(self, partition: int) -> int:
        return len(self._partitions[partition].events)

    async def position_at(self, partition: int, at: datetime) -> int:
        events = self._partitions[partition].events
        return bisect_right(events, at, key=lambda event: event.recorded_at)

    async def wait_beyond(self, partition: int, position: int, timeout_seconds: float) -> None:
        shard = self._partitions[partition]
        if len(shard.events) > position:
            return
        try:
            await asyncio.wait_for(shard.bell.wait(), timeout_seconds)
        except TimeoutError:
            return


class _MemoryTurn:
    """Reads what everybody reads, and records while everybody else waits."""

    def __init__(
        self,
        store: MemoryEventStore,
        record: Callable[[int, Sequence[Append]], Sequence[Verdict]],
    ) -> None:
        self.load = store.load
        self.snapshots = store.snapshots
        self._record = record

    async def append(self, partition: int, appends: Sequence[Append]) -> Sequence[Verdict]:
        return self._record(partition, appends)


def _append_one(
    shard: _Partition, partition: int, append: Append, at: datetime, tainted: set[str]
) -> Verdict:
    mentioned = [stream.stream_id for stream in append.streams]
    known = shard.commands.get(append.command_id)
    if known is not None:
        tainted.update(mentioned)
        return Duplicate(known)
    moved = _moved(shard, append, tainted)
    if moved:
        tainted.update(mentioned)
        return Conflict(moved)
    for stream in append.streams:
        for event in stream.events:
            recorded = RecordedEvent(
                position=len(shard.events) + 1,
                partition=partition,
                stream_id=stream.stream_id,
                version=shard.version(stream.stream_id) + 1,
                type=event.type,
                data=event.data,
                merchant_id=append.merchant_id,
                command_id=append.command_id,
                metadata=append.metadata,
                recorded_at=at,
            )
            shard.events.append(recorded)
            shard.streams.setdefault(stream.stream_id, []).append(recorded)
    position = len(shard.events)
    shard.commands[append.command_id] = RecordedCommand(append.fingerprint, position, append.answer)
    return Appended(position)


def _moved(shard: _Partition, append: Append, tainted: set[str]) -> tuple[str, ...]:
    """The streams that are not where the append expects them."""
    return tuple(
        stream.stream_id
        for stream in append.streams
        if stream.stream_id in tainted or shard.version(stream.stream_id) != stream.expected_version
    )
