"""`flamewire webhooks`: where merchants are told, what was sent there, and sending it again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flamewire_ledger.cli.output import print_rows, say
from flamewire_ledger.cli.session import visit
from flamewire_ledger.wiring import Ledger
from flamewire_ledger.wiring.webhook_operator import deliveries_of, list_endpoints, replay_to

app = typer.Typer(
    help="Webhooks: list, deliveries, replay.", no_args_is_help=True, rich_markup_mode=None
)
_DataDir = Annotated[Path | None, typer.Option()]
_Endpoint = Annotated[str, typer.Argument(help="The id of the endpoint, as `webhooks list` shows.")]
_ENDPOINTS = (
    "id", "merchant", "mode", "url", "event_types", "status", "failing_since", "waiting",
)  # fmt: skip
_DELIVERIES = (
    "id", "event_id", "type", "kind", "position", "status", "attempts", "status_code", "error",
    "tried_at", "duration_ms", "again_at",
)  # fmt: skip


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json")] = False, data_dir: _DataDir = None
) -> None:
    """All endpoints, how they do, and how much waits for each."""
    print_rows(_ENDPOINTS, visit(list_endpoints, data_dir=data_dir), as_json=as_json)


@app.command("deliveries")
def deliveries(
    endpoint: _Endpoint,
    status: Annotated[
        str | None, typer.Option(help="pending, delivered, failed or canceled.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    data_dir: _DataDir = None,
) -> None:
    """What was sent to an endpoint and is to be sent, newest first."""

    async def action(ledger: Ledger) -> list[dict[str, Any]]:
        return await deliveries_of(ledger, endpoint, status, limit)

    print_rows(_DELIVERIES, visit(action, data_dir=data_dir), as_json=as_json)


@app.command("replay")
def replay(
    endpoint: _Endpoint,
    first: Annotated[int, typer.Option("--from", min=1, help="The first position to send again.")],
    last: Annotated[
        int | None, typer.Option("--to", min=1, help="The last one; else the last there is.")
    ] = None,
    undelivered_only: Annotated[
        bool, typer.Option("--undelivered-only", help="Leave out what it has taken.")
    ] = False,
    data_dir: _DataDir = None,
) -> None:
    """Send again what was recorded, to the types the endpoint takes."""

    async def action(ledger: Ledger) -> tuple[str, int, int]:
        return await replay_to(ledger, endpoint, first, last, undelivered_only=undelivered_only)

    replay_id, after, until = visit(action, data_dir=data_dir)
    typer.echo(replay_id)
    say(f"Positions {after + 1} to {until} are sent again while the ledger is up.")
