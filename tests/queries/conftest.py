"""Read models of a random history, and the history itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from flamewire_ledger.projector.catalog import load_catalog
from flamewire_ledger.projector.connections import WritePool, write_pool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.queries.database import read_pool
from flamewire_ledger.queries.read_models import ReadModels
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.memory import MemoryEventStore
from tests.projector.stories import NOON, Stories, record


@dataclass
class World:
    stories: Stories
    store: MemoryEventStore
    projector: Projector
    models: ReadModels
    pool: WritePool

    async def tell(self, commands: int) -> None:
        await record(self.store, self.stories.tell(commands))
        await self.projector.catch_up()


@pytest.fixture
async def world(ledger_url: str) -> AsyncIterator[World]:
    stories = Stories(17)
    store = MemoryEventStore(lambda: NOON)
    async with write_pool(ledger_url) as writing, read_pool(ledger_url) as reading:
        projector = Projector(writing, store, load_catalog(Codec().classes))
        await record(store, stories.told)
        yield World(stories, store, projector, ReadModels(reading), writing)
