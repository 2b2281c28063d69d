"""CloudEvents in binary mode: the attributes are headers, `ce-…`, and the body is the data.

HTTP protocol binding for CloudEvents 1.0.2, section 3.1. Such an event is read as the structured one
that says the same, so that it does not matter how an item was sent: it counts once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from flamewire_ledger.domain.rejection import Malformed

_PREFIX: Final = b"ce-"
_STRUCTURED: Final = b"application/cloudevents"


def structured(headers: Mapping[bytes, bytes], body: bytes) -> bytes:
    """The event as one object; the body as it came, where headers do not say that it is only data."""
    media_type = headers.get(b"content-type", b"").strip().lower()
    if b"ce-specversion" not in headers or media_type.startswith(_STRUCTURED):
        return body
    event: dict[str, Any] = {
        name.removeprefix(_PREFIX).decode("latin-1"): _text(value)
        for name, value in headers.items()
        if name.startswith(_PREFIX)
    }
    if body.strip():
        event["data"] = msgspec.Raw(_on_one_line(body))
    return msgspec.json.encode(event)


def _text(value: bytes) -> str:
    """What is no printable ASCII is sent percent-encoded (section 3.1.3.2), or between quotes."""
    text = value.decode("utf-8", "replace").strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return unquote(text)


def _on_one_line(body: bytes) -> bytes:
    """The data without the white space around its parts; its numbers stay as they were written."""
    try:
        return msgspec.json.format(body, indent=-1)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Malformed("the body is no JSON: it is the data of the event of the headers") from None
