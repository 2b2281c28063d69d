"""Events for the tests of delivery: small, numbered, of one or several merchants."""

from __future__ import annotations

from datetime import UTC, datetime

from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.store.event_store import (
    Append,
    EventStore,
    NewEvent,
    RecordedEvent,
    StreamAppend,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def recorded(position: int, data: bytes = b'{"units":"7"}', partition: int = 0) -> RecordedEvent:
    return RecordedEvent(
        position=position,
        partition=partition,
        stream_id=f"ca_{position}",
        version=1,
        type="credit_account.consumed.v1",
        data=data,
        merchant_id="mer_1",
        command_id=command_id(str(position)),
        metadata=b'{"actor":"key:1","causation_id":null,"correlation_id":"c"}',
        recorded_at=NOON,
    )


async def append(
    store: EventStore, count: int, partition: int = 0, data: bytes = b'{"units":"7"}'
) -> int:
    """Record so many events, each of a stream of its own; returns the head."""
    head = await store.head(partition)
    appends = [
        Append(
            command_id=command_id("event", str(partition), str(number)),
            fingerprint=b"",
            merchant_id="mer_1",
            metadata=b'{"actor":"key:1","causation_id":null,"correlation_id":null}',
            streams=[
                StreamAppend(f"ca_{number}", 0, [NewEvent("credit_account.consumed.v1", data)])
            ],
        )
        for number in range(head + 1, head + 1 + count)
    ]
    await store.append(partition, appends)
    return await store.head(partition)
