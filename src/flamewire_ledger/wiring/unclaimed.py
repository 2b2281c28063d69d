"""How many transfers wait for a person to say whose they are: a gauge, and a line of health.

The read model is asked from time to time, because they are held by one process and decided about
in another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import psycopg

from flamewire_ledger.queries.database import ReadModelNotBuilt
from flamewire_ledger.queries.read_models import ReadModels
from flamewire_ledger.queries.unclaimed_transfers import waiting
from flamewire_ledger.telemetry import Meters

_SECONDS: Final = 5.0


class UnclaimedCount:
    """By CAIP-2 chain id, as of the last look; a chain that had some stays in it with zero."""

    def __init__(self, reads: ReadModels, meters: Meters) -> None:
        self._reads = reads
        self._meters = meters
        self.by_chain: dict[str, int] = {}

    async def run(self, *, every_seconds: float = _SECONDS) -> None:
        """Until cancelled. A database that is away, or has no read models yet, is asked again."""
        while True:
            with suppress(ReadModelNotBuilt, psycopg.OperationalError):
                await self.look()
            await asyncio.sleep(every_seconds)

    async def look(self) -> Mapping[str, int]:
        found = await waiting(self._reads)
        self.by_chain = {**dict.fromkeys(self.by_chain, 0), **found}
        for chain_id, count in self.by_chain.items():
            self._meters.set("unclaimed_transfers", count, chain=chain_id)
        return self.by_chain
