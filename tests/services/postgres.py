"""Postgres for tests: the shared server, databases made in 30 ms, and servers to kill.

Order: FLAMEWIRE_TEST_POSTGRES_URL, then one on 5432 that lets `postgres` in, then the embedded
one. Tests never touch a database that this file did not create.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from flamewire_ledger.cli.embedded_postgres import EmbeddedPostgres
from flamewire_ledger.cli.postgres_errors import EmbeddedPostgresError
from flamewire_ledger.cli.postgres_status import read_status, running_url
from tests.services.place import ServiceMissing, end, free_port, is_alive, listens

# A crash of the server is tested, a crash of the machine cannot be: so no fsync.
_FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "autovacuum_naptime": "10min",
}
_STANDARD = "postgresql://postgres@127.0.0.1:5432/postgres"
_names = itertools.count(1)


class SharedPostgres:
    """The server all test processes share; each test has its own database in it."""

    name = "postgres"

    def elsewhere(self) -> str | None:
        url = os.environ.get("FLAMEWIRE_TEST_POSTGRES_URL")
        if url:
            return url
        if not listens(5432):
            return None
        try:
            psycopg.connect(_STANDARD, connect_timeout=2).close()
        except psycopg.Error:
            return None  # it wants a password we do not have: start our own
        return _STANDARD

    def running(self, folder: Path) -> str | None:
        return running_url(folder)

    def start(self, folder: Path) -> str:
        try:
            return EmbeddedPostgres(
                folder, port=free_port(), settings=_FAST, outlives_parent=True
            ).start()
        except EmbeddedPostgresError as error:
            raise ServiceMissing(str(error)) from error

    def stop(self, folder: Path) -> None:
        if running_url(folder) is not None:
            status = read_status(folder / "data")
            if status is not None:
                end(status.pid, signal.SIGINT)


class PrivatePostgres:
    """A server of one test, which may kill it: its URL stays the same over restarts."""

    def __init__(self, folder: Path) -> None:
        self._server = EmbeddedPostgres(folder, port=free_port(), settings=_FAST)

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def pid(self) -> int:
        return self._server.pid

    def start(self) -> str:
        """Start it, again after kill() or stop(); what was committed is there."""
        return self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def kill(self) -> None:
        """kill -9 of its first process; connections break within milliseconds."""
        end(self._server.pid, signal.SIGKILL)


class Databases:
    """Makes databases in a server and drops every one it made."""

    def __init__(self, server_url: str) -> None:
        self._url = server_url
        self._admin = psycopg.connect(server_url, autocommit=True)
        self._made: list[str] = []

    def create(self, template: str = "template0") -> str:
        """A new database, equal to `template`, and its URL. Nobody may be connected to that one."""
        name = f"flamewire_test_{os.getpid()}_{next(_names)}"
        self._admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        self._made.append(name)
        return with_database(self._url, name)

    def drop(self, url: str) -> None:
        """Drop a database that create() made, whoever is still connected to it."""
        name = database_of(url)
        self._made.remove(name)
        self._drop(name)

    def _drop(self, name: str) -> None:
        self._admin.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )

    def sweep(self) -> None:
        """Drop what runs that were killed left in a server of our own."""
        names = self._admin.execute("SELECT datname FROM pg_database").fetchall()
        for (name,) in names:
            made = re.fullmatch(r"flamewire_test_(\d+)_\d+", name)
            if made and not is_alive(int(made[1])):
                self._drop(name)

    def close(self) -> None:
        for name in list(self._made):
            self.drop(with_database(self._url, name))
        self._admin.close()


def with_database(url: str, name: str) -> str:
    """The same server, another database."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{name}"))


def database_of(url: str) -> str:
    """The name of the database in a URL."""
    return urlsplit(url).path.lstrip("/")
