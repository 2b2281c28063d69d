"""A store that counts what it is asked, and can be made to fail before or after it has done it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

from flamewire_ledger.store.event_store import (
    Append,
    RecordedCommand,
    RecordedEvent,
    StateSnapshot,
    StoreUnavailable,
    Turn,
    Verdict,
)
from flamewire_ledger.store.memory import MemoryEventStore


class WatchedStore(MemoryEventStore):
    def __init__(self, partitions: int = 1) -> None:
        super().__init__(lambda: datetime.now(UTC), partitions)
        self.asked: Counter[str] = Counter()
        self.unavailable_before = 0  # so many appends fail and record nothing
        self.unavailable_after = 0  # so many appends are recorded and do not say so
        self.snapshots_fail = False
        self.poison: str | None = None  # a batch with this stream is refused as a whole
        self.turns_keep_others_away = True
        self.before_append: Callable[[], Awaitable[object]] | None = None
        self.before_load: Callable[[], Awaitable[object]] | None = None

    async def append(self, partition: int, appends: Sequence[Append]) -> Sequence[Verdict]:
        return await self.watched(super().append, partition, appends)

    @asynccontextmanager
    async def alone(self, partition: int) -> AsyncIterator[Turn]:
        self.asked["alone"] += 1
        if self.turns_keep_others_away:
            async with super().alone(partition) as turn:
                yield WatchedTurn(self, turn)
        else:
            yield self

    async def watched(
        self,
        record: Callable[[int, Sequence[Append]], Awaitable[Sequence[Verdict]]],
        partition: int,
        appends: Sequence[Append],
    ) -> Sequence[Verdict]:
        self.asked["append"] += 1
        if self.before_append is not None:
            await self.before_append()
        if self.unavailable_before:
            self.unavailable_before -= 1
            raise StoreUnavailable("gone, and nothing was recorded")
        if any(s.stream_id == self.poison for append in appends for s in append.streams):
            raise ValueError("this cannot be stored")
        verdicts = await record(partition, appends)
        if self.unavailable_after:
            self.unavailable_after -= 1
            raise StoreUnavailable("gone, but everything was recorded")
        return verdicts

    async def load(
        self, partition: int, after_versions: Mapping[str, int]
    ) -> Mapping[str, Sequence[RecordedEvent]]:
        self.asked["load"] += 1
        if self.before_load is not None:
            await self.before_load()
        return await super().load(partition, after_versions)

    async def snapshots(
        self, partition: int, stream_ids: Sequence[str]
    ) -> Mapping[str, StateSnapshot]:
        self.asked["snapshots"] += 1
        return await super().snapshots(partition, stream_ids)

    async def save_snapshots(self, partition: int, snapshots: Sequence[StateSnapshot]) -> None:
        if self.snapshots_fail:
            raise StoreUnavailable("no room for snapshots")
        await super().save_snapshots(partition, snapshots)

    async def find_commands(
        self, partition: int, command_ids: Sequence[UUID]
    ) -> Mapping[UUID, RecordedCommand]:
        self.asked["find_commands"] += 1
        return await super().find_commands(partition, command_ids)


class WatchedTurn:
    """A turn at a watched store, with the same faults."""

    def __init__(self, store: WatchedStore, turn: Turn) -> None:
        self.load = store.load
        self.snapshots = store.snapshots
        self._store = store
        self._turn = turn

    async def append(self, partition: int, appends: Sequence[Append]) -> Sequence[Verdict]:
        return await self._store.watched(self._turn.append, partition, appends)
