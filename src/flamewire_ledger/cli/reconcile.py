"""`flamewire reconcile`: chain, wallets and payments compared up to a final block; and what is decided
about what does not agree.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from flamewire_ledger.chains.chain import Chain
from flamewire_ledger.cli.faults import NOT_SO, WRONG_USE, CommandError
from flamewire_ledger.cli.output import print_table, progress_bar, say
from flamewire_ledger.cli.session import visit
from flamewire_ledger.wiring import Ledger
from flamewire_ledger.wiring.reconciliation import operators_scope, record_run, report_of_run
from flamewire_ledger.wiring.rescans import chain_called

_ASSETS: tuple[str, ...] = ("network", "asset", "on the chain", "in the books", "drift")
_EXCEPTIONS: tuple[str, ...] = ("kind", "subject", "expected", "found", "age", "what to do")


class Format(StrEnum):
    table = "table"
    json = "json"
    csv = "csv"
    pdf = "pdf"


def reconcile(
    networks: Annotated[
        list[str] | None, typer.Argument(help="Names or CAIP-2 ids; all of them without any.")
    ] = None,
    at: Annotated[
        int | None, typer.Option(min=0, help="The final block to judge it at; else the newest.")
    ] = None,
    first: Annotated[
        int | None,
        typer.Option("--from", min=0, help="The first block; else where the last run ended."),
    ] = None,
    format_: Annotated[Format, typer.Option("--format")] = Format.table,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A file instead of stdout.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option()] = None,
) -> int:
    """Compare the chain, the wallets and the payments; nothing is booked by it.

    Exit code 1 when something does not agree.
    """
    if (at is not None or first is not None or format_ is Format.pdf) and len(networks or ()) != 1:
        raise CommandError("--at, --from and --format pdf take one network.", WRONG_USE)
    if format_ is Format.pdf and output is None and sys.stdout.isatty():
        raise CommandError("A PDF goes to a file: say which with -o.", WRONG_USE)

    async def action(ledger: Ledger) -> list[dict[str, Any]]:
        chains = [chain_called(ledger, name) for name in networks or ()] or list(ledger.chains)
        return [await _run(ledger, chain, first, at) for chain in chains]

    reports = visit(action, data_dir=data_dir)
    _show(reports, format_, output)
    found = sum(report["found"] for report in reports)
    if found:
        say(f"{found} things do not agree: see what to do about each, then reconcile again.")
    return NOT_SO if found or any(report["has_drift"] for report in reports) else 0


async def _run(ledger: Ledger, chain: Chain, first: int | None, at: int | None) -> dict[str, Any]:
    scope = operators_scope(ledger, chain)
    with progress_bar(f"reconcile {chain.network.name}") as progress:
        async with ledger.writing() as writer:
            told = await record_run(
                ledger, writer, chain, scope, "cli", first, at, progress=progress
            )
    return report_of_run(ledger, chain, told)


def _show(reports: Sequence[Mapping[str, Any]], format_: Format, output: Path | None) -> None:
    match format_:
        case Format.table:
            if output is not None:
                raise CommandError("A table goes to stdout: say --format for a file.", WRONG_USE)
            _tables(reports)
        case Format.json:
            shown: Any = reports[0] if len(reports) == 1 else list(reports)
            _write(json.dumps(shown, ensure_ascii=False).encode() + b"\n", output)
        case Format.csv:
            from flamewire_ledger.api.reconciliation_report import csv_of

            parts = [csv_of(report) for report in reports]
            tails = [part.partition(b"\n")[2] for part in parts[1:]]
            _write(b"".join([*parts[:1], *tails]), output)
        case Format.pdf:
            from flamewire_ledger.api.reconciliation_pdf import pdf_of

            _write(pdf_of(reports[0]), output)


def _tables(reports: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        (
            report["network"],
            asset["asset"],
            asset["chain"]["closing"],
            asset["ledger"]["closing"],
            asset["drift"],
        )
        for report in reports
        for asset in report["assets"]
    ]
    print_table(_ASSETS, rows)
    exceptions = [
        (
            it["kind"].replace("_", " "),
            it["subject"],
            it["expected"],
            it["found"],
            f"{it['age_seconds'] // 3600} h",
            it["to_do"],
        )
        for report in reports
        for it in report["exceptions"]
    ]
    if exceptions:
        sys.stdout.write("\n")
        print_table(_EXCEPTIONS, exceptions)
    for report in reports:
        say(
            f"{report['network']}: blocks {report['first_block']} to {report['block']},"
            f" {report['matched']} transfers agree; {report['id']}"
        )


def _write(content: bytes, output: Path | None) -> None:
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror}.", WRONG_USE) from None
