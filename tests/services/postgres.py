"""Postgres for tests: the shared server, databases made in 30 ms, and servers to kill.

Order: FLAMEWIRE_TEST_POSTGRES_URL, then one on 5432 that lets `postgres` in, then the embedded
one. Tests never touch a database that this file did not create.
"""

from __future__ import annotations

import itertools
import os
import queue
import re
import signal
import threading
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from flamewire_ledger.cli.embedded_postgres import EmbeddedPostgres
from flamewire_ledger.cli.postgres_errors import EmbeddedPostgresError
from flamewire_ledger.cli.postgres_status import read_status, running_url
from tests.services.place import (
    ServiceMissing,
    end,
    free_port,
    in_memory,
    is_alive,
    listens,
    remove,
)

# A crash of the server is tested, a crash of the machine cannot be: so no fsync.
_FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "max_wal_size": "256MB",
    "shared_buffers": "128MB",
    "autovacuum_naptime": "10min",
}
_STANDARD = "postgresql://postgres@127.0.0.1:5432/postgres"
_DOOMED_MAX = 8  # databases of 10 MB each that wait to be dropped
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
        return running_url(_files(folder))

    def start(self, folder: Path) -> str:
        """In memory if it can be. A database is 300 files, and a run makes and drops hundreds: a file system
        that does not give out again what was deleted in the last minutes (ext4 without a journal) looks
        at all of that for each, and 20 ms become 500.
        """
        files = in_memory(folder)
        (folder / "where").unlink(missing_ok=True)
        if files is not None:
            (folder / "where").write_text(str(files))
        try:
            return EmbeddedPostgres(
                files or folder, port=free_port(), settings=_FAST, outlives_parent=True
            ).start()
        except EmbeddedPostgresError as error:
            raise ServiceMissing(str(error)) from error

    def stop(self, folder: Path) -> None:
        files = _files(folder)
        if running_url(files) is not None:
            status = read_status(files / "data")
            if status is not None:
                end(status.pid, signal.SIGINT)
        if files != folder:
            remove(files)


def _files(folder: Path) -> Path:
    """Where the server that was started in `folder` has its files."""
    try:
        return Path((folder / "where").read_text())
    except FileNotFoundError:
        return folder


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
    """Makes databases in a server and drops every one it made.

    A database is dropped when every connection of the server, in whatever database, has let go of its
    files. One that is just being made answers only when its client does, which for a client of a
    test's event loop may be after the test: so a thread of its own does the waiting.
    """

    def __init__(self, server_url: str) -> None:
        self._url = server_url
        self._admin = psycopg.connect(server_url, autocommit=True)
        self._made: list[str] = []
        self._doomed: queue.Queue[str | None] = queue.Queue(_DOOMED_MAX)
        self._faults: list[psycopg.Error] = []
        self._dropping = threading.Thread(target=self._drop_doomed, daemon=True)
        self._dropping.start()

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
        """Drop a database that create() made, soon, whoever is still connected to it."""
        name = database_of(url)
        self._made.remove(name)
        self._doomed.put(name)

    def wait_for_drops(self) -> None:
        """Until every database that was to be dropped is gone. Raises what went wrong with one."""
        self._doomed.join()
        if self._faults:
            raise self._faults.pop()

    def _drop_doomed(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while (name := self._doomed.get()) is not None:
                try:
                    _drop(connection, name)
                except psycopg.Error as error:
                    self._faults.append(error)
                finally:
                    self._doomed.task_done()
        self._doomed.task_done()

    def sweep(self) -> None:
        """Drop what runs that were killed left in a server of our own."""
        names = self._admin.execute("SELECT datname FROM pg_database").fetchall()
        for (name,) in names:
            made = re.fullmatch(r"flamewire_test_(\d+)_\d+", name)
            if made and not is_alive(int(made[1])):
                _drop(self._admin, name)

    def close(self) -> None:
        for name in list(self._made):
            self.drop(with_database(self._url, name))
        self._doomed.put(None)
        self.wait_for_drops()
        self._admin.close()


def _drop(connection: psycopg.Connection, name: str) -> None:
    connection.execute(
        sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    )


def with_database(url: str, name: str) -> str:
    """The same server, another database."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{name}"))


def database_of(url: str) -> str:
    """The name of the database in a URL."""
    return urlsplit(url).path.lstrip("/")
