"""The store in Postgres keeps the contract."""

from collections.abc import AsyncIterator

import pytest

from flamewire_ledger.store.postgres import PostgresEventStore
from tests.store.contract import EventStoreContract


@pytest.fixture
async def store(ledger_url: str) -> AsyncIterator[PostgresEventStore]:
    async with PostgresEventStore(ledger_url) as opened:
        yield opened


class TestPostgresEventStore(EventStoreContract):
    pass
