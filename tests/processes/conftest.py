"""A reactor on a store in memory, with a writer that runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest

from flamewire_ledger.commands import credit_account, payment
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.processes.assignment import Assignment
from flamewire_ledger.processes.checkpoint import MemoryCheckpoints, MemoryDeadLetters
from flamewire_ledger.processes.process import Process
from flamewire_ledger.processes.reaction import Reactions
from flamewire_ledger.processes.reactor import Reactor
from flamewire_ledger.processes.reversal import Reversal
from flamewire_ledger.processes.settlement import Settlement
from flamewire_ledger.store.memory import MemoryEventStore
from tests.processes.stories import CODEC, MERCHANT, NOON

ALL = (Settlement(), Reversal(), Assignment())


class Workshop:
    """The store, the writer, and reactors: each that is made begins at the checkpoints kept here."""

    def __init__(self, partitions: int = 1) -> None:
        self.store = MemoryEventStore(lambda: NOON, partitions)
        self.writer = Writer(self.store, CODEC)
        self.checkpoints = MemoryCheckpoints()
        self.dead_letters = MemoryDeadLetters()
        self._sent = 0

    def reactor(self, processes: Sequence[Process] = ALL, **changes: object) -> Reactor:
        given = {"sweep_seconds": 0.05, **changes}
        return Reactor(
            self.store,
            Reactions(self.store, CODEC, self.writer, wait_seconds_first=0.001),
            processes,
            self.checkpoints,
            self.dead_letters,
            **given,  # type: ignore[arg-type]
        )

    async def do(self, *commands: Any) -> None:
        """Send commands as the API and the watcher would; every one has to be recorded."""
        for command in commands:
            self._sent += 1
            origin = Origin(command_id("test", str(self._sent)), MERCHANT, "key:test")
            is_of_account = hasattr(command, "account_id")
            module = credit_account if is_of_account else payment
            assert isinstance(await self.writer.submit(module.envelope(origin, command)), Done)

    async def types(self, partition: int = 0) -> list[str]:
        return [event.type for event in await self.store.read(partition, 0, 10_000)]


@pytest.fixture
async def workshop_of() -> AsyncIterator[Callable[..., Workshop]]:
    running: list[asyncio.Task[None]] = []

    def make(partitions: int = 1) -> Workshop:
        workshop = Workshop(partitions)
        running.append(asyncio.create_task(workshop.writer.run()))
        return workshop

    yield make
    for task in running:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def workshop(workshop_of: Callable[..., Workshop]) -> Workshop:
    return workshop_of()
