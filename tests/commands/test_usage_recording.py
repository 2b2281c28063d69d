"""Usage is recorded once, whoever dies between which steps; the items in memory and in Postgres alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from flamewire_ledger.commands import credit_account, meter
from flamewire_ledger.commands.metering import Item, Metered, Meters, Reading, read_item
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.usage_recording import UsageNotRecorded, UsageRecorder
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.credit_account import OpenCreditAccount
from flamewire_ledger.domain.meter import DefineMeter, MeterDefined
from flamewire_ledger.domain.rejection import QueueFull
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.memory import MemoryEventStore
from flamewire_ledger.store.usage_items import (
    ClaimedBatch,
    MemoryUsageItems,
    NewBatch,
    PostgresUsageItems,
    UsageItems,
    key_of,
)

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
MERCHANT, ACCOUNT, METER = "mer_1", "ca_tom", "me_calls"


class Office:
    """A process that records usage; `die_at` ends it before that step."""

    def __init__(self, items: UsageItems, store: MemoryEventStore, writer: Writer) -> None:
        self.items, self.store, self.codec = items, store, Codec()
        self.recorder = UsageRecorder(items, store, self.codec, writer)

    async def claim(self, *ids: str) -> tuple[ClaimedBatch, list[tuple[int, Reading]]] | None:
        raws = [raw(each) for each in ids]
        batch_id, keys = uuid4(), [key_of(MERCHANT, "gateway", each) for each in ids]
        batch = NewBatch(batch_id, ACCOUNT, keys, raws)
        taken = await self.items.claim(MERCHANT, NOON, [METER], [batch])
        if batch_id not in taken:
            return None
        claimed = ClaimedBatch(
            batch_id, MERCHANT, ACCOUNT, NOON, [METER], raws, list(taken[batch_id])
        )
        return claimed, await self.recorder.readings(claimed)

    async def recorded(self) -> list[int]:
        """How many items each recorded event has."""
        events = await self.store.read(0, 0, 1_000)
        return [
            sum(bundle["items"] for bundle in json.loads(event.data)["bundles"])
            for event in events
            if event.type == "usage.recorded.v1"
        ]


def raw(id_: str) -> bytes:
    body: dict[str, Any] = {
        "specversion": "1.0",
        "id": id_,
        "source": "gateway",
        "type": "rpc.call",
        "subject": ACCOUNT,
        "time": "2026-01-31T11:59:00Z",
    }
    return json.dumps(body).encode()


@asynccontextmanager
async def office(items: UsageItems) -> AsyncIterator[Office]:
    store = MemoryEventStore(lambda: NOON)
    writer = Writer(store, Codec())
    running = asyncio.create_task(writer.run())
    opened = OpenCreditAccount(ACCOUNT, None, None, NOON)
    await writer.submit(credit_account.envelope(Origin(uuid4(), MERCHANT, "cli"), opened))
    defined = DefineMeter(METER, "calls", "rpc.call", "count", NOON)
    await writer.submit(meter.envelope(Origin(uuid4(), MERCHANT, "cli"), defined))
    yield Office(items, store, writer)
    writer.stop()
    await running


@pytest.fixture(params=["memory", "postgres"])
async def items(request: pytest.FixtureRequest, ledger_url: str) -> AsyncIterator[UsageItems]:
    if request.param == "memory":
        yield MemoryUsageItems()
        return
    connections = Connections(ledger_url, size_max=3)
    yield PostgresUsageItems(connections)
    await connections.close()


async def test_a_batch_that_nobody_finished_is_finished_by_whoever_comes_next(items: UsageItems):
    async with office(items) as one:
        assert await one.claim("a", "b") is not None  # and dies
        assert await one.claim("a", "b") is None
        keys = [key_of(MERCHANT, "gateway", "a")]
        unfinished = await items.unfinished_of(keys)
        await one.recorder.finish(unfinished)
        assert await one.recorded() == [2]
        assert await items.unfinished_of(keys) == []
        await one.recorder.finish(unfinished)
        assert await one.recorded() == [2]


async def test_a_batch_that_was_recorded_and_not_settled_is_recorded_once(items: UsageItems):
    async with office(items) as one:
        claimed = await one.claim("a", "b", "c")
        assert claimed is not None
        settle = items.settle

        async def die(positions: Any, given_back: Any) -> None:
            raise asyncio.CancelledError

        items.settle = die  # type: ignore[method-assign]
        with pytest.raises(asyncio.CancelledError):
            await one.recorder.record([claimed])
        items.settle = settle  # type: ignore[method-assign]
        assert await one.recorded() == [3]
        assert await one.recorder.finish_old(0, 10) == 1
        assert await one.recorded() == [3]
        (batch,) = await items.batches([claimed[0].batch_id])
        events = await one.store.read(0, 0, 100)
        assert batch.position is not None
        assert events[batch.position - 1].type == "usage.recorded.v1"


async def test_a_full_queue_gives_nothing_back(items: UsageItems):
    """It says nothing of the batch: whoever else recorded it has counted its items."""
    async with office(items) as one:
        claimed = await one.claim("a")
        assert claimed is not None

        class Full:
            async def submit_many(self, envelopes: Any) -> Any:
                return [QueueFull("too much at once") for _ in envelopes]

        hasty = UsageRecorder(items, one.store, one.codec, Full())
        with pytest.raises(UsageNotRecorded):
            await hasty.record([claimed])
        await one.recorder.record([claimed])
        with pytest.raises(UsageNotRecorded):
            await hasty.record([claimed])
        key = key_of(MERCHANT, "gateway", "a")
        assert set(await items.counted([key])) == {key}


async def test_what_counts_is_what_a_recorded_batch_has(items: UsageItems):
    async with office(items) as one:
        claimed = await one.claim("a", "b")
        assert claimed is not None
        a, b = (key_of(MERCHANT, "gateway", each) for each in ("a", "b"))
        assert set(await items.counted([a, b])) == set()
        await items.settle({claimed[0].batch_id: 1}, [b])
        assert set(await items.counted([a, b, UUID(int=1)])) == {a}


async def test_two_who_claim_the_same_items_share_them(items: UsageItems):
    async with office(items) as one:
        both = await asyncio.gather(one.claim("a", "b", "c"), one.claim("c", "b", "d"))
        claims = [each for each in both if each is not None]
        await one.recorder.record(claims)
        assert sum(await one.recorded()) == 4


async def test_what_comes_back_has_the_bytes_and_the_places_that_were_taken(items: UsageItems):
    async with office(items) as one:
        first = await one.claim("b")
        second = await one.claim("a", "b", "c")
        assert first is not None
        assert second is not None
        (found,) = await items.batches([second[0].batch_id])
        assert (list(found.items), list(found.taken)) == ([raw("a"), raw("b"), raw("c")], [0, 2])
        key = key_of(MERCHANT, "gateway", "c")
        assert await items.places([key, UUID(int=1)]) == {key: (found.batch_id, 2)}


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (lambda it: {**it, "time": "2026-01-31T12:00:00"}, "malformed"),
        (lambda it: {**it, "id": ""}, "malformed"),
        (lambda it: {**it, "id": "a\x00"}, "malformed"),
        (lambda it: {k: v for k, v in it.items() if k != "subject"}, "malformed"),
        (lambda it: {**it, "data": [1]}, "malformed"),
        (lambda it: [it], "malformed"),
    ],
)
def test_what_is_no_event_is_refused(broken: Callable[[Any], Any], code: str):
    found = read_item(json.dumps(broken(json.loads(raw("a")))).encode())
    assert not isinstance(found, Item)
    assert found.code == code


def test_numbers_are_never_floats():
    defined = MeterDefined(
        METER, "m", "rpc.call", "sum", "value", (), (), None, "reject", defined_at=NOON
    )
    body = raw("a").replace(b'"time"', b'"data": {"value": 0.1}, "time"')
    item = read_item(body)
    assert isinstance(item, Item)
    reading = Meters([Metered.of(defined)]).read(item)
    assert isinstance(reading, Reading)
    assert str(reading.counts[0].value) == "0.1"


async def test_a_thousand_items_are_two_round_trips_beside_the_log(ledger_url: str):
    connections = Connections(ledger_url, size_max=3)
    items = PostgresUsageItems(connections)
    async with office(items) as one:
        claimed = await one.claim(*(f"i{n}" for n in range(1_000)))
        assert claimed is not None
        await one.recorder.record([claimed])
        assert items.round_trips == 2
        assert await one.recorded() == [1_000]
    await connections.close()
