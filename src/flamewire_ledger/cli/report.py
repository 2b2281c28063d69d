"""`flamewire report …`: reports from the books, for people and for programs."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from flamewire_ledger.billing.lots import Method, Scope
from flamewire_ledger.cli.export import Currency, Live, Merchant, position_or_time
from flamewire_ledger.cli.faults import WRONG_USE, CommandError
from flamewire_ledger.cli.output import print_json, say
from flamewire_ledger.cli.session import visit
from flamewire_ledger.exports.chart import Picture, drawn
from flamewire_ledger.exports.format import FormatUnavailable
from flamewire_ledger.exports.report import NAMES, SENTENCES, Name
from flamewire_ledger.exports.report import as_csv as report_as_csv
from flamewire_ledger.exports.tax_report import as_csv, tax_report
from flamewire_ledger.wiring import Ledger
from flamewire_ledger.wiring.books import journal_of, moment_of
from flamewire_ledger.wiring.reports import report_of

app = typer.Typer(
    help=f"Reports: tax, {', '.join(NAMES)}.", no_args_is_help=True, rich_markup_mode=None
)


class MethodName(StrEnum):
    """`specific`: the lots that a disposal named when it was recorded."""

    fifo = "fifo"
    lifo = "lifo"
    hifo = "hifo"
    average = "average"
    specific = "specific"


class ScopeName(StrEnum):
    wallet = "wallet"
    universal = "universal"


class Format(StrEnum):
    json = "json"
    csv = "csv"


_METHODS: dict[MethodName, Method] = {
    MethodName.fifo: "fifo",
    MethodName.lifo: "lifo",
    MethodName.hifo: "hifo",
    MethodName.average: "average",
    MethodName.specific: "specific",
}
_SCOPES: dict[ScopeName, Scope] = {ScopeName.wallet: "wallet", ScopeName.universal: "universal"}


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
            method=_METHODS[method],
            scope=_SCOPES[scope],
            with_lots=lots,
        )

    report = visit(action, data_dir=data_dir)
    if format_ is Format.json:
        print_json(report)
    else:
        sys.stdout.write(as_csv(report))
    say(report["notice"])


def _command(name: Name, sentence: str) -> None:
    """A command for one of the reports that are all asked for in the same way."""

    def command(
        format_: Annotated[Format, typer.Option("--format")] = Format.json,
        chart: Annotated[
            Path | None, typer.Option(help="Also draw it: a file that ends in .svg or .png.")
        ] = None,
        as_of: Annotated[
            str | None, typer.Option(help="As of this position or RFC 3339 time; else now.")
        ] = None,
        merchant: Merchant = "sandbox",
        live: Live = False,
        currency: Currency = None,
        data_dir: Annotated[Path | None, typer.Option()] = None,
    ) -> None:
        moment_asked = position_or_time(as_of)
        picture = _picture(chart)

        async def action(ledger: Ledger) -> dict[str, Any]:
            moment = await moment_of(
                ledger, merchant=merchant, livemode=live, as_of=moment_asked, currency=currency
            )
            return (await report_of(ledger, moment, name)).as_data()

        report = visit(action, data_dir=data_dir)
        if format_ is Format.json:
            print_json(report)
        else:
            sys.stdout.write(report_as_csv(report))
        if chart is not None and picture is not None:
            _draw(report, chart, picture)

    command.__doc__ = sentence
    app.command(name)(command)


def _picture(path: Path | None) -> Picture | None:
    if path is None:
        return None
    match path.suffix.lower():
        case ".svg":
            return "svg"
        case ".png":
            return "png"
        case _:
            raise CommandError("--chart takes a file that ends in .svg or .png.", WRONG_USE)


def _draw(report: dict[str, Any], path: Path, picture: Picture) -> None:
    try:
        path.write_bytes(drawn(report, picture))
    except FormatUnavailable as error:
        raise CommandError(str(error), WRONG_USE) from None
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.", WRONG_USE) from None


for _name, _sentence in SENTENCES.items():
    _command(_name, _sentence)
