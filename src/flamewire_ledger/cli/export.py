"""`flamewire export`: the books for another program, as a file or on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from flamewire_ledger.cli.faults import WRONG_USE, CommandError
from flamewire_ledger.cli.output import say
from flamewire_ledger.cli.session import visit
from flamewire_ledger.exports.format import FormatUnavailable
from flamewire_ledger.exports.formats import FORMATS
from flamewire_ledger.exports.writing import Window, written
from flamewire_ledger.wiring import Ledger
from flamewire_ledger.wiring.books import journal_of, moment_of

Name = StrEnum("Name", {name: name for name in FORMATS})  # type: ignore[misc]
Merchant = Annotated[str, typer.Option(help="Whose books, by name.")]
Live = Annotated[bool, typer.Option("--live", help="Of real money; the default is the sandbox.")]
Currency = Annotated[
    str | None, typer.Option(help="ISO 4217 code of the values; by default that of the ledger.")
]


def export(
    format_: Annotated[Name, typer.Argument(metavar="FORMAT", help=", ".join(FORMATS) + ".")],
    since: Annotated[
        str | None, typer.Option("--from", help="Only what happened from this RFC 3339 time on.")
    ] = None,
    before: Annotated[
        str | None, typer.Option("--to", help="Only what happened before this RFC 3339 time.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="The books at this position or RFC 3339 time; else now.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file; else stdout.")
    ] = None,
    merchant: Merchant = "sandbox",
    live: Live = False,
    currency: Currency = None,
    data_dir: Annotated[Path | None, typer.Option()] = None,
) -> None:
    """The books for another program. The same position gives the same bytes."""
    window = Window(_time("--from", since), _time("--to", before))
    moment_asked = position_or_time(as_of)
    try:
        target = FORMATS[format_.value]()
    except FormatUnavailable as error:
        raise CommandError(str(error), WRONG_USE) from None

    async def action(ledger: Ledger) -> int:
        moment = await moment_of(
            ledger, merchant=merchant, livemode=live, as_of=moment_asked, currency=currency
        )
        pieces = written(journal_of(ledger, moment), moment, target, window)
        with _open(output) as file:
            async for piece in pieces:
                file.write(piece)
            file.flush()
        return moment.position

    position = visit(action, data_dir=data_dir)
    say(f"The books at position {position}.")


def position_or_time(text: str | None) -> int | datetime | None:
    """What --as-of says."""
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    return _time("--as-of", text)


def _time(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            f"{option} takes a time such as 2026-11-22T10:00:00Z.", WRONG_USE
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@contextmanager
def _open(path: Path | None) -> Iterator[BinaryIO]:
    """The file, or stdout. A file has its name when it is whole: half an export looks like one."""
    if path is None:
        with open(sys.stdout.fileno(), "wb", closefd=False) as stdout:
            yield stdout
        return
    is_special = path.exists() and not path.is_file()
    part = path if is_special else path.with_name(f"{path.name}.part")
    try:
        file = part.open("wb")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.", WRONG_USE) from None
    with file:
        yield file
    if not is_special:
        part.replace(path)
