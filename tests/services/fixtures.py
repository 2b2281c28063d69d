"""The fixtures that hand servers to tests; tests/conftest.py passes them on to every test.

Shared, for the whole run: `postgres_url`, `amqp_url`, `redis_url`, `sui_signer`. A test's own: `database_url`,
`ledger_url`, `amqp_prefix`, `redis_prefix`, `anvil`, `substrate`. To see a failure: `postgres_server`,
`redis_server` and `rabbitmq_server` may be killed and started again, `amqp_link` and `link_to` cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from flamewire_ledger.store.migrate import migrate
from tests.services.anvil import Anvil
from tests.services.link import Link
from tests.services.place import Server, ServiceMissing, lease
from tests.services.postgres import Databases, PrivatePostgres, SharedPostgres, database_of
from tests.services.rabbitmq import Broker, SharedRabbitMQ
from tests.services.redis import PrivateRedis, SharedRedis
from tests.services.substrate import Substrate
from tests.services.sui.wallet import Signer

REQUIRE = "FLAMEWIRE_TEST_REQUIRE_SERVICES"


@contextlib.contextmanager
def or_skip(name: str) -> Iterator[None]:
    """Skip the test if a server is missing, or fail it where all have to be there."""
    try:
        yield
    except ServiceMissing as error:
        if os.environ.get(REQUIRE):
            pytest.fail(f"{name} is missing: {error}", pytrace=False)
        pytest.skip(f"{name}: {error}")


def _use(server: Server) -> Iterator[str]:
    with or_skip(server.name):
        leased = lease(server)
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
    if SharedPostgres().elsewhere() is None:
        made.sweep()
    yield made
    made.close()


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """An empty database of this test's own."""
    url = databases.create()
    yield url
    databases.drop(url)


@pytest.fixture(scope="session")
def ledger_template(databases: Databases) -> str:
    """The name of a database with this version's schema, to make others from."""
    url = databases.create()
    asyncio.run(migrate(url))
    return database_of(url)


@pytest.fixture
def ledger_url(databases: Databases, ledger_template: str) -> Iterator[str]:
    """A database of this test's own with this version's schema and one partition, empty."""
    url = databases.create(template=ledger_template)
    yield url
    databases.drop(url)


@pytest.fixture
def postgres_server(tmp_path: Path) -> Iterator[PrivatePostgres]:
    """A Postgres of this test's own, running: kill() it, start() it again, at the same url."""
    server = PrivatePostgres(tmp_path / "postgres")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def amqp_url() -> Iterator[str]:
    """A RabbitMQ broker. What you declare in it begins with amqp_prefix, and you delete it."""
    yield from _use(SharedRabbitMQ())


@pytest.fixture
def amqp_prefix() -> str:
    """For names of exchanges and queues of this test."""
    return f"test-{secrets.token_hex(6)}-"


@pytest.fixture
def amqp_link(amqp_url: str) -> Iterator[Link]:
    """A line to the shared broker, at .url, which this test may cut() and restore()."""
    link = Link(amqp_url)
    yield link
    link.close()


@pytest.fixture(scope="module")
def rabbitmq_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of this module's own, running, to kill() and start(): each start takes 5 to 20 s."""
    broker = Broker(tmp_path_factory.mktemp("rabbitmq"))
    with or_skip("rabbitmq"):
        broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def redis_url(worker_id: str) -> Iterator[str]:
    """A Redis; a server of our own gives each worker a database index of its own."""
    server = SharedRedis()
    is_ours = server.elsewhere() is None
    for url in _use(server):
        index = 1 + int(worker_id.removeprefix("gw")) % 15 if worker_id != "master" else 0
        yield urlunsplit(urlsplit(url)._replace(path=f"/{index}")) if is_ours else url


@pytest.fixture
def redis_prefix() -> str:
    """For keys of this test."""
    return f"test:{secrets.token_hex(6)}:"


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[PrivateRedis]:
    """A Redis of this test's own, running: kill() it, start() it again, at the same url."""
    server = PrivateRedis(tmp_path / "redis")
    with or_skip("redis"):
        server.start()
    yield server
    server.stop()


@pytest.fixture
def anvil(tmp_path: Path) -> Iterator[Anvil]:
    """An Ethereum node of this test's own, at block 0."""
    node = Anvil(tmp_path / "anvil")
    with or_skip("anvil"):
        node.start()
    yield node
    node.stop()


@pytest.fixture
def substrate(tmp_path: Path) -> Iterator[Substrate]:
    """A Substrate node of this test's own, at block 1, with Alice, Bob and Charlie endowed."""
    node = Substrate(tmp_path / "substrate")
    with or_skip("substrate"):
        node.start()
    yield node
    node.stop()


@pytest.fixture(scope="session")
def sui_signer() -> Iterator[Signer]:
    """What signs transactions of Sui, for every payer of the run."""
    with or_skip("sui"):
        signer = Signer()
    yield signer
    signer.close()


@pytest.fixture
def link_to() -> Iterator[Callable[[str], Link]]:
    """Call it with a server's URL: a line to that server which this test may cut and restore."""
    links: list[Link] = []

    def make(url: str) -> Link:
        links.append(Link(url))
        return links[-1]

    yield make
    for link in links:
        link.close()
