"""What the tests of the store share: a migrated database."""

from collections.abc import AsyncIterator

import pytest

from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.migrate import migrate


@pytest.fixture
async def ledger_url(database_url: str) -> str:
    """An empty ledger of two partitions."""
    await migrate(database_url, partitions=2)
    return database_url


@pytest.fixture
async def connections(ledger_url: str) -> AsyncIterator[Connections]:
    opened = Connections(ledger_url, size_max=4)
    yield opened
    await opened.close()
