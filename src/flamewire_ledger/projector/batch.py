"""The batch: this file holds how events get in front of the statements that read them.

They are staged in a temporary table of the connection, so that each is parsed once for all
projections of a transaction, and only what one of them looks at. They are copied from here, or,
where the log is in the same database, taken from it without passing through Python (`log.py`). What
a single statement reads, `batch`, is cut out of it by type and position.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from struct import Struct
from typing import Any, Final

from psycopg import AsyncConnection, sql

from flamewire_ledger.projector.catalog import EVERYTHING, Projection
from flamewire_ledger.queries.statements import by_name, parse_statements, text_beside
from flamewire_ledger.store.event_store import RecordedEvent

SQL: Final = by_name(parse_statements(text_beside(__file__, "batch.sql"), "batch.sql"))
_COPIED_EVENTS_MAX: Final = 500  # in one message

# COPY's binary format: the number of columns, then each with its length in front. Numbers come first.
# https://www.postgresql.org/docs/15/sql-copy.html, "Binary Format"
_BEGIN: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END: Final = b"\xff\xff"
_COLUMNS: Final = 9
_NUMBERS: Final = Struct("!h iq iq i16s iq i").pack
_LENGTH: Final = Struct("!i").pack
_JSON: Final = Struct("!iB").pack
_JSONB_VERSION: Final = 1
_NULL: Final = _LENGTH(-1)
_POSTGRES_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Item:
    """An event, and the columns that statements see of it: each made when the first one asks for it."""

    __slots__ = ("_head", "event")

    def __init__(self, event: RecordedEvent) -> None:
        self.event = event
        self._head: bytes | None = None

    def row(self, *, with_metadata: bool, with_data: bool) -> bytes:
        """A row of COPY's binary format. The data are the bytes as recorded, never encoded again."""
        event = self.event
        if self._head is None:
            self._head = _head(event)
        metadata = _json(event.metadata or b"{}") if with_metadata else _NULL
        return b"".join((self._head, metadata, _json(event.data) if with_data else _NULL))


def _head(event: RecordedEvent) -> bytes:
    stream_id = event.stream_id.encode()
    numbers = _NUMBERS(
        _COLUMNS, 8, event.position, 8, event.version, 16, event.command_id.bytes,
        8, _microseconds(event.recorded_at), len(stream_id),
    )  # fmt: skip
    return b"".join((numbers, stream_id, _text(event.type), _text(event.merchant_id)))


@lru_cache(maxsize=4_096)
def _text(text: str) -> bytes:
    encoded = text.encode()
    return _LENGTH(len(encoded)) + encoded


@lru_cache(maxsize=4_096)  # the events of an append have one time
def _microseconds(at: datetime) -> int:
    return (at - _POSTGRES_EPOCH) // timedelta(microseconds=1)


def _json(text: bytes) -> bytes:
    return _JSON(len(text) + 1, _JSONB_VERSION) + text


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
        await copy.write(_BEGIN)
        for begin in range(0, len(rows), _COPIED_EVENTS_MAX):
            await copy.write(b"".join(rows[begin : begin + _COPIED_EVENTS_MAX]))
        await copy.write(_END)


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
def reading_batch(statement: str) -> str:
    """A statement of a projection with what `batch` means in front: types, after, positions."""
    batch = f"WITH {SQL['batch'].sql}"
    if statement.startswith("WITH "):
        return f"{batch},\n{statement.removeprefix('WITH ')}"
    return f"{batch}\n{statement}"


@cache
def reading_types(statement: str, types: frozenset[str]) -> str:
    """The same with the types written into it, which are always the same ones; only `after` is left."""
    named = sql.Literal(None if EVERYTHING in types else sorted(types)).as_string()
    text = reading_batch(statement)
    return text.replace("%(types)s", named).replace("%(positions)s", "NULL")
