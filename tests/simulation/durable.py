"""What is durable, as a process reaches it: over a line that fails, is slow, and may be cut.

A question may fail before it is heard or after it was answered. What was sent to be recorded may
be recorded although nobody is there any more to hear so, and even some time later.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from flamewire_ledger.chains.progress import BlockRow, CursorRow, FollowerState, TransferRow
from flamewire_ledger.processes.checkpoint import Checkpoints, DeadLetters, Parked
from flamewire_ledger.processes.reaction import Failure
from flamewire_ledger.store.event_store import (
    Append,
    EventStore,
    RecordedCommand,
    RecordedEvent,
    StateSnapshot,
    StoreUnavailable,
    Turn,
    Verdict,
)
from flamewire_ledger.store.usage_items import Aside, ClaimedBatch, NewBatch, UsageItems
from tests.simulation.weather import Line, Weather

T = TypeVar("T")


class Reached:
    """One process's connection to the database."""

    def __init__(self, weather: Weather, line: Line, underway: list[asyncio.Task[Any]]) -> None:
        """`underway` keeps what the database still works on when its client is gone."""
        self._weather = weather
        self._line = line
        self._underway = underway

    async def read(self, question: Callable[[], Awaitable[T]]) -> T:
        await self._before()
        answer = await question()
        await self._weather.delay()
        self._still_there()
        return answer

    async def write(
        self, change: Callable[[], Awaitable[T]], *, may_be_overtaken: bool = True
    ) -> T:
        """Changes happen whether or not who asked for them is still there.

        One that may be overtaken can happen long after it was given up.
        """
        await self._before()
        weather = self._weather
        is_late = may_be_overtaken and weather.happens("a change is made when given up", 0.02)
        delay = weather.seconds(0.5, 20) if is_late else weather.seconds(0, 0.01)
        self._underway[:] = [task for task in self._underway if not task.done()]
        underway = asyncio.create_task(_later(delay, change))
        self._underway.append(underway)
        if is_late:
            await asyncio.sleep(0.1)
            raise StoreUnavailable("the answer did not come in time")
        answer = await asyncio.shield(underway)
        await weather.delay()
        self._still_there()
        if weather.happens("an answer to a change is lost", 0.02):
            raise StoreUnavailable("the connection broke behind the change")
        return answer

    def beside(self, underway: list[asyncio.Task[Any]]) -> Reached:
        """The same connection, with a list of its own of what is worked on."""
        return Reached(self._weather, self._line, underway)

    async def _before(self) -> None:
        self._still_there()
        await self._weather.delay()
        self._still_there()
        if self._weather.is_store_down or self._weather.happens("a question is lost", 0.01):
            raise StoreUnavailable("the connection broke")

    def _still_there(self) -> None:
        if self._line.is_cut:
            raise StoreUnavailable("this process is gone")


async def _later(seconds: float, change: Callable[[], Awaitable[T]]) -> T:
    await asyncio.sleep(seconds)
    return await change()


class ReachedStore:
    """The event store."""

    def __init__(self, store: EventStore, reached: Reached) -> None:
        self._store = store
        self._reached = reached

    @property
    def partitions(self) -> int:
        return self._store.partitions

    @property
    def servers_met(self) -> int:
        return self._store.servers_met

    async def append(self, partition: int, appends: Sequence[Append]) -> Sequence[Verdict]:
        return await self._reached.write(lambda: self._store.append(partition, appends))

    @asynccontextmanager
    async def alone(self, partition: int) -> AsyncIterator[Turn]:
        await self._reached.read(lambda: asyncio.sleep(0))
        async with self._store.alone(partition) as turn:
            # What is on its way when the process goes has the lock until the change is made or not.
            underway: list[asyncio.Task[Any]] = []
            try:
                yield ReachedTurn(turn, self._reached.beside(underway))
            finally:
                for task in underway:
                    await asyncio.wait((task,))

    async def load(
        self, partition: int, after_versions: Mapping[str, int]
    ) -> Mapping[str, Sequence[RecordedEvent]]:
        asked = dict(after_versions)
        return await self._reached.read(lambda: self._store.load(partition, asked))

    async def snapshots(
        self, partition: int, stream_ids: Sequence[str]
    ) -> Mapping[str, StateSnapshot]:
        return await self._reached.read(lambda: self._store.snapshots(partition, stream_ids))

    async def save_snapshots(self, partition: int, snapshots: Sequence[StateSnapshot]) -> None:
        await self._reached.write(lambda: self._store.save_snapshots(partition, snapshots))

    async def find_commands(
        self, partition: int, command_ids: Sequence[UUID]
    ) -> Mapping[UUID, RecordedCommand]:
        return await self._reached.read(lambda: self._store.find_commands(partition, command_ids))

    async def read(
        self, partition: int, after: int, limit: int, *, until: int | None = None
    ) -> Sequence[RecordedEvent]:
        return await self._reached.read(
            lambda: self._store.read(partition, after, limit, until=until)
        )

    async def read_stream(
        self, partition: int, stream_id: str, *, after_version: int = 0, limit: int = 10_000
    ) -> Sequence[RecordedEvent]:
        return await self._reached.read(
            lambda: self._store.read_stream(
                partition, stream_id, after_version=after_version, limit=limit
            )
        )

    async def head(self, partition: int) -> int:
        return await self._reached.read(lambda: self._store.head(partition))

    async def position_at(self, partition: int, at: Any) -> int:
        return await self._reached.read(lambda: self._store.position_at(partition, at))

    async def wait_beyond(self, partition: int, position: int, timeout_seconds: float) -> None:
        await self._reached.read(
            lambda: self._store.wait_beyond(partition, position, timeout_seconds)
        )


