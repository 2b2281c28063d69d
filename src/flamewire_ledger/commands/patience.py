"""A store that is asked again when it does not answer, for a bounded time.

Sending an append again is safe: the command ids in it were recorded all or none, and the store says
Duplicate for those it has.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, TypeVar
from uuid import UUID

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

T = TypeVar("T")
_log = logging.getLogger(__name__)
_WAIT_SECONDS_FIRST: Final = 0.05
_WAIT_SECONDS_MAX: Final = 1.0


class PatientStore:
    """What executing a batch needs of a store, tried for `seconds_max` before StoreUnavailable gets
    through.
    """

    def __init__(self, store: EventStore, seconds_max: float) -> None:
        self._store = store
        self._seconds_max = seconds_max
        self._turns: dict[int, tuple[Turn, AsyncExitStack]] = {}  # by partition
        self._times_refused = 0

    @property
    def times_away(self) -> int:
        """Grows whenever the store may have come back as a server that lacks what was seen before:
        when it did not answer, and when others have met another server with the same connections.
        """
        return self._times_refused + self._store.servers_met

    @asynccontextmanager
    async def alone(self, partition: int) -> AsyncIterator[None]:
        """Ask all of this within a turn at the partition, until an append, an error or `end_turn`; then, or when
        there is no turn to be had, without. What is recorded depends on expected versions, and on no turn.
        """
        stack = AsyncExitStack()
        try:
            turn = await stack.enter_async_context(self._store.alone(partition))
        except StoreUnavailable as error:
            self._times_refused += 1
            _log.warning("no turn at partition %d: %s", partition, error)
        else:
            self._turns[partition] = turn, stack
        try:
            yield
        finally:
            await self.end_turn(partition)

    async def end_turn(self, partition: int) -> None:
        """Let others append, if this is a turn."""
        _, stack = self._turns.pop(partition, (None, None))
        if stack is not None:
            await stack.aclose()

    async def append(
        self, partition: int, appends: Sequence[Append]
    ) -> tuple[Sequence[Verdict], bool]:
        """The verdicts, and whether it was sent more than once."""
        sent = 0  # counted here: others ask the same store meanwhile

        def send(store: EventStore | Turn) -> Awaitable[Sequence[Verdict]]:
            nonlocal sent
            sent += 1
            return store.append(partition, appends)

        verdicts = await self._ask_in_turn(partition, send)
        await self.end_turn(partition)
        return verdicts, sent > 1

    async def load(
        self, partition: int, after_versions: Mapping[str, int]
    ) -> Mapping[str, Sequence[RecordedEvent]]:
        return await self._ask_in_turn(partition, lambda it: it.load(partition, after_versions))

    async def snapshots(
        self, partition: int, stream_ids: Sequence[str]
    ) -> Mapping[str, StateSnapshot]:
        return await self._ask_in_turn(partition, lambda it: it.snapshots(partition, stream_ids))

    async def save_snapshots(self, partition: int, snapshots: Sequence[StateSnapshot]) -> None:
        """Tried once: they are worth no wait."""
        await self._store.save_snapshots(partition, snapshots)

    async def find_commands(
        self, partition: int, command_ids: Sequence[UUID]
    ) -> Mapping[UUID, RecordedCommand]:
        return await self._ask(lambda: self._store.find_commands(partition, command_ids))

    async def head(self, partition: int) -> int:
        return await self._ask(lambda: self._store.head(partition))

    async def _ask_in_turn(
        self, partition: int, question: Callable[[EventStore | Turn], Awaitable[T]]
    ) -> T:
        async def ask() -> T:
            turn, _ = self._turns.get(partition, (self._store, None))
            try:
                return await question(turn)
            except StoreUnavailable:
                await self.end_turn(partition)  # or asking without it would wait for its end
                raise

        return await self._ask(ask)

    async def _ask(self, question: Callable[[], Awaitable[T]]) -> T:
        loop = asyncio.get_running_loop()
        deadline: float | None = None
        wait_seconds = _WAIT_SECONDS_FIRST
        while True:
            try:
                return await question()
            except StoreUnavailable as error:
                self._times_refused += 1
                deadline = deadline or loop.time() + self._seconds_max
                if loop.time() + wait_seconds > deadline:
                    raise
                _log.warning("asking the store again in %.2f s: %s", wait_seconds, error)
            await asyncio.sleep(wait_seconds)
            wait_seconds = min(2 * wait_seconds, _WAIT_SECONDS_MAX)
