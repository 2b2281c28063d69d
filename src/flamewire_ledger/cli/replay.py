"""`flamewire replay`: the events, for audit; as they were recorded, to the byte."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flamewire_ledger.cli.faults import WRONG_USE, CommandError
from flamewire_ledger.cli.output import print_table, rfc3339
from flamewire_ledger.cli.session import visit
from flamewire_ledger.store.event_store import EventStore, RecordedEvent, is_of_type
from flamewire_ledger.wiring import Ledger

_PAGE_EVENTS = 2000
_TABLE_ROWS = 200  # a table is drawn in pieces, so that a long log starts to show at once
_TABLE_COLUMNS = ("position", "recorded at", "type", "stream", "version", "data")


class Format(StrEnum):
    table = "table"
    jsonl = "jsonl"


def replay(
    from_: Annotated[int, typer.Option("--from", min=1, help="First position.")] = 1,
    to: Annotated[int | None, typer.Option("--to", min=1, help="Last position.")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Nothing recorded after this RFC 3339 time.")
    ] = None,
    stream: Annotated[str | None, typer.Option(help="Only this stream, such as pi_….")] = None,
    type_: Annotated[
        str | None, typer.Option("--type", help="Only this type, such as payment.succeeded(.v1).")
    ] = None,
    format_: Annotated[Format, typer.Option("--format")] = Format.table,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format jsonl.")] = False,
    data_dir: Annotated[Path | None, typer.Option()] = None,
) -> None:
    """The events, for audit."""
    moment = None if as_of is None else as_time(as_of)

    async def action(ledger: Ledger) -> None:
        show = _show_lines if as_json or format_ is Format.jsonl else _show_table
        await show(_events(ledger.store, from_, to, moment, stream, type_))

    visit(action, data_dir=data_dir)


def as_time(text: str) -> datetime:
    """What --as-of says; a CommandError when it is no time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            "--as-of takes a time such as 2026-11-22T10:00:00Z.", WRONG_USE
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def _events(
    store: EventStore,
    first: int,
    last: int | None,
    as_of: datetime | None,
    stream: str | None,
    type_name: str | None,
) -> AsyncIterator[RecordedEvent]:
    for partition in range(store.partitions):
        until = await store.head(partition) if last is None else last
        if as_of is not None:
            until = min(until, await store.position_at(partition, as_of))
        position = first - 1
        while position < until:
            page = await store.read(partition, position, _PAGE_EVENTS, until=until)
            if not page:
                break
            for event in page:
                if stream in (None, event.stream_id) and is_of_type(event.type, type_name):
                    yield event
            position = page[-1].position


async def _show_lines(events: AsyncIterator[RecordedEvent]) -> None:
    async for event in events:
        sys.stdout.write(json.dumps(envelope(event), ensure_ascii=False) + "\n")
    sys.stdout.flush()


async def _show_table(events: AsyncIterator[RecordedEvent]) -> None:
    rows: list[tuple[object, ...]] = []
    async for event in events:
        cells = (rfc3339(event.recorded_at), event.type, event.stream_id, event.version)
        rows.append((event.position, *cells, _short(event.data)))
        if len(rows) == _TABLE_ROWS:
            print_table(_TABLE_COLUMNS, rows)
            rows = []
    if rows:
        print_table(_TABLE_COLUMNS, rows)


def _short(data: bytes, characters: int = 60) -> str:
    text = data.decode()
    return text if len(text) <= characters else text[: characters - 1] + "…"


def envelope(event: RecordedEvent) -> dict[str, object]:
    """The event as the outside sees it (docs/reference/events.md)."""
    identity = {"merchant_id": event.merchant_id, "command_id": str(event.command_id)}
    return {
        "position": event.position,
        "partition": event.partition,
        "stream_id": event.stream_id,
        "version": event.version,
        "type": event.type,
        "data": json.loads(event.data),
        "metadata": {
            **identity,
            **json.loads(event.metadata or b"{}"),
            "recorded_at": rfc3339(event.recorded_at),
        },
    }