class ReachedTurn:
    """A turn at the event store."""

    def __init__(self, turn: Turn, reached: Reached) -> None:
        self._turn = turn
        self._reached = reached

    async def load(
        self, partition: int, after_versions: Mapping[str, int]
    ) -> Mapping[str, Sequence[RecordedEvent]]:
        asked = dict(after_versions)
        return await self._reached.read(lambda: self._turn.load(partition, asked))

    async def snapshots(
        self, partition: int, stream_ids: Sequence[str]
    ) -> Mapping[str, StateSnapshot]:
        return await self._reached.read(lambda: self._turn.snapshots(partition, stream_ids))

    async def append(self, partition: int, appends: Sequence[Append]) -> Sequence[Verdict]:
        return await self._reached.write(
            lambda: self._turn.append(partition, appends), may_be_overtaken=False
        )


class ReachedUsageItems:
    """Items of usage beside the log."""

    def __init__(self, items: UsageItems, reached: Reached) -> None:
        self._items = items
        self._reached = reached

    async def claim(
        self,
        merchant_id: str,
        claimed_at: datetime,
        meter_ids: Sequence[str],
        batches: Sequence[NewBatch],
    ) -> Mapping[UUID, Sequence[int]]:
        return await self._reached.write(
            lambda: self._items.claim(merchant_id, claimed_at, meter_ids, batches)
        )

    async def settle(self, positions: Mapping[UUID, int], given_back: Sequence[UUID]) -> None:
        await self._reached.write(lambda: self._items.settle(positions, given_back))

    async def unfinished_of(self, keys: Sequence[UUID]) -> Sequence[UUID]:
        return await self._reached.read(lambda: self._items.unfinished_of(keys))

    async def counted(self, keys: Sequence[UUID]) -> Collection[UUID]:
        return await self._reached.read(lambda: self._items.counted(keys))

    async def unfinished(self, seconds: float, limit: int) -> Sequence[UUID]:
        return await self._reached.read(lambda: self._items.unfinished(seconds, limit))

    async def batches(self, batch_ids: Sequence[UUID]) -> Sequence[ClaimedBatch]:
        return await self._reached.read(lambda: self._items.batches(batch_ids))

    async def put_aside(self, asides: Sequence[Aside]) -> None:
        await self._reached.write(lambda: self._items.put_aside(asides))

    async def aside(self, keys: Sequence[UUID]) -> Collection[UUID]:
        return await self._reached.read(lambda: self._items.aside(keys))

    async def release(self) -> None:
        await self._reached.write(self._items.release)

    async def give_up(self, batch_id: UUID) -> None:
        await self._reached.write(lambda: self._items.give_up(batch_id))

    async def merchant_of(self, batch_id: UUID) -> str | None:
        return await self._reached.read(lambda: self._items.merchant_of(batch_id))

    async def places(self, keys: Sequence[UUID]) -> Mapping[UUID, tuple[UUID, int]]:
        return await self._reached.read(lambda: self._items.places(keys))


class ReachedCheckpoints:
    """The checkpoints of processes."""

    def __init__(self, checkpoints: Checkpoints, reached: Reached) -> None:
        self._checkpoints = checkpoints
        self._reached = reached

    async def load(self, partition: int) -> Mapping[str, int]:
        return await self._reached.read(lambda: self._checkpoints.load(partition))

    async def save(self, partition: int, positions: Mapping[str, int]) -> None:
        await self._reached.write(lambda: self._checkpoints.save(partition, positions))


class ReachedDeadLetters:
    """What processes could not handle."""

    def __init__(self, letters: DeadLetters, reached: Reached) -> None:
        self._letters = letters
        self._reached = reached

    async def parked(self, partition: int) -> Parked:
        return await self._reached.read(lambda: self._letters.parked(partition))

    async def due(self, partition: int) -> Sequence[tuple[str, int]]:
        return await self._reached.read(lambda: self._letters.due(partition))

    async def park(self, failures: Sequence[Failure]) -> None:
        await self._reached.write(lambda: self._letters.park(failures))

    async def release(self, process: str, partition: int, position: int) -> None:
        await self._reached.write(lambda: self._letters.release(process, partition, position))


class ReachedFollowerState:
    """How far a chain was followed. Its changes are in order: only one follower makes them."""

    def __init__(self, state: FollowerState, reached: Reached) -> None:
        self._state = state
        self._reached = reached

    async def load(
        self, chain_id: str
    ) -> tuple[CursorRow | None, Sequence[BlockRow], Sequence[TransferRow]]:
        return await self._reached.read(lambda: self._state.load(chain_id))

    async def track(self, chain_id: str, transfers: Sequence[TransferRow]) -> None:
        await self._reached.write(
            lambda: self._state.track(chain_id, transfers), may_be_overtaken=False
        )

    async def save(
        self,
        chain_id: str,
        cursor: CursorRow,
        blocks: Sequence[BlockRow],
        keep_from: int,
        transfers: Sequence[TransferRow],
        forgotten: Sequence[tuple[str, int]],
    ) -> None:
        kept = list(blocks)  # the follower clears its own lists when it is done
        await self._reached.write(
            lambda: self._state.save(chain_id, cursor, kept, keep_from, transfers, forgotten),
            may_be_overtaken=False,
        )
