"""What can go wrong with the embedded Postgres: this file holds the errors.

Each is a sentence that says what to do next, for the person who typed `flamewire up`.
"""

from __future__ import annotations

import errno
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
