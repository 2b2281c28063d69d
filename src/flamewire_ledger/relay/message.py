"""One message: a stretch of one partition's events as JSON lines. This file holds both directions.

A message is a bell with the news inside. What cannot be carried (an event too big, data that is no
JSON) is left out, and the headers alone say that there is something: whoever reads it looks in the
store, which is the truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from flamewire_ledger.store.event_store import RecordedEvent

BODY_BYTES_MAX: Final = 1024 * 1024  # the broker takes 16 MiB, and is quick with 1
EVENTS_MAX: Final = 10_000  # in one message, as a reader's bound
CONTENT_TYPE: Final = "application/x-ndjson"


class MalformedMessage(Exception):
    """Not one of ours, or damaged. Nothing in it is used; the store has what it should have
    said.
    """


@dataclass(frozen=True, slots=True)
class Message:
    """The events first…last of a partition. `events` has all of them, or none: then the body
    carries nothing.
    """

    partition: int
    first: int
    last: int
    body: bytes

    @property
    def headers(self) -> dict[str, int]:
        return {"partition": self.partition, "first": self.first, "last": self.last}


class _Line(msgspec.Struct):
    position: int
    partition: int
    stream_id: str
    version: int
    type: str
    data: msgspec.Raw
    metadata: msgspec.Raw


class _Columns(msgspec.Struct):
    """What lives in columns of the store, and in `metadata` outside of it."""

    merchant_id: str
    command_id: UUID
    recorded_at: datetime


_ENCODE = msgspec.json.Encoder()
_LINES = msgspec.json.Decoder(_Line)
_COLUMNS = msgspec.json.Decoder(_Columns)
_METADATA = msgspec.json.Decoder(dict[str, msgspec.Raw])


def pack(
    events: Sequence[RecordedEvent], body_bytes_max: int = BODY_BYTES_MAX
) -> Iterable[Message]:
    """Split contiguous events of one partition into messages of at most so many bytes each, in
    order.
    """
    lines: list[bytes] = []
    size = first = 0
    for event in events:
        line = _line(event)
        fits = line is not None and len(line) < body_bytes_max
        if lines and (not fits or line is None or size + len(line) + 1 > body_bytes_max):
            yield Message(event.partition, first, event.position - 1, b"\n".join(lines))
            lines, size = [], 0
        if line is None or not fits:
            yield Message(event.partition, event.position, event.position, b"")
            continue
        first = first if lines else event.position
        lines.append(line)
        size += len(line) + 1
    if lines:
        yield Message(events[-1].partition, first, events[-1].position, b"\n".join(lines))


def announced(body: bytes, headers: Mapping[str, Any]) -> Message:
    """What a message claims to be, by its headers alone. Raises MalformedMessage."""
    partition, first, last = (_whole(headers, name) for name in ("partition", "first", "last"))
    if first < 1 or not 1 <= last - first + 1 <= EVENTS_MAX:
        raise MalformedMessage(f"it claims the events {first} to {last}")
    return Message(partition, first, last, body)


def unpack(body: bytes, headers: Mapping[str, Any]) -> tuple[Message, Sequence[RecordedEvent]]:
    """What a message says; raises MalformedMessage unless it is exactly the stretch its headers
    claim.
    """
    message = announced(body, headers)
    if not body:
        return message, ()
    try:
        events = [_event(line) for line in _LINES.decode_lines(body)]
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise MalformedMessage(f"its body is not events as JSON lines: {error}") from error
    if [event.position for event in events] != list(range(message.first, message.last + 1)):
        raise MalformedMessage("its events are not the stretch that its headers claim")
    if any(event.partition != message.partition for event in events):
        raise MalformedMessage("its events are of another partition than its headers claim")
    return message, events


def _line(event: RecordedEvent) -> bytes | None:
    """The envelope as one line, with data and metadata as they are, to the byte; None if they are
    no JSON line.
    """
    data, metadata = event.data.strip(), event.metadata.strip()
    if b"\n" in data or b"\n" in metadata or not _is_json(data) or not metadata.startswith(b"{"):
        return None
    own = _ENCODE.encode(_Columns(event.merchant_id, event.command_id, event.recorded_at))
    rest = metadata[1:].lstrip()
    joint = b"" if rest == b"}" else b","
    head = _ENCODE.encode(
        {
            "position": event.position,
            "partition": event.partition,
            "stream_id": event.stream_id,
            "version": event.version,
            "type": event.type,
        }
    )
    return b"".join((head[:-1], b',"data":', data, b',"metadata":', own[:-1], joint, rest, b"}"))


def _is_json(data: bytes) -> bool:
    # Other applications of the store may keep bytes of any kind; those do not travel.
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


def _event(line: _Line) -> RecordedEvent:
    own = _COLUMNS.decode(line.metadata)
    return RecordedEvent(
        position=line.position,
        partition=line.partition,
        stream_id=line.stream_id,
        version=line.version,
        type=line.type,
        data=bytes(line.data),
        merchant_id=own.merchant_id,
        command_id=own.command_id,
        metadata=_without(own, line.metadata),
        recorded_at=own.recorded_at,
    )


def _without(own: _Columns, metadata: msgspec.Raw) -> bytes:
    """The metadata as the store has it: what `_line` put in front is cut off again."""
    given, front = bytes(metadata), _ENCODE.encode(own)[:-1]
    if given.startswith(front):
        return b"{" + given[len(front) :].removeprefix(b",")
    rest = _METADATA.decode(metadata)  # by another hand: the same, in another order
    return _ENCODE.encode({k: v for k, v in rest.items() if k not in _Columns.__struct_fields__})


def _whole(headers: Mapping[str, Any], name: str) -> int:
    value = headers.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise MalformedMessage(f"its header `{name}` is not a position")
    return value
