"""What was parked and is retried ends as if it had never been parked, in every shipped projection."""

from __future__ import annotations

import random
from typing import Any

import pytest

from flamewire_ledger.projector.apply import key_reader
from flamewire_ledger.projector.catalog import Projection, load_catalog
from flamewire_ledger.projector.connections import WritePool
from flamewire_ledger.projector.consume import Projector
from flamewire_ledger.projector.dead_letters import DeadLetters
from flamewire_ledger.projector.difference import difference
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import RecordedEvent
from flamewire_ledger.store.memory import MemoryEventStore
from tests.projector.stories import Stories, record

CATALOG = load_catalog(Codec().classes)


async def hold_back(pool: WritePool, projection: Projection, event: RecordedEvent) -> str:
    """As if this event had failed: its key waits from there on."""
    key = key_reader(projection)(event)
    letter: dict[str, Any] = {
        "consumer": f"projection:{projection.name}",
        "position": event.position,
        "key": key,
        "stream": event.stream_id,
        "type": event.type,
    }
    async with pool.connection() as connection:
        await connection.execute(
            "INSERT INTO dead_letters (consumer, partition, position, key, stream_id, type, cause)"
            " VALUES (%(consumer)s, 0, %(position)s, %(key)s, %(stream)s, %(type)s, 'held back')",
            letter,
        )
    return key


@pytest.mark.parametrize("seed", [1, 2])
async def test_keys_that_waited_leave_no_trace_once_they_are_retried(
    pool: WritePool, store: MemoryEventStore, seed: int
) -> None:
    projector = Projector(pool, store, CATALOG)
    await projector.catch_up()  # built while there was nothing to read
    await record(store, Stories(seed).tell(250))
    events = await store.read(0, 0, 10_000)
    chance = random.Random(seed)
    held: dict[str, set[str]] = {}
    for projection in CATALOG:
        read = [e for e in events if e.type in projection.reads or "*" in projection.reads]
        keys = held.setdefault(projection.name, set())
        for event in chance.sample(read, min(3, len(read))):  # stories do not tell of everything
            keys.add(await hold_back(pool, projection, event))
    assert sum(bool(keys) for keys in held.values()) >= 10

    await projector.catch_up()
    dead = DeadLetters(pool, store, CATALOG)
    while letters := await dead.list():
        assert await dead.retry(chance.choice(letters)["id"]) == 0
    for projection in CATALOG:
        assert (await difference(pool, store, projection)).differing == dict.fromkeys(
            projection.tables, 0
        ), (seed, projection.name, held[projection.name])
