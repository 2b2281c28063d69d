"""Where a ledger lives: the data directory, and how every other command finds the database of the
one that runs.

The embedded server is in `<data directory>/postgres`. A command that needs it while no ledger is up
starts it for as long as the command takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flamewire_ledger.cli.embedded_postgres import EmbeddedPostgres
from flamewire_ledger.cli.faults import SERVICE_MISSING, CommandError
from flamewire_ledger.cli.postgres_status import running_url
from flamewire_ledger.settings import Settings


def postgres_directory(data_dir: Path) -> Path:
    return data_dir / "postgres"


@contextmanager
def database_of(settings: Settings) -> Iterator[str]:
    """The URL of this ledger's database: as set, as it runs, or started for the moment."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    directory = postgres_directory(settings.data_dir)
    if not directory.is_dir():
        raise CommandError(
            f"There is no ledger in {settings.data_dir}: start one with `flamewire up`, or set FLAMEWIRE_DATABASE_URL.",
            SERVICE_MISSING,
        )
    url = running_url(directory)
    if url is not None:
        yield url
        return
    with EmbeddedPostgres(directory) as server:
        yield server.url
