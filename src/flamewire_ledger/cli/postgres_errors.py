"""What can go wrong with the embedded Postgres: this file holds the errors.

Each is a sentence that says what to do next, for the person who typed `flamewire up`.
"""

from __future__ import annotations

import errno
import shutil
from pathlib import Path


class EmbeddedPostgresError(Exception):
    """The embedded Postgres cannot do what was asked. The message says what to do next.

    EmbeddedPostgresError
    ├── DataDirectoryInUse   another live process keeps it
    ├── DataDirectoryOfOtherVersion   made by another major version of Postgres
    ├── DataDirectoryUnreachable      the account Postgres runs under cannot get there
    ├── DiskFull
    ├── PortTaken
    └── PostgresDidNotStart           anything else, with the last line of its log
    """


class DataDirectoryInUse(EmbeddedPostgresError):
    """Another live process holds the lock on this data directory."""


class DataDirectoryOfOtherVersion(EmbeddedPostgresError):
    """The files were written by a major version of Postgres that these binaries cannot read."""


class DataDirectoryUnreachable(EmbeddedPostgresError):
    """Started by root, without namespaces, below a folder that only root may enter."""


class DiskFull(EmbeddedPostgresError):
    """No space left where the data directory is."""


class PortTaken(EmbeddedPostgresError):
    """Something else listens on the port that was asked for."""


class PostgresDidNotStart(EmbeddedPostgresError):
    """Postgres ended, or was not ready in time, for a reason that has no class of its own."""


class StillDying(Exception):
    """Processes of a server that was killed still hold its files; try again in a moment."""


def disk_full(directory: Path) -> DiskFull:
    """The error for a full disk, with what to do."""
    return DiskFull(
        f"no space left for the database in {directory}:"
        " free some, or choose a --data-dir on another disk."
    )


def explain_os_error(error: OSError, directory: Path) -> EmbeddedPostgresError:
    """What the system said about the data directory, as a sentence that says what to do."""
    if error.errno == errno.ENOSPC:
        return disk_full(directory)
    return EmbeddedPostgresError(
        f"{directory} cannot be used ({error.strerror}): choose another --data-dir."
    )


def explain_failure(output: str, directory: Path, port: int | None = None) -> Exception:
    """The error that belongs to what initdb or postgres said before it ended."""
    free = shutil.disk_usage(directory).free
    if "No space left on device" in output or (not output.strip() and free < 1_000_000):
        return disk_full(directory)
    if "Address already in use" in output:
        return PortTaken(f"port {port} is taken: stop what listens there, or choose another port.")
    if "pre-existing shared memory block" in output or "lock file" in output:
        return StillDying(output)
    telling = [line for line in output.splitlines() if "FATAL" in line or "error:" in line]
    last = (telling or output.splitlines() or ["it said nothing"])[-1].strip()
    return PostgresDidNotStart(f"Postgres did not start: {last} (see {directory}/server.log)")
