"""What an operator needs beyond a reader: connections that may write read models, and the reactor
for a second try.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from flamewire_ledger.projector.connections import write_pool
from flamewire_ledger.projector.dead_letters import DeadLetters
from flamewire_ledger.projector.read_side import ReadSide
from flamewire_ledger.store.archiving import Archiver
from flamewire_ledger.wiring.ledger import Ledger
from flamewire_ledger.wiring.roles import make_reactor

_PROCESS = "process:"


@dataclass(frozen=True, slots=True)
class ParkedEvents:
    """Dead letters of projections and of processes, by their numbers."""

    ledger: Ledger
    letters: DeadLetters

    async def list(self) -> list[dict[str, Any]]:
        """Everything that is parked, oldest first."""
        return await self.letters.list()

    async def show(self, number: int) -> dict[str, Any] | None:
        return await self.letters.show(number)

    async def retry(self, number: int) -> int:
        """Handle it and what waits behind it; how many are still parked for that key."""
        letter = await self.letters.show(number)
        reader = "" if letter is None else str(letter["reader"])
        if letter is None or not reader.startswith(_PROCESS):
            return await self.letters.retry(number)
        async with self.ledger.writing() as writer:
            failure = await make_reactor(self.ledger, writer).retry(
                reader.removeprefix(_PROCESS), letter["partition"], letter["position"]
            )
        return 0 if failure is None else 1

    async def discard(self, number: int) -> None:
        await self.letters.discard(number)


@dataclass(frozen=True, slots=True)
class Operator:
    read_side: ReadSide
    dead_letters: ParkedEvents
    archiver: Archiver


@asynccontextmanager
async def operate(ledger: Ledger) -> AsyncIterator[Operator]:
    """The operator's tools, for as long as the block takes."""
    pool = write_pool(ledger.database_url)
    await pool.open()
    try:
        yield Operator(
            ReadSide(pool, ledger.store, ledger.catalog, ledger.clock.now),
            ParkedEvents(ledger, DeadLetters(pool, ledger.store, ledger.catalog)),
            Archiver(ledger.connections, ledger.settings.archive_directory),
        )
    finally:
        await pool.close()
