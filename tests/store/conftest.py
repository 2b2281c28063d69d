"""What the tests of the store share: a migrated database."""

from collections.abc import AsyncIterator, Iterator

import pytest
from psycopg.conninfo import conninfo_to_dict

from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.migrate import migrate_blocking
from tests.services.postgres import Databases, database_of


@pytest.fixture(scope="session")
def ledger_template(databases: Databases) -> str:
    """The name of a database that has an empty ledger of two partitions, to be copied."""
    url = databases.create()
    migrate_blocking(url, partitions=2)
    return database_of(url)


@pytest.fixture
def ledger_url(databases: Databases, ledger_template: str) -> Iterator[str]:
    """An empty ledger of two partitions."""
    url = databases.create(template=ledger_template)
    yield url
    databases.drop(url)


@pytest.fixture
async def connections(ledger_url: str) -> AsyncIterator[Connections]:
    opened = Connections(ledger_url, size_max=4)
    yield opened
    await opened.close()


@pytest.fixture
def library_settings(database_url: str) -> dict[str, str]:
    """An empty database as the library `eventsourcing` is told of it."""
    parts = conninfo_to_dict(database_url)
    return {
        "PERSISTENCE_MODULE": "flamewire_ledger.store.recorder",
        "POSTGRES_DBNAME": str(parts["dbname"]),
        "POSTGRES_HOST": str(parts["host"]),
        "POSTGRES_PORT": str(parts["port"]),
        "POSTGRES_USER": str(parts["user"]),
        "POSTGRES_PASSWORD": str(parts.get("password") or ""),
    }
