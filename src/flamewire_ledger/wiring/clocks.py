"""The two clocks: real time, and sandbox time, which test merchants live by and anyone may move on.

The sandbox clock's offset is in the database, so that every process agrees on it; each looks again
a few times a second, and the one that moves it knows at once.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

from flamewire_ledger.store.event_store import StoreUnavailable

_LOOK_SECONDS = 0.2


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

    def __init__(self, offsets: Offsets) -> None:
        self._offsets = offsets
        self._seconds = 0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._seconds)

    async def look(self) -> None:
        """Take over what others have moved it by."""
        self._seconds = max(self._seconds, await self._offsets.get())

    async def advance(self, seconds: int) -> datetime:
        """Move it on, for everybody."""
        self._seconds = max(self._seconds, await self._offsets.advance(seconds))
        return self.now()

    async def run(self) -> None:
        """Keep looking until cancelled."""
        while True:
            with suppress(StoreUnavailable):  # the time goes on; the next look tells
                await self.look()
            await asyncio.sleep(_LOOK_SECONDS)
