"""Schemas of webhooks, each with an example: what is told of an event in the projections' examples,
or in examples/webhooks.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from flamewire_ledger.store.codec import Codec
from flamewire_ledger.webhooks.catalog import KINDS, schemas
from flamewire_ledger.webhooks.endpoint_messages import TEST
from flamewire_ledger.webhooks.message import Kind, Message, Told, message_id, to_json

PROJECTIONS = Path(__file__).parents[1] / "projections"
STORIES = (
    Path(__file__).parent / "examples" / "webhooks.json"
)  # of events that no projection reads so
_CODEC = Codec()
_AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def webhook_schemas() -> Mapping[str, dict[str, Any]]:
    """The schema of each type of message, with an example of it."""
    found = schemas()
    return {
        kind.type: {**found[kind.type], "examples": [example_of(kind)]} for kind in (*KINDS, TEST)
    }


def example_of(kind: Kind) -> dict[str, Any]:
    """A message of this kind. Raises LookupError when no projection has an event to make it of."""
    for story in _stories():
        for place, event in enumerate(story):
            if event["type"] in kind.events:
                data = _told(kind, story, place)
                if data is not None:
                    return _message(kind, story, place, data)
    raise LookupError(f"no example of a projection has an event that {kind.type} tells of")


def _stories() -> Iterator[list[dict[str, Any]]]:
    for file in sorted(PROJECTIONS.glob("*/example.json")):
        yield json.loads(file.read_text(encoding="utf-8"))["given"]
    yield from json.loads(STORIES.read_text(encoding="utf-8"))


def _told(kind: Kind, story: list[dict[str, Any]], place: int) -> Any | None:
    """The data; None where the story leaves out what the message needs."""
    event = story[place]
    fact = _fact(event)
    past = {
        stream_id: [_fact(it) for it in story[: place + 1] if it["stream_id"] == stream_id]
        for stream_id in kind.needs(fact, event["stream_id"])
    }
    try:
        return kind.of(Told(fact, event["stream_id"], past))
    except (AssertionError, KeyError):
        return None


def _message(kind: Kind, story: list[dict[str, Any]], place: int, data: Any) -> dict[str, Any]:
    stream_id = story[place]["stream_id"]
    version = sum(it["stream_id"] == stream_id for it in story[: place + 1])
    made = Message(
        id=message_id(stream_id, version, _AT),
        event=kind.type,
        type=kind.type,
        timestamp=_AT,
        sequence=place + 1,
        livemode=True,
        data=data,
    )
    decoded: dict[str, Any] = msgspec.json.decode(to_json(made))
    return decoded


def _fact(event: dict[str, Any]) -> Any:
    return _CODEC.decode_data(event["type"], msgspec.json.encode(event["data"]))
