"""A projector's surroundings: a store, a pool on a migrated database, and the shipped catalog."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from flamewire_ledger.projector.connections import WritePool, write_pool
from flamewire_ledger.store.memory import MemoryEventStore
from tests.projector.stories import NOON


@pytest.fixture
async def pool(ledger_url: str) -> AsyncIterator[WritePool]:
    async with write_pool(ledger_url) as opened:
        yield opened


@pytest.fixture
def store() -> MemoryEventStore:
    return MemoryEventStore(lambda: NOON)
