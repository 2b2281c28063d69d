"""Who runs in a data directory: this file holds how to read Postgres' own note of it.

The note, `postmaster.pid`, outlives a server that was killed. It then names a process that is gone
or is somebody else by now: never believe it without looking at the process.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What `postmaster.pid` says; true only if the process it names is the server."""

    pid: int
    port: int | None
    is_ready: bool


def read_status(data: Path) -> ServerStatus | None:
    """The server's own note in its data directory: pid, port, readiness (lines 1, 4 and 8)."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        port = int(lines[3]) if len(lines) > 3 and lines[3] else None
        is_ready = len(lines) > 7 and lines[7].strip() == "ready"
        return ServerStatus(abs(int(lines[0])), port, is_ready)
    except (FileNotFoundError, IndexError, ValueError):
        return None  # no server, or one that is just now writing


def running_url(directory: Path) -> str | None:
    """The URL of the server that runs in `directory`, whoever started it; None if none does."""
    status = read_status(directory / "data")
    if status is None or not status.is_ready or not is_postgres_in(directory / "data", status.pid):
        return None
    password = (directory / "password").read_text().strip()
    return f"postgresql://postgres:{password}@127.0.0.1:{status.port}/postgres"


def is_postgres_in(data: Path, pid: int) -> bool:
    """Whether that process lives and is a Postgres of this very data directory."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it lives, under another account
    if not Path("/proc/self").exists():
        return _command_names(data, pid)
    process = Path("/proc") / str(pid)
    try:
        if "\nState:\tZ" in (process / "status").read_text():
            return False
        # A server's working directory is its data directory, for as long as it lives.
        return (process / "cwd").resolve(strict=True) == data.resolve(strict=True)
    except OSError:
        return False


def _command_names(data: Path, pid: int) -> bool:
    """Where there is no /proc: whether the command line of the process has the directory in it."""
    listed = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)],  # noqa: S607  (its place differs by system)
        capture_output=True,
        text=True,
        timeout=10,
    )
    return str(data) in listed.stdout
