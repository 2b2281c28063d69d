"""`flamewire report …`: reports from the books, for people and for programs."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from flamewire_ledger.billing.lots import Method, Scope
from flamewire_ledger.cli.export import Currency, Live, Merchant, position_or_time
from flamewire_ledger.cli.output import print_json, say
from flamewire_ledger.cli.session import visit
from flamewire_ledger.exports.tax_report import as_csv, tax_report
from flamewire_ledger.wiring import Ledger
from flamewire_ledger.wiring.books import journal_of, moment_of

app = typer.Typer(help="Reports: tax.", no_args_is_help=True, rich_markup_mode=None)
# Which lots were meant is said with a disposal, and not for a whole report.
MethodName = StrEnum("MethodName", {it: it for it in get_args(Method) if it != "specific"})  # type: ignore[misc]
ScopeName = StrEnum("ScopeName", {it: it for it in get_args(Scope)})  # type: ignore[misc]


class Format(StrEnum):
    json = "json"
    csv = "csv"


@app.command("tax")
def tax(
    year: Annotated[int, typer.Option(min=2009, max=2200, help="Of the disposals, in UTC.")],
    method: Annotated[MethodName, typer.Option(help="Which lots go first.")] = MethodName.fifo,
    scope: Annotated[ScopeName, typer.Option(help="Lots of each wallet, or of all of them.")] = (
        ScopeName.wallet
    ),
    format_: Annotated[Format, typer.Option("--format")] = Format.json,
    lots: Annotated[bool, typer.Option("--lots", help="Also which lots are left (JSON).")] = False,
    as_of: Annotated[
        str | None, typer.Option(help="The books at this position or RFC 3339 time; else now.")
    ] = None,
    merchant: Merchant = "sandbox",
    live: Live = False,
    currency: Currency = None,
    data_dir: Annotated[Path | None, typer.Option()] = None,
) -> None:
    """What was disposed of in a year, and from which lots. No tax advice."""
    moment_asked = position_or_time(as_of)

    async def action(ledger: Ledger) -> dict[str, Any]:
        moment = await moment_of(
            ledger, merchant=merchant, livemode=live, as_of=moment_asked, currency=currency
        )
        return await tax_report(
            journal_of(ledger, moment, with_credits=False),
            moment,
            year=year,
            method=method.value,
            scope=scope.value,
            with_lots=lots,
        )

    report = visit(action, data_dir=data_dir)
    if format_ is Format.json:
        print_json(report)
    else:
        sys.stdout.write(as_csv(report))
    say(report["notice"])
