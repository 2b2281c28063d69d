"""`flamewire projection`: what read models there are, how far behind they are, and making one again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flamewire_ledger.cli.faults import NOT_SO
from flamewire_ledger.cli.output import print_rows, progress_bar, say
from flamewire_ledger.cli.session import operation
from flamewire_ledger.wiring.operator import Operator

app = typer.Typer(
    help="Read models: list, status, rebuild, diff.", no_args_is_help=True, rich_markup_mode=None
)
_DataDir = Annotated[Path | None, typer.Option()]
_Json = Annotated[bool, typer.Option("--json")]
_Name = Annotated[str, typer.Argument(help="As `projection list` shows it.")]


@app.command("list")
def list_(as_json: _Json = False, data_dir: _DataDir = None) -> None:
    """Every projection, and the question it answers."""

    async def action(operator: Operator) -> list[dict[str, object]]:
        return operator.read_side.list()

    print_rows(
        ("name", "version", "key", "events", "answers"),
        operation(action, data_dir=data_dir),
        as_json=as_json,
    )


@app.command("status")
def status(as_json: _Json = False, data_dir: _DataDir = None) -> None:
    """How far each read model is, and how far behind."""

    async def action(operator: Operator) -> list[dict[str, object]]:
        return await operator.read_side.status()

    columns = ("name", "partition", "position", "head", "lag_events", "lag_seconds", "parked")
    print_rows(columns, operation(action, data_dir=data_dir), as_json=as_json)


@app.command("rebuild")
def rebuild(name: _Name, as_json: _Json = False, data_dir: _DataDir = None) -> None:
    """Build the next generation beside the live one, then switch."""

    async def action(operator: Operator) -> dict[str, object]:
        with progress_bar(f"rebuild {name}") as progress:
            return await operator.read_side.rebuild(name, progress)

    result = operation(action, data_dir=data_dir)
    print_rows(("name", "version", "events", "seconds"), [result], as_json=as_json)


@app.command("diff")
def diff(name: _Name, as_json: _Json = False, data_dir: _DataDir = None) -> int:
    """Compare the live read model with a fresh rebuild; exit code 1 when they differ."""

    async def action(operator: Operator) -> list[dict[str, object]]:
        with progress_bar(f"diff {name}") as progress:
            return await operator.read_side.diff(name, progress)

    rows = operation(action, data_dir=data_dir)
    if rows or as_json:
        print_rows(("table", "side", "row"), rows, as_json=as_json)
    if not rows:
        say(f"{name} equals its rebuild.")
        return 0
    return NOT_SO
