"""The two clocks: real time, and sandbox time, which test merchants live by and anyone may move on.

The sandbox clock's offset is in the database, so that every process agrees on it; a bell tells all of
them when one moves it, and each looks now and then all the same.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.store.sandbox_bell import SandboxBell

_LOOK_SECONDS = 1.0
_BELL = "clock"


class RealClock:
    """The machine's time, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class Offsets(Protocol):
    """Where the offset is kept."""

    async def get(self) -> int: ...

    async def advance(self, seconds: int) -> int: ...


class SandboxClock:
    """Real time plus an offset that only grows."""

    def __init__(
        self, offsets: Offsets, bell: SandboxBell, *, look_seconds: float = _LOOK_SECONDS
    ) -> None:
        """`look_seconds`: between two looks when nothing rings."""
        self._offsets = offsets
        self._look_seconds = look_seconds
        self._bell = bell
        self._seconds = 0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._seconds)

    async def look(self) -> None:
        """Take over what others have moved it by."""
        self._seconds = max(self._seconds, await self._offsets.get())

    async def advance(self, seconds: int) -> datetime:
        """Move it on, for everybody."""
        self._seconds = max(self._seconds, await self._offsets.advance(seconds))
        await self._bell.ring(_BELL)
        return self.now()

    async def run(self) -> None:
        """Listen, and keep looking, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._bell.run())
            while True:
                rang = self._bell.next_ring(_BELL)
                with suppress(StoreUnavailable):  # the time goes on; the next look tells
                    await self.look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._look_seconds):
                        await rang.wait()
