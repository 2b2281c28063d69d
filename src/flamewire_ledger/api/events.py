"""Events: the caller's own, in their order, from any position on, straight from the store.

Positions count the events of every merchant of the ledger, so the caller's own have gaps between
them. A page ends when it is full, or when enough of the log was looked through: `next_after` says
where to go on either way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from flamewire_ledger.api import problems
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.models.events import ListEvents
from flamewire_ledger.api.rendering import as_list, time
from flamewire_ledger.store.event_store import RecordedEvent, is_of_type

READ_EVENTS: Final = 1000
READS_MAX: Final = 10
HIDDEN: Final = frozenset({"secret_sha256"})  # what recognises a key is nobody's business outside


async def list_all(call: Call) -> Answer:
    query: ListEvents = call.query
    await _recorded(call, query.min_position)
    found: list[dict[str, Any]] = []
    after, has_more = query.after, True
    for _ in range(READS_MAX):
        read = await call.parts.store.read(call.partition, after, READ_EVENTS)
        for event in read:
            if len(found) == query.limit:
                break
            after = event.position
            if event.merchant_id == call.merchant_id and is_of_type(event.type, query.type):
                found.append(outward(event))
        else:
            has_more = len(read) == READ_EVENTS
            if has_more:
                continue
        break
    return Answer(as_list(found, has_more=has_more, next_after=after))


async def _recorded(call: Call, position: int | None) -> None:
    """Wait (2 s at most) until the store has come to this position; else a 503."""
    if position is None:
        return
    store, seconds = call.parts.store, call.parts.limits.wait_seconds_max
    try:
        async with asyncio.timeout(seconds):
            while (head := await store.head(call.partition)) < position:
                await store.wait_beyond(call.partition, head, seconds)
    except TimeoutError:
        raise problems.projection_behind(position) from None


def outward(event: RecordedEvent) -> dict[str, Any]:
    """The envelope as others see it."""
    metadata: Mapping[str, Any] = msgspec.json.decode(event.metadata)
    data: Mapping[str, Any] = msgspec.json.decode(event.data)
    return {
        "object": "event",
        "position": event.position,
        "partition": event.partition,
        "stream_id": event.stream_id,
        "version": event.version,
        "type": event.type,
        "data": {name: value for name, value in data.items() if name not in HIDDEN},
        "metadata": {
            "merchant_id": event.merchant_id,
            "command_id": str(event.command_id),
            "causation_id": metadata.get("causation_id"),
            "correlation_id": metadata.get("correlation_id"),
            "actor": metadata.get("actor"),
            "recorded_at": time(event.recorded_at),
        },
    }
