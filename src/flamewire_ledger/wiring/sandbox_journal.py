"""The sandbox chains' journal, asked only when there is something to be told.

A sandbox chain looks into its journal several times a block, and most of the time nobody pays. While
a bell tells of every payment, what was found empty is empty until it rings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from flamewire_ledger.chains.sandbox.journal import JournalRow, SandboxJournal
from flamewire_ledger.store.sandbox_bell import Rings, SandboxBell

_LOOK_SECONDS: Final = 1.0  # although nobody rang


class BelledJournal:
    """Keeps chains.sandbox.journal.SandboxJournal over another one."""

    def __init__(
        self,
        journal: SandboxJournal,
        bell: SandboxBell,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal = journal
        self._bell = bell
        self._monotonic = monotonic
        # By chain: behind which entry there was nothing, after which ring, and when.
        self._empty: dict[str, tuple[int, Rings | None, float]] = {}

    async def read(self, chain_id: str, after: int, limit: int) -> Sequence[JournalRow]:
        rings, now = self._bell.rings(chain_id), self._monotonic()
        last, heard, at = self._empty.get(chain_id, (-1, None, now))
        if rings is not None and (last, heard) == (after, rings) and now - at < _LOOK_SECONDS:
            return ()
        rows = await self._journal.read(chain_id, after, limit)
        if rows:
            self._empty.pop(chain_id, None)
        else:
            self._empty[chain_id] = (after, rings, now)
        return rows

    async def append(
        self, chain_id: str, write: Callable[[JournalRow | None], JournalRow]
    ) -> JournalRow:
        row = await self._journal.append(chain_id, write)
        await self._bell.ring(chain_id)
        return row
