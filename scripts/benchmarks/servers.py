"""Servers of the benchmark's own: durable as in service, and gone afterwards."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flamewire_ledger.cli.embedded_postgres import EmbeddedPostgres
from flamewire_ledger.cli.up import POSTGRES_SETTINGS
from flamewire_ledger.store.migrate import migrate
from tests.services.rabbitmq import Broker


@contextmanager
def postgres_server(*, migrated: bool = True) -> Iterator[EmbeddedPostgres]:
    """A server with an empty ledger's database; with the settings that `flamewire up` uses."""
    with (
        tempfile.TemporaryDirectory(prefix="flamewire-bench-") as folder,
        EmbeddedPostgres(Path(folder), settings=POSTGRES_SETTINGS) as server,
    ):
        if migrated:
            asyncio.run(migrate(server.url))
        yield server


@contextmanager
def postgres(*, migrated: bool = True) -> Iterator[str]:
    """The URL of the database of such a server."""
    with postgres_server(migrated=migrated) as server:
        yield server.url


@contextmanager
def broker() -> Iterator[Broker]:
    """A RabbitMQ of its own; raises ServiceMissing where there is none to be had."""
    with tempfile.TemporaryDirectory(prefix="flamewire-bench-") as folder:
        server = Broker(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
