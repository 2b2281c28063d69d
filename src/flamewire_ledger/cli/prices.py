"""`flamewire prices`: what things cost, filled in for the time before the ledger looked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from flamewire_ledger.cli.faults import WRONG_USE, CommandError
from flamewire_ledger.cli.output import print_rows, progress_bar, say
from flamewire_ledger.cli.session import visit
from flamewire_ledger.wiring import Ledger
from flamewire_ledger.wiring.price_recording import backfill as fill_in

app = typer.Typer(help="Prices: backfill.", no_args_is_help=True, rich_markup_mode=None)
_PAIR = re.compile(r"[A-Z0-9]{1,16}-[A-Z0-9]{1,16}\Z")


@app.callback()
def _group() -> None:
    """Keeps the name of the one command there is."""


@app.command("backfill")
def backfill(
    pair: Annotated[
        str, typer.Argument(help="Such as TAO-USD or TAO-ETH: both sides are filled in.")
    ],
    days: Annotated[
        int,
        typer.Option(min=1, max=3650, help="Up to 1 by 5 minutes, to 90 by hours, more by days."),
    ] = 30,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    data_dir: Annotated[Path | None, typer.Option()] = None,
) -> None:
    """Fill in past prices as CoinGecko has them. Running it again adds only what is missing."""
    if _PAIR.match(pair.upper()) is None:
        raise CommandError("Say a pair such as TAO-USD.", WRONG_USE)
    base, _, quote = pair.upper().partition("-")
    symbols = [symbol for symbol in dict.fromkeys((base, quote)) if symbol != "USD"]

    async def action(ledger: Ledger) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        with progress_bar("backfill") as progress:
            for done, symbol in enumerate(symbols, 1):
                rows.append({"symbol": symbol, "added": await fill_in(ledger, symbol, days)})
                progress(done, len(symbols))
        return rows

    rows = visit(action, data_dir=data_dir)
    print_rows(("symbol", "added"), rows, as_json=as_json)
    if not any(row["added"] for row in rows):
        say("Nothing was missing.")
