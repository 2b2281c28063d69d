"""The worlds that API tests live in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from flamewire_ledger.chains.chain import IdentifiesBy
from flamewire_ledger.projector.catalog import Catalog, load_catalog
from flamewire_ledger.projector.connections import write_pool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.queries.database import read_pool
from flamewire_ledger.queries.read_models import ReadModels
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import EventStore
from flamewire_ledger.store.memory import MemoryEventStore
from flamewire_ledger.store.migrate import migrate
from tests.api.world import World, world
from tests.services.postgres import Databases, database_of


class Projected(ReadModels):
    """Read models that are brought up to the store whenever somebody waits for them.

    `is_asleep` keeps them where they are.
    """

    is_asleep = False
    caught_up_to = -1
    projector: Projector
    store: EventStore

    async def wait_for(
        self, partition: int, position: int, names: Collection[str], timeout_seconds: float
    ) -> bool:
        if self.is_asleep:
            return False
        head = await self.store.head(partition)
        if head > self.caught_up_to:
            await self.projector.catch_up()
            self.caught_up_to = head
        return await super().wait_for(partition, position, names, timeout_seconds)


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load_catalog(Codec().classes)


@pytest.fixture(scope="session")
def read_models_template(databases: Databases, catalog: Catalog) -> str:
    """A database with every read model, empty."""
    url = databases.create()

    async def build() -> None:
        await migrate(url)
        pool = write_pool(url)
        await pool.open()
        await Projector(pool, MemoryEventStore(lambda: datetime.now(UTC)), catalog).catch_up()
        await pool.close()

    asyncio.run(build())
    return database_of(url)


@pytest.fixture
def read_models_url(databases: Databases, read_models_template: str) -> Iterator[str]:
    url = databases.create(template=read_models_template)
    yield url
    databases.drop(url)


@pytest.fixture
async def ledger(read_models_url: str, catalog: Catalog) -> AsyncIterator[World]:
    """A ledger that can be read."""
    async with readable(read_models_url, catalog) as made:
        yield made


@asynccontextmanager
async def readable(
    read_models_url: str, catalog: Catalog, identifies_by: IdentifiesBy = "address"
) -> AsyncIterator[World]:
    """A ledger that can be read, over this database."""
    writing, reading = write_pool(read_models_url), read_pool(read_models_url, connections_max=3)
    await writing.open()
    await reading.open()
    reads = Projected(reading)

    def make(store: EventStore) -> ReadModels:
        reads.projector, reads.store = Projector(writing, store, catalog), store
        return reads

    async with world(make, identifies_by=identifies_by) as made:
        made.reads = reads
        yield made
    await reading.close()
    await writing.close()


@pytest.fixture
async def door() -> AsyncIterator[World]:
    """A ledger without read models: for commands, and for what is refused before they matter."""
    async with world() as made:
        yield made
