"""`flamewire up`: a whole ledger in one command, with a database in a folder and a sandbox to play
in.

The port is taken before anything is started, so that a second ledger on it fails at once and
touches nothing. Postgres is a child of this process and is started again when it dies; Ctrl-C stops
the roles first and the database last.
"""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
import uvloop

from flamewire_ledger.chains.networks import read_networks
from flamewire_ledger.cli.embedded_postgres import EmbeddedPostgres
from flamewire_ledger.cli.faults import SERVICE_MISSING, CommandError
from flamewire_ledger.cli.home import postgres_directory
from flamewire_ledger.cli.output import say
from flamewire_ledger.cli.postgres_errors import EmbeddedPostgresError
from flamewire_ledger.settings import Settings, read_settings, unknown_settings
from flamewire_ledger.wiring import migrate_database, open_ledger
from flamewire_ledger.wiring.keys import first_key
from flamewire_ledger.wiring.roles import EVERY_ROLE, run_roles

_LOOK_AFTER_SECONDS = 0.5

# A ledger of its own machine: the write-ahead log is what it waits for, so it may be larger than usual.
POSTGRES_SETTINGS = {
    "shared_buffers": "256MB",
    "max_connections": "100",
    "wal_compression": "on",
    "max_wal_size": "2GB",
}


def up(
    data_dir: Annotated[Path | None, typer.Option(help="Where the ledger is kept.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.")] = None,
) -> None:
    """Everything in one command: database, API, projectors, processes, sandbox chains and prices."""
    settings = read_settings(data_dir=data_dir, host=host, port=port)
    for name in unknown_settings():
        say(f"{name} is no setting of this version and is ignored.")
    if settings.networks_file is not None:
        read_networks(settings.networks_file)  # a mistake in it is said before anything is started
    with listening_socket(settings) as listener, _database(settings) as database:
        migrate_database(settings, database.url)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, database, listener))


@contextmanager
def listening_socket(settings: Settings) -> Iterator[socket.socket]:
    """The API's socket, bound; a clear error when the address cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise CommandError(_cannot_listen(settings, error), SERVICE_MISSING) from None
    with listener:
        yield listener


def _cannot_listen(settings: Settings, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {settings.port} is taken: stop what listens there, or choose another with --port."
    return f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}): choose another --host or --port."


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
    server = EmbeddedPostgres(directory, settings=POSTGRES_SETTINGS)
    with server:
        yield Database(server.url, server)


async def _serve(settings: Settings, database: Database, listener: socket.socket) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with open_ledger(settings, database.url) as ledger:
        key = await first_key(ledger)
        caretaker = asyncio.create_task(database.look_after())

        def ready() -> None:
            _announce(settings, listener, key)

        try:
            await run_roles(ledger, EVERY_ROLE, listener=listener, stop=stop, on_ready=ready)
        finally:
            caretaker.cancel()
    say("Stopped.")


def _announce(settings: Settings, listener: socket.socket, key: str | None) -> None:
    port = listener.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    sys.stdout.write(f"Ledger   http://{host}:{port}\n")
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
