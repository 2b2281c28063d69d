"""What a command says: data to stdout, words to stderr, tables and bars for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

words = Console(stderr=True, highlight=False, soft_wrap=True)
data = Console(highlight=False)
_WIDE = 100_000  # where nobody looks, a row stays one line: `grep` and `cut` read it


def say(text: str) -> None:
    """One line for people, on stderr."""
    words.print(text, markup=False)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, default=_plain, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on stdout; columns whose every value is a number are set to the right.

    A terminal folds long cells; a pipe gets one line a row, whole.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], int) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console = data if data.is_terminal else Console(highlight=False, width=_WIDE)
    console.print(table, markup=False)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return rfc3339(value)
        case list() | tuple():
            return " ".join(str(item) for item in value)
        case _:
            return str(value)


def rfc3339(moment: datetime) -> str:
    """The time as the API writes it: UTC, with a Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _plain(value: object) -> str:
    return rfc3339(value) if isinstance(value, datetime) else str(value)


def print_rows(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """The same rows for a program or for a person."""
    if as_json:
        print_json([{column: row[column] for column in columns} for row in rows])
    else:
        print_table(columns, [[row[column] for column in columns] for row in rows])


@contextmanager
def progress_bar(what: str) -> Iterator[Any]:
    """A function to call with (done, total). On a terminal it draws a bar; elsewhere it is silent."""
    if not words.is_terminal:
        yield lambda done, total: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=words, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
