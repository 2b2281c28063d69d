"""The sandbox bell: what one process does, the others notice at once; and whoever hears nothing looks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from flamewire_ledger.chains.sandbox.journal import MemorySandboxJournal
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.migrate import migrate
from flamewire_ledger.store.operations import PostgresClockOffset
from flamewire_ledger.store.sandbox_bell import Rings, SandboxBell
from flamewire_ledger.wiring.clocks import SandboxClock
from flamewire_ledger.wiring.sandbox_journal import BelledJournal

CHAIN = "sandbox:ethereum"


@pytest.fixture
async def connections(database_url: str) -> AsyncIterator[Connections]:
    await migrate(database_url, partitions=1)
    made = Connections(database_url, size_max=4)
    yield made
    await made.close()


@asynccontextmanager
async def listening(bell: SandboxBell) -> AsyncIterator[None]:
    task = asyncio.create_task(bell.run())
    async with asyncio.timeout(10):
        while bell.rings(CHAIN) is None:
            await asyncio.sleep(0.005)
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_ring_is_heard_in_every_process_by_its_name(connections: Connections):
    here, there = SandboxBell(connections), SandboxBell(connections)
    async with listening(there):
        before, other = there.rings(CHAIN), there.rings("another chain")
        rang = there.next_ring(CHAIN)
        await here.ring(CHAIN)
        async with asyncio.timeout(10):
            await rang.wait()

        assert there.rings(CHAIN) != before
        assert there.rings("another chain") == other
    assert here.rings(CHAIN) is None, "nobody listens there"


async def test_after_the_connection_was_lost_everything_may_have_rung(connections: Connections):
    bell = SandboxBell(connections)
    async with listening(bell):
        before = bell.rings(CHAIN)
    async with listening(bell):
        assert bell.rings(CHAIN) != before


async def test_the_clock_that_one_process_moves_is_moved_in_the_others(connections: Connections):
    bell = SandboxBell(connections)
    here = SandboxClock(PostgresClockOffset(connections), SandboxBell(connections))
    there = SandboxClock(PostgresClockOffset(connections), bell, look_seconds=600)
    task = asyncio.create_task(there.run())
    async with asyncio.timeout(10):
        while bell.rings(CHAIN) is None:  # it does not listen yet
            await asyncio.sleep(0.005)
    moved = await here.advance(3_600)
    async with asyncio.timeout(10):
        while there.now() < moved:
            await asyncio.sleep(0.005)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


class Bell:
    """A bell that the test rings."""

    def __init__(self) -> None:
        self.told: Rings | None = (1, 0)

    def rings(self, name: str) -> Rings | None:
        return self.told

    async def ring(self, name: str) -> None:
        if self.told is not None:
            self.told = (self.told[0], self.told[1] + 1)


class Counting(MemorySandboxJournal):
    """A journal that counts who looks."""

    reads = 0

    async def read(self, chain_id, after, limit):  # type: ignore[no-untyped-def]
        self.reads += 1
        return await super().read(chain_id, after, limit)


@pytest.fixture
def seconds() -> list[float]:
    return [0.0]


@pytest.fixture
def journal(seconds: list[float]) -> tuple[BelledJournal, Counting, Bell]:
    inner, bell = Counting(), Bell()
    return BelledJournal(inner, bell, lambda: seconds[0]), inner, bell  # type: ignore[arg-type]


async def test_a_journal_is_not_asked_again_until_it_rings(
    journal: tuple[BelledJournal, Counting, Bell], seconds: list[float]
):
    belled, inner, bell = journal
    for _ in range(10):
        assert not await belled.read(CHAIN, 0, 100)
        seconds[0] += 0.05
    assert inner.reads == 1

    await bell.ring(CHAIN)
    await belled.read(CHAIN, 0, 100)
    assert inner.reads == 2
    await belled.read(CHAIN, 7, 100)  # from somewhere else: not what was found empty
    assert inner.reads == 3


async def test_a_journal_is_looked_into_now_and_then_although_nothing_rang(
    journal: tuple[BelledJournal, Counting, Bell], seconds: list[float]
):
    belled, inner, _ = journal
    for _ in range(30):
        await belled.read(CHAIN, 0, 100)
        seconds[0] += 0.1
    assert 2 <= inner.reads <= 4


async def test_while_nobody_listens_a_journal_is_always_asked(
    journal: tuple[BelledJournal, Counting, Bell],
):
    belled, inner, bell = journal
    bell.told = None
    for _ in range(5):
        await belled.read(CHAIN, 0, 100)
    assert inner.reads == 5
