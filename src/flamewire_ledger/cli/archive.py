"""`flamewire archive`: old events into files, proved, and back. Every reader goes on reading them where they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from flamewire_ledger.cli.faults import NOT_SO, WRONG_USE, CommandError
from flamewire_ledger.cli.output import print_rows, progress_bar, say
from flamewire_ledger.cli.session import operation
from flamewire_ledger.store.archiving import ArchiveRow, Held
from flamewire_ledger.wiring.operator import Operator

app = typer.Typer(
    help="Archives of old events: create, list, verify, restore.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_DataDir = Annotated[Path | None, typer.Option()]
_Json = Annotated[bool, typer.Option("--json")]
_COLUMNS = ("partition", "first", "last", "bytes", "archived_at", "merkle_root", "manifest")


@app.command("create")
def create(
    before: Annotated[
        int | None, typer.Option(min=1, help="Only events before this position.")
    ] = None,
    keep_last: Annotated[
        int | None, typer.Option(min=0, help="All but so many of the newest events.")
    ] = None,
    dest: Annotated[
        Path | None,
        typer.Option(
            file_okay=False, resolve_path=True, help="Elsewhere than in FLAMEWIRE_ARCHIVE_DIR."
        ),
    ] = None,
    as_json: _Json = False,
    data_dir: _DataDir = None,
) -> None:
    """Full segments of the log, and which every reader has read, become archives and leave the database."""
    if before is not None and keep_last is not None:
        raise CommandError("Say --before or --keep-last, not both.", WRONG_USE)

    async def action(operator: Operator) -> tuple[Sequence[ArchiveRow], Sequence[Held]]:
        with progress_bar("archive") as progress:
            made = await operator.archiver.create(
                before=before, keep_last=keep_last, into=dest, on_progress=progress
            )
        return made.rows, made.held

    rows, held = operation(action, data_dir=data_dir)
    if rows or as_json:
        print_rows(_COLUMNS, [_row(row) for row in rows], as_json=as_json)
    for each in held:
        say(
            f"Partition {each.partition} was archived up to where its slowest reader is, at most: "
            f"{each.reader} is at {each.position}."
        )
    if not rows:
        say("Nothing was archived: no segment that may go is full.")


@app.command("list")
def list_(as_json: _Json = False, data_dir: _DataDir = None) -> None:
    """Every archive, the oldest first."""

    async def action(operator: Operator) -> Sequence[ArchiveRow]:
        return await operator.archiver.rows()

    rows = operation(action, data_dir=data_dir)
    print_rows(_COLUMNS, [_row(row) for row in rows], as_json=as_json)


@app.command("verify")
def verify(as_json: _Json = False, data_dir: _DataDir = None) -> int:
    """Read every archive back and prove it; exit code 1 when one is not as it was written."""

    async def action(operator: Operator) -> list[dict[str, object]]:
        with progress_bar("verify archives") as progress:
            found = await operator.archiver.verify(progress)
        return [
            {**_row(row), "ok": fault is None, "detail": "" if fault is None else str(fault)}
            for row, fault in found
        ]

    rows = operation(action, data_dir=data_dir)
    shown = rows if as_json else [{**row, "ok": "ok" if row["ok"] else "NOT SO"} for row in rows]
    columns = ("partition", "first", "last", "manifest", "ok", "detail")
    print_rows(columns, shown, as_json=as_json)
    if all(row["ok"] for row in rows):
        say(f"{len(rows)} archives are as they were written.")
        return 0
    say("Replace what is missing or altered by a copy; the ledger reads it again at once.")
    return NOT_SO


@app.command("restore")
def restore(
    after: Annotated[
        int | None, typer.Option(min=0, help="Every segment with events behind this position.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every segment.")] = False,
    as_json: _Json = False,
    data_dir: _DataDir = None,
) -> None:
    """Archived segments come back into the database; their files stay where they are."""
    if (after is None) is not everything:
        raise CommandError("Say --all, or --after with a position.", WRONG_USE)

    async def action(operator: Operator) -> Sequence[ArchiveRow]:
        with progress_bar("restore") as progress:
            return await operator.archiver.restore(after or 0, on_progress=progress)

    rows = operation(action, data_dir=data_dir)
    print_rows(_COLUMNS, [_row(row) for row in rows], as_json=as_json)


async def archives_check(operator: Operator) -> tuple[dict[str, object], bool]:
    """The check of `flamewire verify` that every archive is whole, and whether it is so."""
    with progress_bar("verify archives") as progress:
        found = await operator.archiver.verify(progress)
    faults = [str(fault) for _, fault in found if fault is not None]
    row = {"check": "archives are as written", "count": len(found), "ok": not faults}
    return {**row, "detail": "; ".join(faults[:5])}, not faults


def _row(row: ArchiveRow) -> dict[str, object]:
    return {
        "partition": row.partition,
        "first": row.first_position,
        "last": row.last_position,
        "bytes": row.bytes,
        "archived_at": row.archived_at,
        "merkle_root": row.merkle_root.hex(),
        "manifest": row.manifest if row.directory is None else f"{row.directory}/{row.manifest}",
    }
