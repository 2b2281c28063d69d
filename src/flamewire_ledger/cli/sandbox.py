"""`flamewire sandbox`: play a payer, and move the sandbox clock."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from flamewire_ledger.cli.faults import NOT_SO, WRONG_USE, CommandError
from flamewire_ledger.cli.output import print_json, rfc3339, say
from flamewire_ledger.cli.session import visit
from flamewire_ledger.wiring import Ledger
from flamewire_ledger.wiring.sandbox import Behaviour, Played, advance_clock, pay_and_wait

app = typer.Typer(help="Play a payer; move the clock.", no_args_is_help=True, rich_markup_mode=None)
_DataDir = Annotated[Path | None, typer.Option()]


@app.command("pay")
def pay(
    payment: Annotated[str, typer.Argument(help="The payment intent, pi_….")],
    network: Annotated[
        str | None, typer.Option(help="Which of its networks; the first by default.")
    ] = None,
    asset: Annotated[str | None, typer.Option(help="Which asset on it, such as USDC.")] = None,
    under: Annotated[str | None, typer.Option(help="Pay so much less, such as 10%.")] = None,
    over: Annotated[str | None, typer.Option(help="Pay so much more, such as 10%.")] = None,
    late: Annotated[
        bool, typer.Option("--late", help="Only after it expired (moves the clock).")
    ] = False,
    reorg: Annotated[bool, typer.Option("--reorg", help="The chain takes the block back.")] = False,
    wrong_asset: Annotated[
        bool, typer.Option("--wrong-asset", help="Send something else.")
    ] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Seen, but never in a block.")] = False,
    wait_seconds: Annotated[
        float, typer.Option(min=0, max=600, help="How long to wait for an outcome.")
    ] = 10,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    data_dir: _DataDir = None,
) -> int:
    """Pay an intent on its sandbox chain, well or badly."""
    given: dict[Behaviour, bool] = {
        "late": late,
        "reorg": reorg,
        "wrong_asset": wrong_asset,
        "drop": drop,
    }
    chosen: list[Behaviour] = [behaviour for behaviour, is_given in given.items() if is_given]
    if len(chosen) > 1:
        raise CommandError("Choose one of --late, --reorg, --wrong-asset, --drop.", WRONG_USE)
    factor = _factor(under, over)

    async def action(ledger: Ledger) -> Played:
        return await pay_and_wait(
            ledger,
            payment,
            network=network,
            asset=asset,
            factor=factor,
            behaviour=chosen[0] if chosen else "normal",
            wait_seconds=wait_seconds,
        )

    played = visit(action, data_dir=data_dir)
    if as_json:
        print_json(asdict(played))
    else:
        labels = ", ".join(played.labels) or "none"
        typer.echo(f"{payment} {played.status} (labels: {labels})")
        where = f"on {played.network}: {played.transaction_id}"
        say(f"sent {played.amount} {played.asset} {where}")
    return 0 if played.settled else NOT_SO


def _factor(under: str | None, over: str | None) -> Decimal:
    if under is not None and over is not None:
        raise CommandError("Choose --under or --over.", WRONG_USE)
    if under is not None:
        return 1 - _percent("--under", under)
    if over is not None:
        return 1 + _percent("--over", over)
    return Decimal(1)


def _percent(option: str, text: str) -> Decimal:
    try:
        percent = Decimal(text.removesuffix("%"))
    except InvalidOperation:
        percent = Decimal(-1)
    if not 0 < percent < (100 if option == "--under" else 10_000):
        raise CommandError(f"{option} takes a percentage such as 10%.", WRONG_USE)
    return percent / 100


@app.command("advance")
def advance(
    seconds: Annotated[int, typer.Argument(min=1, max=315_360_000)], data_dir: _DataDir = None
) -> None:
    """Move the sandbox clock on; it never goes back."""

    async def action(ledger: Ledger) -> str:
        return rfc3339(await advance_clock(ledger, seconds))

    typer.echo(visit(action, data_dir=data_dir))
