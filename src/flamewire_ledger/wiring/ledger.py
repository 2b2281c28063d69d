"""A ledger, opened: everything that more than one role needs, connected to one database.

What only one role needs (the API, a chain's library, the broker) is made and imported by that role,
in roles.py: a process starts as fast as what it does allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from flamewire_ledger.chains.chain import Chain
from flamewire_ledger.chains.sandbox.chain import SandboxChain
from flamewire_ledger.chains.sandbox.networks import Kind
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.prices.board import PriceBoard
from flamewire_ledger.projector.catalog import Catalog, load_catalog
from flamewire_ledger.queries.database import ReadPool, read_pool
from flamewire_ledger.queries.read_models import ReadModels
from flamewire_ledger.settings import Settings
from flamewire_ledger.store.chain_records import PostgresSandboxJournal
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.migrate import migrate
from flamewire_ledger.store.operations import PostgresClockOffset, PostgresDepositIndexes
from flamewire_ledger.store.postgres import PostgresEventStore
from flamewire_ledger.store.sandbox_bell import SandboxBell
from flamewire_ledger.telemetry import Meters, configure_logging
from flamewire_ledger.wiring.cache import redis_cache
from flamewire_ledger.wiring.chains import real_chains
from flamewire_ledger.wiring.clocks import RealClock, SandboxClock
from flamewire_ledger.wiring.measuring import measure_writer
from flamewire_ledger.wiring.prices import real_board, sandbox_board
from flamewire_ledger.wiring.sandbox_journal import BelledJournal

SANDBOX_KINDS: tuple[Kind, ...] = ("bittensor", "ethereum", "sui")


@dataclass(frozen=True, slots=True)
class Ledger:
    """The parts. Whoever opened it closes it."""

    settings: Settings
    database_url: str
    store: PostgresEventStore
    codec: Codec
    reads: ReadModels
    read_pool: ReadPool
    connections: Connections
    catalog: Catalog
    clock: RealClock
    sandbox_clock: SandboxClock
    chains: Sequence[Chain]
    sandbox_chains: Sequence[SandboxChain]
    prices: PriceBoard
    sandbox_prices: PriceBoard
    deposit_indexes: PostgresDepositIndexes
    meters: Meters

    def clock_of(self, *, livemode: bool) -> RealClock | SandboxClock:
        """The time that merchants of this mode live by."""
        return self.clock if livemode else self.sandbox_clock

    def now_of(self, *, livemode: bool) -> Callable[[], datetime]:
        return self.clock_of(livemode=livemode).now

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writer]:
        """A writer that runs for as long as the block takes, and finishes what it was given."""
        writer = Writer(
            self.store,
            self.codec,
            batch_commands_max=self.settings.batch_commands_max,
            batch_wait_ms_max=self.settings.batch_wait_ms_max,
            queue_commands_max=self.settings.queue_commands_max,
        )
        running = asyncio.create_task(writer.run())
        measuring = asyncio.create_task(measure_writer(writer, self.meters))
        try:
            yield writer
        finally:
            measuring.cancel()
            writer.stop()
            await running


def migrate_database(settings: Settings, url: str) -> list[str]:
    """Bring the database to this version; the names of what ran now."""
    return asyncio.run(
        migrate(url, partitions=settings.partitions, segment_events=settings.segment_events)
    )


@asynccontextmanager
async def open_ledger(
    settings: Settings, url: str, meters: Meters | None = None
) -> AsyncIterator[Ledger]:
    """Connect the parts, and let go of them again. The database has to be migrated."""
    configure_logging(settings.log_level, settings.log_format)
    async with AsyncExitStack() as stack:
        connections = Connections(url, size_max=settings.database_connections_max)
        stack.push_async_callback(connections.close)
        bell = SandboxBell(connections)
        sandbox_clock = SandboxClock(PostgresClockOffset(connections), bell)
        # First of all: what is wrong in the networks file is said before anything is connected.
        configured = real_chains(
            settings, lambda livemode: RealClock().now if livemode else sandbox_clock.now
        )
        journal = BelledJournal(PostgresSandboxJournal(connections), bell)
        sandbox_chains = _sandbox_chains(settings, journal, sandbox_clock)
        for chain in (*sandbox_chains, *configured):
            stack.push_async_callback(chain.aclose)
        store = await stack.enter_async_context(
            PostgresEventStore(url, archive_directory=settings.archive_directory)
        )
        pool = read_pool(url, connections_max=settings.database_connections_max)
        # A pool that is cancelled while it connects says so, and does not end: it is waited for.
        stack.push_async_callback(pool.close)
        await pool.open(wait=True)
        await sandbox_clock.look()
        codec, meters = Codec(), meters or Meters()
        clock = RealClock()
        yield Ledger(
            settings=settings,
            database_url=url,
            store=store,
            codec=codec,
            reads=ReadModels(pool, redis_cache(settings, pool, stack)),
            read_pool=pool,
            connections=connections,
            catalog=load_catalog(codec.classes),
            clock=clock,
            sandbox_clock=sandbox_clock,
            chains=(*_not_replaced(sandbox_chains, configured), *configured),
            sandbox_chains=sandbox_chains,
            prices=real_board(settings, stack, meters),
            sandbox_prices=sandbox_board(settings, stack, sandbox_clock.now, meters),
            deposit_indexes=PostgresDepositIndexes(connections),
            meters=meters,
        )


def _sandbox_chains(
    settings: Settings, journal: BelledJournal, clock: SandboxClock
) -> tuple[SandboxChain, ...]:
    if not settings.sandbox:
        return ()
    return tuple(
        SandboxChain(
            kind,
            journal,
            clock.now,
            RealClock().now,
            block_seconds=settings.sandbox_block_seconds,
            identifies_by=settings.sandbox_identifies_by,
        )
        for kind in SANDBOX_KINDS
    )


def _not_replaced(sandbox: Sequence[SandboxChain], real: Sequence[Chain]) -> list[SandboxChain]:
    """A configured test network takes the place of the sandbox chain of its name."""
    names = {chain.network.name for chain in real if not chain.network.livemode}
    return [chain for chain in sandbox if chain.network.name not in names]
