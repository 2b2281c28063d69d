"""What an operator needs beyond a reader: connections that may write read models, and the reactor
for a second try.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from flamewire_ledger.projector.connections import write_pool
from flamewire_ledger.projector.dead_letters import DeadLetters
from flamewire_ledger.projector.read_side import ReadSide
from flamewire_ledger.store.archiving import Archiver
from flamewire_ledger.store.usage_items import PostgresUsageItems
from flamewire_ledger.wiring.ledger import Ledger
from flamewire_ledger.wiring.roles import make_reactor
from flamewire_ledger.wiring.usage import usage_recorder

_PROCESS: Final = "process:"
_USAGE: Final = "usage:"
_ACTOR: Final = "cli"


@dataclass(frozen=True, slots=True)
class ParkedEvents:
    """Dead letters of projections and of processes, and usage that was put aside, by their numbers."""

    ledger: Ledger
    letters: DeadLetters

    async def list(self) -> list[dict[str, Any]]:
        """Everything that is parked, oldest first."""
        return await self.letters.list()

    async def show(self, number: int) -> dict[str, Any] | None:
        letter = await self.letters.show(number)
        if letter is not None and letter["reader"].startswith(_USAGE):
            items = PostgresUsageItems(self.ledger.connections)
            batch_id = _batch_of(letter)
            letter["merchant_id"] = await items.merchant_of(batch_id)
            letter["credit_account_id"] = letter["key"]
        return letter

    async def retry(self, number: int) -> int:
        """Handle it and what waits behind it; how many are still parked for that key."""
        letter = await self.letters.show(number)
        reader = "" if letter is None else str(letter["reader"])
        if letter is not None and reader.startswith(_USAGE) and letter["discarded_at"] is None:
            return await self._retry_usage(number, _batch_of(letter))
        if letter is None or not reader.startswith(_PROCESS):
            return await self.letters.retry(number)
        async with self.ledger.writing() as writer:
            failure = await make_reactor(self.ledger, writer).retry(
                reader.removeprefix(_PROCESS), letter["partition"], letter["position"]
            )
        return 0 if failure is None else 1

    async def discard(self, number: int) -> None:
        letter = await self.letters.show(number)
        is_usage = letter is not None and letter["reader"].startswith(_USAGE)
        if letter is not None and is_usage and letter["discarded_at"] is None:
            async with self.ledger.writing() as writer:
                await usage_recorder(self.ledger, writer).give_up(_batch_of(letter), _ACTOR)
            return
        await self.letters.discard(number)

    async def _retry_usage(self, number: int, batch_id: UUID) -> int:
        async with self.ledger.writing() as writer:
            await usage_recorder(self.ledger, writer).finish([batch_id])
        return 0 if await self.letters.show(number) is None else 1


def _batch_of(letter: Mapping[str, Any]) -> UUID:
    """The batch of usage that a letter is about; it has no place in the log."""
    return UUID(letter["reader"].removeprefix(_USAGE))


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
