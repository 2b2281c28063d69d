"""Where the test servers live and who uses them: this file holds the folder, the locks, the lease.

Every server that is started for tests keeps its files in `.services/NAME` at the root of the
checkout. Test processes share it under a lease: the first user starts it, the last one out stops
it, unless a person started it with `scripts/services start`, which leaves the file `kept`. Locks
are the kernel's (flock), so a test run that was killed leaves none behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import random
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import psutil

ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".services"

_MEMORY = Path("/dev/shm")  # a file system in memory, where there is one
_MEMORY_BYTES_MIN = 4 * 2**30  # of it, for a folder of half as much

_LOCK_SECONDS_MAX = 300  # installing a package is the longest that anybody holds it
_ports = random.SystemRandom()


class ServiceMissing(Exception):
    """The server cannot be had on this machine; the message says why and what would help."""


class Server(Protocol):
    """A server that tests share."""

    name: str

    def elsewhere(self) -> str | None:
        """The URL of one that somebody else runs: by environment, or on the standard port."""

    def running(self, folder: Path) -> str | None:
        """The URL of the one that was started in `folder`, if it still runs."""

    def start(self, folder: Path) -> str:
        """Start it in `folder`, to outlive this process, or raise ServiceMissing."""

    def stop(self, folder: Path) -> None:
        """Stop the one that was started in `folder`."""


@dataclass(slots=True)
class Lease:
    """The right to use a server until `release`."""

    url: str
    _server: Server
    _users: IO[str] | None  # None: it is somebody else's, and none of ours to stop

    def release(self, wait_seconds_max: float = 0) -> None:
        """Give it back; the last user of a server that nobody asked to keep stops it.

        With `wait_seconds_max`, others that are just about to end are given the time to.
        """
        if self._users is None:
            return
        folder = PLACE / self._server.name
        with locked(folder / "mutex"):
            fcntl.flock(self._users, fcntl.LOCK_UN)
            deadline = time.monotonic() + wait_seconds_max
            while not (alone := _alone(self._users)) and time.monotonic() < deadline:
                time.sleep(0.1)
            if alone and not (folder / "kept").exists():
                self._server.stop(folder)
            self._users.close()
        self._users = None


def lease(server: Server) -> Lease:
    """Find the server, or start it; raises ServiceMissing."""
    url = server.elsewhere()
    if url is not None:
        return Lease(url, server, None)
    folder = PLACE / server.name
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "mutex"):
        url = server.running(folder) or server.start(folder)
        users = (folder / "users").open("a+", encoding="utf-8")
        fcntl.flock(users, fcntl.LOCK_SH)
    return Lease(url, server, users)


def stop_if_unused(server: Server) -> bool:
    """Stop a kept server that no test run uses just now; False if one does."""
    folder = PLACE / server.name
    if not folder.exists():
        return True
    with locked(folder / "mutex"):
        (folder / "kept").unlink(missing_ok=True)
        with (folder / "users").open("a+", encoding="utf-8") as users:
            if not _alone(users):
                return False
            server.stop(folder)
    return True


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone in here, among all processes of this machine; waits a bounded time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as lock:
        wait_until(lambda: _alone(lock), _LOCK_SECONDS_MAX, f"the lock {path}", poll_seconds=0.05)
        yield


def _alone(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_until(
    is_so: Callable[[], bool], seconds_max: float, what: str, poll_seconds: float = 0.01
) -> None:
    """Poll until it is so; TimeoutError names what was waited for."""
    deadline = time.monotonic() + seconds_max
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds_max:g} s for {what}")
        time.sleep(poll_seconds)


def free_port() -> int:
    """A port nobody listens on, below those the system gives to outgoing connections.

    A server that is killed and started again on it finds it still free.
    """
    for _ in range(100):
        port = _ports.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServiceMissing("no free port between 20000 and 32000 on 127.0.0.1")


def listens(port: int) -> bool:
    """Whether something accepts connections on that port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def is_alive(pid: int) -> bool:
    """Whether the process runs: one that has ended and was not waited for does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def end(pid: int, stop_signal: int, seconds_max: float = 20) -> None:
    """End a process that the harness started, politely first."""
    if not is_alive(pid):
        return
    os.kill(pid, stop_signal)
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not is_alive(pid), seconds_max, f"the end of process {pid}")
        return
    os.kill(pid, 9)
    wait_until(lambda: not is_alive(pid), 10, f"the end of process {pid}")


def read_pid(path: Path, program: str) -> int | None:
    """The pid in the file, if a process of that program has it: numbers are used again."""
    try:
        pid = int(path.read_text())
        if not is_alive(pid):
            return None
        return pid if any(program in word for word in psutil.Process(pid).cmdline()) else None
    except (FileNotFoundError, ValueError, psutil.Error):
        return None


def remove(folder: Path) -> None:
    """Delete a server's data, not its locks."""
    shutil.rmtree(folder, ignore_errors=True)


def in_memory(folder: Path) -> Path | None:
    """Where in memory the files of `folder` may be; None if there is little of it."""
    try:
        free = min(shutil.disk_usage(_MEMORY).free, psutil.virtual_memory().available)
    except OSError:
        return None
    name = hashlib.blake2b(str(folder).encode(), digest_size=6).hexdigest()
    return _MEMORY / f"flamewire-test-{name}" if free >= _MEMORY_BYTES_MIN else None
