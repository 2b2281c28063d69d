"""The fixtures that hand servers to tests; tests/conftest.py passes them on to every test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services.place import Server, ServiceMissing, lease
from tests.services.postgres import Databases, PrivatePostgres, SharedPostgres

REQUIRE = "FLAMEWIRE_TEST_REQUIRE_SERVICES"


def missing(reason: str) -> None:
    """Skip the test, or fail it where every server has to be there: under scripts/test."""
    if os.environ.get(REQUIRE):
        pytest.fail(f"a server is missing: {reason}", pytrace=False)
    pytest.skip(reason)


def _use(server: Server) -> Iterator[str]:
    try:
        leased = lease(server)
    except ServiceMissing as error:
        missing(f"{server.name}: {error}")
        raise
    try:
        yield leased.url
    finally:
        leased.release()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A Postgres server, as its administrator. Databases in it are not yours: ask database_url."""
    yield from _use(SharedPostgres())


@pytest.fixture(scope="session")
def databases(postgres_url: str) -> Iterator[Databases]:
    """Makes databases, from a template of your own too, and drops them at the end of the run."""
    made = Databases(postgres_url)
    yield made
    made.close()


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """An empty database of this test's own."""
    url = databases.create()
    yield url
    databases.drop(url)


@pytest.fixture
def postgres_server(tmp_path: Path) -> Iterator[PrivatePostgres]:
    """A Postgres of this test's own, running: kill() it, start() it again, at the same url."""
    server = PrivatePostgres(tmp_path / "postgres")
    server.start()
    yield server
    server.stop()
