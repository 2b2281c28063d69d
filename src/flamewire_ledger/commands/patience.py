"""A store that is asked again when it does not answer, for a bounded time.

Sending an append again is safe: the command ids in it were recorded all or none, and the store says
Duplicate for those it has.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar
from uuid import UUID

from flamewire_ledger.store.event_store import (
    Append,
    EventStore,
    RecordedCommand,
    RecordedEvent,
    StateSnapshot,
    StoreUnavailable,
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
        self.times_away = 0  # it may have come back as a server that lacks what was seen before

    async def append(
        self, partition: int, appends: Sequence[Append]
    ) -> tuple[Sequence[Verdict], bool]:
        """The verdicts, and whether it was sent more than once."""
        sent = 0  # counted here: others ask the same store meanwhile

        def send() -> Awaitable[Sequence[Verdict]]:
            nonlocal sent
            sent += 1
            return self._store.append(partition, appends)

        return await self._ask(send), sent > 1

    async def load(
        self, partition: int, after_versions: Mapping[str, int]
    ) -> Mapping[str, Sequence[RecordedEvent]]:
        return await self._ask(lambda: self._store.load(partition, after_versions))

    async def snapshots(
        self, partition: int, stream_ids: Sequence[str]
    ) -> Mapping[str, StateSnapshot]:
        return await self._ask(lambda: self._store.snapshots(partition, stream_ids))

    async def save_snapshots(self, partition: int, snapshots: Sequence[StateSnapshot]) -> None:
        """Tried once: they are worth no wait."""
        await self._store.save_snapshots(partition, snapshots)

    async def find_commands(
        self, partition: int, command_ids: Sequence[UUID]
    ) -> Mapping[UUID, RecordedCommand]:
        return await self._ask(lambda: self._store.find_commands(partition, command_ids))

    async def head(self, partition: int) -> int:
        return await self._ask(lambda: self._store.head(partition))

    async def _ask(self, question: Callable[[], Awaitable[T]]) -> T:
        loop = asyncio.get_running_loop()
        deadline: float | None = None
        wait_seconds = _WAIT_SECONDS_FIRST
        while True:
            try:
                return await question()
            except StoreUnavailable as error:
                self.times_away += 1
                deadline = deadline or loop.time() + self._seconds_max
                if loop.time() + wait_seconds > deadline:
                    raise
                _log.warning("asking the store again in %.2f s: %s", wait_seconds, error)
            await asyncio.sleep(wait_seconds)
            wait_seconds = min(2 * wait_seconds, _WAIT_SECONDS_MAX)
