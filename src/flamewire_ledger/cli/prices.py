"""`flamewire prices`: the past filled in, and a stand-in for the sources to try what happens when they fail."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Annotated

import typer

from flamewire_ledger.cli.faults import WRONG_USE, CommandError
from flamewire_ledger.cli.output import print_rows, progress_bar, say
from flamewire_ledger.cli.session import visit
from flamewire_ledger.prices.stand_in import StandIn, serving
from flamewire_ledger.wiring import Ledger
from flamewire_ledger.wiring.clocks import RealClock
from flamewire_ledger.wiring.price_recording import backfill as fill_in

app = typer.Typer(help="Prices: backfill, stand-in.", no_args_is_help=True, rich_markup_mode=None)
_PAIR = re.compile(r"[A-Z0-9]{1,16}-[A-Z0-9]{1,16}\Z")


@app.command("backfill")
def backfill(
    pair: Annotated[
        str, typer.Argument(help="Such as TAO-USD or TAO-ETH: both sides are filled in.")
    ],
    days: Annotated[
        int,
        typer.Option(min=1, max=3650, help="Up to 1 by 5 minutes, to 90 by hours, more by days."),
    ] = 30,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Of the sandbox, from the stand-in it has.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    data_dir: Annotated[Path | None, typer.Option()] = None,
) -> None:
    """Fill in past prices as CoinGecko has them. Running it again adds only what is missing."""
    if _PAIR.match(pair.upper()) is None:
        raise CommandError("Say a pair such as TAO-USD.", WRONG_USE)
    base, _, quote = pair.upper().partition("-")
    symbols = [symbol for symbol in dict.fromkeys((base, quote)) if symbol != "USD"]

    async def action(ledger: Ledger) -> list[dict[str, object]]:
        if sandbox and ledger.settings.sandbox_price_sources_url is None:
            raise CommandError(
                "The sandbox's prices never change: give it sources with"
                " FLAMEWIRE_SANDBOX_PRICE_SOURCES_URL.",
                WRONG_USE,
            )
        rows: list[dict[str, object]] = []
        with progress_bar("backfill") as progress:
            for done, symbol in enumerate(symbols, 1):
                added = await fill_in(ledger, symbol, days, livemode=not sandbox)
                rows.append({"symbol": symbol, "added": added})
                progress(done, len(symbols))
        return rows

    rows = visit(action, data_dir=data_dir)
    print_rows(("symbol", "added"), rows, as_json=as_json)
    if not any(row["added"] for row in rows):
        say("Nothing was missing.")


@app.command("stand-in")
def play(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="On loopback; 0 takes a free one.")
    ] = 0,
    fault: Annotated[
        list[str] | None, typer.Option(help="Such as kraken=down; may be given again.")
    ] = None,
) -> None:
    """Answer as the five price sources do, well or badly, until Ctrl-C.

    Give the address to FLAMEWIRE_SANDBOX_PRICE_SOURCES_URL. Faults may also come later:
    curl ADDRESS/faults/kraken/tenfold, and none to mend it.
    """
    market = StandIn(RealClock().now)
    for each in fault or ():
        name, _, wanted = each.partition("=")
        status, _, answer = market.told(name, wanted)
        if status != 200:
            raise CommandError(f"{each} is no fault: {answer.decode()}.", WRONG_USE)
    with serving(market, port) as url:
        typer.echo(url)
        say("Ctrl-C ends it.")
        threading.Event().wait()
