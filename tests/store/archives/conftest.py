"""A ledger of tiny segments, and archives of several frames each."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from flamewire_ledger.store import archive, segment_files
from flamewire_ledger.store.archiving import Archiver
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.migrate import migrate_blocking
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.services.postgres import Databases, database_of

SEGMENT_EVENTS = 8


@pytest.fixture(autouse=True)
def small_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a segment is several frames."""
    for module in (archive, segment_files):
        monkeypatch.setattr(module, "FRAME_EVENTS", 4)
    monkeypatch.setattr("flamewire_ledger.store.archives.FRAME_EVENTS", 4)
    monkeypatch.setattr(segment_files, "FRAME_STREAMS", 2)
    monkeypatch.setattr(segment_files, "_PAGE_ROWS", 3)


@pytest.fixture(scope="session")
def archived_template(databases: Databases) -> str:
    url = databases.create()
    migrate_blocking(url, partitions=2, segment_events=SEGMENT_EVENTS)
    return database_of(url)


@pytest.fixture
def url(databases: Databases, archived_template: str) -> Iterator[str]:
    made = databases.create(template=archived_template)
    yield made
    databases.drop(made)


@pytest.fixture
async def connections(url: str) -> AsyncIterator[Connections]:
    opened = Connections(url, size_max=4)
    yield opened
    await opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archives"


@pytest.fixture
async def store(url: str, folder: Path) -> AsyncIterator[PostgresEventStore]:
    async with PostgresEventStore(url, archive_directory=folder) as opened:
        yield opened


@pytest.fixture
def archiver(connections: Connections, folder: Path) -> Archiver:
    return Archiver(connections, folder)
