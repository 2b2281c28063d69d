"""How far the live read models have come, and waiting for them: one poll serves all who wait.

Positions only grow, as long as the database is the same server: after a failover read models may be
behind where they were. So what was reached needs no question to the database, but only for a while.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Collection, Mapping
from typing import Final

from flamewire_ledger.queries.database import ReadPool
from flamewire_ledger.queries.statements import by_name, parse_statements, text_beside

_POLL_SECONDS: Final = 0.005
_TRUSTED_SECONDS: Final = 0.25  # no failover is as quick; and four small questions a second are few
_SQL: Final = by_name(parse_statements(text_beside(__file__, "progress.sql"), "progress.sql"))


class Progress:
    """The checkpoints of the live generation, remembered between polls."""

    def __init__(self, pool: ReadPool, *, poll_seconds: float = _POLL_SECONDS) -> None:
        self._pool = pool
        self._poll_seconds = poll_seconds
        self._known: dict[tuple[str, int], int] = {}
        self._known_at = -math.inf
        self._poll: asyncio.Task[None] | None = None

    async def positions(self) -> Mapping[tuple[str, int], int]:
        """The position of each live read model, by name and partition, asked now."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_SQL["live_checkpoints"].sql)
            rows = await cursor.fetchall()
        self._known = {(row["name"], row["partition"]): row["position"] for row in rows}
        self._known_at = time.monotonic()
        return dict(self._known)

    async def wait_for(
        self, partition: int, position: int, names: Collection[str], timeout_seconds: float
    ) -> bool:
        """True as soon as all the named read models have come to the position; False after a while.

        One that is not built yet has come nowhere.
        """
        began = time.monotonic()
        deadline = began + timeout_seconds
        while self._known_at < began - _TRUSTED_SECONDS or not self._reached(
            partition, position, names
        ):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return False
            if self._poll is None or self._poll.done():
                self._poll = asyncio.create_task(self._poll_once())
                self._poll.add_done_callback(_looked_at)
            try:
                await asyncio.wait_for(asyncio.shield(self._poll), remaining)
            except TimeoutError:
                return False
        return True

    def _reached(self, partition: int, position: int, names: Collection[str]) -> bool:
        return all(self._known.get((name, partition), 0) >= position for name in names)

    async def _poll_once(self) -> None:
        since = time.monotonic() - self._known_at
        await asyncio.sleep(max(0.0, self._poll_seconds - since))
        await self.positions()


def _looked_at(poll: asyncio.Task[None]) -> None:
    """A failure is told to those who wait. At the end of a process nobody may wait any more."""
    if not poll.cancelled():
        poll.exception()
