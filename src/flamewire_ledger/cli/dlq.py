"""`flamewire dlq`: events that a projection or a process could not handle, and what waits behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flamewire_ledger.cli.faults import NOT_SO, CommandError
from flamewire_ledger.cli.output import print_json, print_rows, say
from flamewire_ledger.cli.session import operation
from flamewire_ledger.wiring.operator import Operator

app = typer.Typer(
    help="What could not be handled: list, show, retry, discard.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_DataDir = Annotated[Path | None, typer.Option()]
_Json = Annotated[bool, typer.Option("--json")]
_Id = Annotated[int, typer.Argument(metavar="ID", help="The number `dlq list` shows.")]
_COLUMNS = ("id", "reader", "partition", "position", "type", "key", "attempts", "cause")


@app.command("list")
def list_(as_json: _Json = False, data_dir: _DataDir = None) -> None:
    """Everything that is parked, oldest first."""

    async def action(operator: Operator) -> list[dict[str, object]]:
        return await operator.dead_letters.list()

    rows = operation(action, data_dir=data_dir)
    if rows or as_json:
        print_rows(_COLUMNS, rows, as_json=as_json)
    else:
        say("Nothing is parked.")


@app.command("show")
def show(id_: _Id, data_dir: _DataDir = None) -> None:
    """One parked event, with its cause."""

    async def action(operator: Operator) -> dict[str, object] | None:
        return await operator.dead_letters.show(id_)

    letter = operation(action, data_dir=data_dir)
    if letter is None:
        raise CommandError(f"There is no {id_}: see `flamewire dlq list`.", NOT_SO)
    print_json(letter)


@app.command("retry")
def retry(id_: _Id, data_dir: _DataDir = None) -> int:
    """Apply it again, and what waits behind it for the same key."""

    async def action(operator: Operator) -> int:
        return await operator.dead_letters.retry(id_)

    left = operation(action, data_dir=data_dir)
    say("Done: nothing is left for that key." if left == 0 else f"{left} still cannot be applied.")
    return 0 if left == 0 else NOT_SO


@app.command("discard")
def discard(id_: _Id, data_dir: _DataDir = None) -> None:
    """Give this one up; what waits behind it for the same key goes on."""

    async def action(operator: Operator) -> None:
        await operator.dead_letters.discard(id_)

    operation(action, data_dir=data_dir)
    say(f"{id_} is discarded.")
