"""`flamewire migrate`: bring the database to this version; safe to repeat, and safe to run twice at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flamewire_ledger.cli.home import database_of
from flamewire_ledger.cli.output import say
from flamewire_ledger.settings import read_settings
from flamewire_ledger.wiring import migrate_database


def migrate(data_dir: Annotated[Path | None, typer.Option()] = None) -> None:
    """Bring the database to this version; safe to repeat."""
    settings = read_settings(data_dir=data_dir)
    with database_of(settings) as url:
        applied = migrate_database(settings, url)
    for name in applied:
        say(f"applied {name}")
    say(
        "The database is at this version."
        if applied
        else "Nothing to do: the database is at this version."
    )
