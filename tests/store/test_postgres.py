"""The store in Postgres keeps the contract."""

from collections.abc import AsyncIterator

import pytest

from flamewire_ledger.store.migrate import migrate
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.store.contract import EventStoreContract


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[PostgresEventStore]:
    await migrate(database_url, partitions=2)
    async with PostgresEventStore(database_url) as opened:
        yield opened


class TestPostgresEventStore(EventStoreContract):
    pass
