"""One event as one line of JSON: how archives keep it, and the entry of the Merkle tree over the log.

The line is made from the columns alone, in a fixed order, so that it comes out the same whoever makes it. JSON that
was appended stands in it as it was, to the byte; what is no JSON (the logs of other applications) in base64.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec

from flamewire_ledger.store.event_store import RecordedEvent

_is_json: Final = msgspec.json.Decoder(msgspec.Raw).decode
_text: Final = msgspec.json.Encoder().encode


class _Line(msgspec.Struct):
    position: int
    partition: int
    stream_id: str
    version: int
    type: str
    merchant_id: str
    command_id: UUID
    recorded_at: datetime
    metadata: msgspec.Raw = msgspec.Raw()
    data: msgspec.Raw = msgspec.Raw()
    metadata_base64: bytes = b""
    data_base64: bytes = b""


_decode: Final = msgspec.json.Decoder(_Line).decode


def event_line(event: RecordedEvent) -> bytes:
    """The event as a line, without its end."""
    at = event.recorded_at.astimezone(UTC).isoformat(timespec="microseconds")
    return (
        b'{"position":%d,"partition":%d,"stream_id":%b,"version":%d,"type":%b,"merchant_id":%b,'
        b'"command_id":"%b","recorded_at":"%b",%b,%b}'
        % (
            event.position,
            event.partition,
            _text(event.stream_id),
            event.version,
            _text(event.type),
            _text(event.merchant_id),
            str(event.command_id).encode(),
            at.replace("+00:00", "Z").encode(),
            _content(b"metadata", event.metadata),
            _content(b"data", event.data),
        )
    )


def line_event(line: bytes) -> RecordedEvent:
    """The event of a line. Raises msgspec.MsgspecError for what is none."""
    read = _decode(line)
    return RecordedEvent(
        read.position,
        read.partition,
        read.stream_id,
        read.version,
        read.type,
        bytes(read.data) or read.data_base64,
        read.merchant_id,
        read.command_id,
        bytes(read.metadata) or read.metadata_base64,
        read.recorded_at,
    )


def _content(name: bytes, value: bytes) -> bytes:
    if b"\n" not in value:
        try:
            if bytes(_is_json(value)) == value:
                return b'"%b":%b' % (name, value)
        except msgspec.MsgspecError:
            pass
    return b'"%b_base64":"%b"' % (name, b64encode(value))
