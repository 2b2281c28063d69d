"""`flamewire up`: a whole ledger in one command, with a database in a folder and a sandbox to play
in.

The port is taken before anything is started, so that a second ledger on it fails at once and
touches nothing. This process looks after the others: Postgres, the API's processes and the one
backstage, each of which is started again when it dies. Ctrl-C stops the API first and the database
last.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
import uvloop

from flamewire_ledger.cli.embedded_postgres import EmbeddedPostgres
from flamewire_ledger.cli.forking import Forker, forker
from flamewire_ledger.cli.home import postgres_directory
from flamewire_ledger.cli.members import Kind, import_parts, members
from flamewire_ledger.cli.output import say
from flamewire_ledger.cli.postgres_errors import EmbeddedPostgresError
from flamewire_ledger.cli.standing import listener_url, listening_socket, stop_signal
from flamewire_ledger.cli.supervisor import Supervisor
from flamewire_ledger.settings import Settings, read_settings, unknown_settings
from flamewire_ledger.wiring import migrate_database, open_ledger
from flamewire_ledger.wiring.chains import check_networks
from flamewire_ledger.wiring.keys import first_key

_LOOK_AFTER_SECONDS = 0.5

_SHARED_BUFFERS_MB_MAX = 1024  # taken only as far as they fill


def _shared_buffers() -> str:
    """A quarter of the memory, within limits: the index of the command ids should fit."""
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return f"{max(128, min(memory_mb // 4, _SHARED_BUFFERS_MB_MAX))}MB"


# A ledger of its own machine: the write-ahead log is what it waits for, so it may be larger than usual.
# Command ids are random, so behind each checkpoint most appends write whole pages to it. They are not
# compressed: this build has only pglz, which took 100 us a page, five times what an append costs.
POSTGRES_SETTINGS = {
    "shared_buffers": _shared_buffers(),
    "wal_compression": "off",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
}
_CONNECTIONS = 75  # of the backstage, and of other commands
_CONNECTIONS_OF_A_WORKER = 25


def postgres_settings(workers: int) -> Mapping[str, str]:
    """What the embedded server is started with, for so many API processes."""
    connections = _CONNECTIONS + workers * _CONNECTIONS_OF_A_WORKER
    return {**POSTGRES_SETTINGS, "max_connections": str(connections)}


def up(
    data_dir: Annotated[Path | None, typer.Option(help="Where the ledger is kept.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="API processes that share the port.")
    ] = None,
) -> None:
    """Everything in one command: database, API, projectors, processes, sandbox chains and prices."""
    settings = read_settings(data_dir=data_dir, host=host, port=port, workers=workers)
    for name in unknown_settings():
        say(f"{name} is no setting of this version and is ignored.")
    check_networks(settings)  # a mistake in them is said before anything is started
    with (
        listening_socket(settings.host, settings.port) as listener,
        # Before the database: the forking process is one of this thread alone.
        forker(partial(import_parts, settings), members(settings, listener), listener) as forking,
        _database(settings) as database,
    ):
        migrate_database(settings, database.url)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, database, listener, forking))


class Database:
    """Where the ledger's database is, and the server to look after when it is ours."""

    def __init__(self, url: str, server: EmbeddedPostgres | None) -> None:
        self.url = url
        self._server = server

    async def look_after(self) -> None:
        """Start our server again whenever it died. Returns never; it has nothing to do for a server of others."""
        while True:
            await asyncio.sleep(_LOOK_AFTER_SECONDS)
            if self._server is None or self._server.is_running:
                continue
            say("Postgres ended unexpectedly; starting it again.")
            try:
                await asyncio.to_thread(self._server.start)
            except EmbeddedPostgresError as error:
                say(str(error))


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    if settings.database_url is not None:
        yield Database(settings.database_url.get_secret_value(), None)
        return
    directory = postgres_directory(settings.data_dir)
    # The port is chosen once: connections find the server again where it was.
    server = EmbeddedPostgres(directory, settings=postgres_settings(settings.workers))
    with server:
        yield Database(server.url, server)


async def _serve(
    settings: Settings, database: Database, listener: socket.socket, forking: Forker
) -> None:
    url = listener_url(settings.host, listener)
    kinds: list[Kind] = ["api"] * settings.workers
    supervisor = Supervisor(forking, database.url, [*kinds, "backstage"])
    key = asyncio.create_task(_first_key(settings, database.url))
    caretaker = asyncio.create_task(database.look_after())

    async def announce() -> None:
        _announce(settings, url, await key)

    try:
        await supervisor.run(stop_signal(), announce, listener)
    finally:
        caretaker.cancel()
        # The key is waited for, whatever came of it: its connections end before the database does.
        await asyncio.gather(key, caretaker, return_exceptions=True)
    say("Stopped.")


async def _first_key(settings: Settings, url: str) -> str | None:
    async with open_ledger(settings, url) as ledger:
        return await first_key(ledger)


def _announce(settings: Settings, url: str, key: str | None) -> None:
    sys.stdout.write(f"Ledger   {url}\n")
    if key is not None:
        sys.stdout.write(f"API key  {key}\n")
        say(
            "The key is for the sandbox and is shown this once; make others with `flamewire keys create`."
        )
    sys.stdout.flush()
    where = "Postgres in " + str(settings.data_dir)
    if settings.database_url is not None:
        parts = urlsplit(settings.database_url.get_secret_value())
        where = f"Postgres at {parts.hostname or 'localhost'}:{parts.port or 5432}"
    broker = "RabbitMQ" if settings.amqp_url else "no broker: projectors tail the store"
    shared = "Redis" if settings.redis_url else "no Redis: one process counts rate limits"
    say(f"{where}; {broker}; {shared}. Ctrl-C stops it.")
