"""Events to rows: this file holds how a batch becomes statements, in an order that every key can trust.

A statement takes a JSON array. Its text is put together from the bytes as they were recorded, never
decoded and encoded again. Where a projection takes runs, consecutive events of a key that the same
statements take form a run, and the n-th runs of all keys are applied together: each key sees its
events in order, and there are as many statements as the longest chain of runs, not as events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.adapt import Dumper
from psycopg.pq import Format

from flamewire_ledger.projector.catalog import ENVELOPE_KEYS, EVERYTHING, Projection
from flamewire_ledger.store.event_store import RecordedEvent

STATEMENT_BYTES_MAX: Final = 16 * 1024 * 1024
_ENVELOPE_BYTES: Final = 500  # about
_JSONB_OID: Final = 3802


class JsonText(bytes):
    """JSON as it is, to be sent as jsonb."""


class JsonTextDumper(Dumper):
    """Sends JsonText without looking at it."""

    format = Format.TEXT
    oid = _JSONB_OID

    def dump(self, obj: JsonText) -> bytes:
        return obj


class Item:
    """An event, and the text that statements see of it: made when the first one asks for it."""

    __slots__ = ("_envelope", "_whole", "event")

    def __init__(self, event: RecordedEvent) -> None:
        self.event = event
        self._envelope: bytes | None = None
        self._whole: bytes | None = None

    @property
    def envelope(self) -> bytes:
        """Everything but the data, as a JSON object."""
        if self._envelope is None:
            self._envelope = _envelope(self.event)
        return self._envelope

    @property
    def whole(self) -> bytes:
        """The envelope with the data in it."""
        if self._whole is None:
            self._whole = b"".join((self.envelope[:-1], b',"data":', self.event.data, b"}"))
        return self._whole


class _Head(msgspec.Struct):
    position: int
    stream_id: str
    version: int
    type: str
    merchant_id: str
    command_id: UUID
    recorded_at: datetime


_encode_head: Final = msgspec.json.Encoder().encode


def _envelope(event: RecordedEvent) -> bytes:
    """`metadata` (actor, causation_id, correlation_id) is laid beside the rest."""
    head = _encode_head(
        _Head(
            event.position,
            event.stream_id,
            event.version,
            event.type,
            event.merchant_id,
            event.command_id,
            event.recorded_at,
        )
    )
    metadata = event.metadata.strip()[1:-1].strip()
    return b"".join((b"{", metadata, b"," if metadata else b"", head[1:]))


def wanted(projection: Projection, items: Sequence[Item]) -> list[Item]:
    """Those of the types that it reads."""
    reads = projection.reads
    if EVERYTHING in reads:
        return list(items)
    return [item for item in items if item.event.type in reads]


async def apply(
    connection: AsyncConnection[Any], projection: Projection, items: Sequence[Item]
) -> None:
    """Apply events, oldest first, to the tables in the connection's search path.

    In the caller's transaction, which is lost when a statement fails.
    """
    for piece in _pieces(wanted(projection, items)):
        for sql, texts in steps(projection, piece):
            events = JsonText(b"[" + b",".join(texts) + b"]")
            await connection.execute(sql, {"events": events})


Step: TypeAlias = tuple[str, list[bytes]]


def steps(projection: Projection, items: Sequence[Item]) -> Iterator[Step]:
    """The statements to execute, in their order, each with the texts it takes."""
    if projection.takes == "batches":
        yield from _one_round(projection, items)
        return
    key_of = key_reader(projection)
    rounds: list[dict[tuple[int, ...], list[Item]]] = []
    last_run: dict[str, tuple[int, tuple[int, ...]]] = {}
    takers = _takers(projection)
    for item in items:
        kind = takers(item.event.type)
        key = key_of(item.event)
        number, last_kind = last_run.get(key, (-1, ()))
        if kind != last_kind:
            number += 1
            last_run[key] = (number, kind)
        if number == len(rounds):
            rounds.append({})
        rounds[number].setdefault(kind, []).append(item)
    for together in rounds:
        for kind in sorted(together):
            for index in kind:
                yield _step(projection, index, together[kind])


def _one_round(projection: Projection, items: Sequence[Item]) -> Iterator[Step]:
    for index in range(len(projection.rules)):
        step = _step(projection, index, items)
        if step[1]:
            yield step


def _step(projection: Projection, index: int, items: Sequence[Item]) -> Step:
    rule = projection.rules[index]
    if EVERYTHING not in rule.types:
        items = [item for item in items if item.event.type in rule.types]
    if rule.takes_data:
        return rule.sql, [item.whole for item in items]
    return rule.sql, [item.envelope for item in items]


def _takers(projection: Projection) -> Callable[[str], tuple[int, ...]]:
    """Which statements take an event type, by their numbers."""
    known: dict[str, tuple[int, ...]] = {}

    def takers(event_type: str) -> tuple[int, ...]:
        if event_type not in known:
            known[event_type] = tuple(
                index
                for index, rule in enumerate(projection.rules)
                if event_type in rule.types or EVERYTHING in rule.types
            )
        return known[event_type]

    return takers


def key_reader(projection: Projection) -> Callable[[RecordedEvent], str]:
    """What tells the keys of a projection apart: a name in the envelope, or a field of the data.

    An event whose data cannot be read has its stream for a key, so that it can be parked.
    """
    if projection.key in ENVELOPE_KEYS:
        name = projection.key
        return lambda event: str(getattr(event, name))
    shape = msgspec.defstruct("Keyed", [("key", str, msgspec.field(name=projection.key))])
    decode = msgspec.json.Decoder(shape).decode

    def key_of(event: RecordedEvent) -> str:
        try:
            return str(decode(event.data).key)  # type: ignore[attr-defined]
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return event.stream_id

    return key_of


def _pieces(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Stretches whose texts fit in one statement; all pieces in one transaction."""
    size = begin = 0
    for index, item in enumerate(items):
        bytes_more = len(item.event.data) + _ENVELOPE_BYTES
        size += bytes_more
        if size > STATEMENT_BYTES_MAX and index > begin:
            yield items[begin:index]
            begin, size = index, bytes_more
    if begin < len(items):
        yield items[begin:]
