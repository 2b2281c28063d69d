"""`flamewire keys`: API keys of merchants. A key is shown once, alone on stdout, and kept as a hash."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flamewire_ledger.cli.output import print_rows, say
from flamewire_ledger.cli.session import visit
from flamewire_ledger.wiring import Ledger
from flamewire_ledger.wiring.keys import create_key, list_keys, revoke_key

app = typer.Typer(
    help="API keys: create, list, revoke.", no_args_is_help=True, rich_markup_mode=None
)
_DataDir = Annotated[Path | None, typer.Option()]
_COLUMNS = ("id", "merchant", "name", "mode", "scopes", "ends_in", "created_at", "revoked_at")


@app.command("create")
def create(
    name: Annotated[
        str, typer.Option(help="The merchant this key acts for; made if there is none.")
    ],
    scope: Annotated[
        list[str] | None, typer.Option(help="Such as payments:read; may be given again. Default *.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="For real money; the default is the sandbox.")
    ] = False,
    data_dir: _DataDir = None,
) -> None:
    """Make a key and print it, once."""

    async def action(ledger: Ledger) -> str:
        return await create_key(ledger, name=name, scopes=tuple(scope or ("*",)), livemode=live)

    typer.echo(visit(action, data_dir=data_dir))
    say("Keep it: it cannot be shown again.")


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json")] = False, data_dir: _DataDir = None
) -> None:
    """All keys, without their secrets."""

    async def action(ledger: Ledger) -> list[dict[str, object]]:
        return await list_keys(ledger)

    print_rows(_COLUMNS, visit(action, data_dir=data_dir), as_json=as_json)


@app.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(help="The id of the key, as `keys list` shows it.")],
    data_dir: _DataDir = None,
) -> None:
    """End a key, at once and for good."""

    async def action(ledger: Ledger) -> None:
        await revoke_key(ledger, key)

    visit(action, data_dir=data_dir)
    say(f"{key} is revoked.")
