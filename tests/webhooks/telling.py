"""Whatever is recorded in a test can be told of, in the shape that is published for it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
from jsonschema import Draft202012Validator, FormatChecker

from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import RecordedEvent
from flamewire_ledger.webhooks.catalog import KIND_OF, schemas
from flamewire_ledger.webhooks.message import Message, Told, message_id, to_json

_CODEC = Codec()
TOLD_MAX = 100  # of one history
HELD_MAX = 10  # of one type are held against its schema, which takes longer than all the rest
_held: Counter[str] = Counter()


def told_of(events: Sequence[RecordedEvent]) -> list[dict[str, Any]]:
    """What is told of a history, oldest first; the first ones are held against their schema."""
    streams: dict[str, list[Any]] = defaultdict(list)
    told: list[dict[str, Any]] = []
    for event in events:
        fact = _CODEC.decode(event)
        streams[event.stream_id].append(fact)
        kind = KIND_OF.get(event.type)
        if kind is None or len(told) == TOLD_MAX:
            continue
        past = {it: streams[it] for it in kind.needs(fact, event.stream_id)}
        data = kind.of(Told(fact, event.stream_id, past))
        if data is not None:
            id_ = message_id(event.stream_id, event.version, event.recorded_at)
            made = Message(
                id=id_,
                event=kind.type,
                type=kind.type,
                timestamp=event.recorded_at,
                sequence=event.position,
                livemode=False,
                data=data,
            )
            message: dict[str, Any] = msgspec.json.decode(to_json(made))
            if _held[kind.type] < HELD_MAX:
                _held[kind.type] += 1
                _validator(kind.type).validate(message)
            told.append(message)
    return told


@cache
def _validator(message_type: str) -> Draft202012Validator:
    return Draft202012Validator(schemas()[message_type], format_checker=FormatChecker())
