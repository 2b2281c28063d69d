"""The batch: this file holds how events get into the database for statements to read.

They are copied into a temporary table of the connection, so that each is sent and parsed once for
all projections of a transaction, and only what one of them looks at. What a single statement reads,
`batch`, is cut out of it by type and position.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from psycopg import AsyncConnection

from flamewire_ledger.projector.catalog import EVERYTHING, Projection
from flamewire_ledger.queries.statements import by_name, parse_statements, text_beside
from flamewire_ledger.store.event_store import RecordedEvent

SQL: Final = by_name(parse_statements(text_beside(__file__, "batch.sql"), "batch.sql"))
_COPIED_EVENTS_MAX: Final = 500  # in one message
_NULL: Final = b"\\N"


class Item:
    """An event, and the columns that statements see of it: each made when the first one asks for it."""

    __slots__ = ("_data", "_head", "_metadata", "event")

    def __init__(self, event: RecordedEvent) -> None:
        self.event = event
        self._head: bytes | None = None
        self._metadata: bytes | None = None
        self._data: bytes | None = None

    def row(self, *, with_metadata: bool, with_data: bool) -> bytes:
        """A line of COPY's text format. The data are the bytes as recorded, never encoded again."""
        metadata = self._metadata_text() if with_metadata else _NULL
        data = self._data_text() if with_data else _NULL
        if self._head is None:
            self._head = _head(self.event)
        return b"%b\t%b\t%b\n" % (self._head, metadata, data)

    def _metadata_text(self) -> bytes:
        if self._metadata is None:
            self._metadata = _escaped(self.event.metadata or b"{}")
        return self._metadata

    def _data_text(self) -> bytes:
        if self._data is None:
            self._data = _escaped(self.event.data)
        return self._data


def _head(event: RecordedEvent) -> bytes:
    text = (
        f"{event.position}\t{_plain(event.stream_id)}\t{event.version}\t{_plain(event.type)}\t"
        f"{_plain(event.merchant_id)}\t{event.command_id}\t{event.recorded_at.isoformat()}"
    )
    return text.encode()


def _plain(text: str) -> str:
    """Most names are letters, digits, dots and underscores, and need nothing."""
    return text if text.isprintable() and "\\" not in text else _escaped(text.encode()).decode()


def _escaped(text: bytes) -> bytes:
    """What COPY would take for its own signs is escaped; a tab in a JSON text is rare, but allowed."""
    if b"\\" in text:
        text = text.replace(b"\\", b"\\\\")
    for sign, name in ((b"\n", b"\\n"), (b"\t", b"\\t"), (b"\r", b"\\r")):
        if sign in text:
            text = text.replace(sign, name)
    return text


async def make_room(connection: AsyncConnection[Any]) -> None:
    """Once for each connection: the table that `stage` fills. It is empty after each transaction."""
    for statement in ("make_room", "keep_as_it_is"):
        await connection.execute(SQL[statement].sql)


async def stage(
    connection: AsyncConnection[Any], projections: Sequence[Projection], items: Sequence[Item]
) -> None:
    """Make these events the batch, with what the projections look at, until the transaction ends."""
    await connection.execute(SQL["clear"].sql)
    rows = _rows(projections, items)
    if not rows:
        return
    async with connection.cursor().copy(SQL["copy"].sql) as copy:
        for begin in range(0, len(rows), _COPIED_EVENTS_MAX):
            await copy.write(b"".join(rows[begin : begin + _COPIED_EVENTS_MAX]))


def _rows(projections: Sequence[Projection], items: Sequence[Item]) -> list[bytes]:
    needs: dict[str, tuple[bool, bool] | None] = {}
    rows = []
    for item in items:
        event_type = item.event.type
        if event_type not in needs:
            needs[event_type] = _needs(projections, event_type)
        need = needs[event_type]
        if need is not None:
            rows.append(item.row(with_metadata=need[0], with_data=need[1]))
    return rows


def _needs(projections: Sequence[Projection], event_type: str) -> tuple[bool, bool] | None:
    """Whether the metadata and the data of a type are looked at; None when it is not read at all."""
    rules = [
        rule
        for projection in projections
        for rule in projection.rules
        if event_type in rule.types or EVERYTHING in rule.types
    ]
    if not rules:
        return None
    return any(rule.takes_metadata for rule in rules), any(rule.takes_data for rule in rules)


@cache
def reading_batch(sql: str) -> str:
    """A statement of a projection with what `batch` means in front: types, after, positions."""
    batch = f"WITH {SQL['batch'].sql}"
    if sql.startswith("WITH "):
        return f"{batch},\n{sql.removeprefix('WITH ')}"
    return f"{batch}\n{sql}"
