"""Finding what processes react to: the same in any store as in Postgres, and nothing is passed over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import psycopg
import pytest

from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.processes.search import PostgresSearch, Search, StoreSearch
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.event_store import Append, EventStore, NewEvent, StreamAppend
from flamewire_ledger.store.memory import MemoryEventStore
from flamewire_ledger.store.migrate import migrate
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.processes.conftest import Workshop
from tests.processes.paying import PAID
from tests.processes.stories import (
    ACCOUNT,
    LOCK,
    MERCHANT,
    NOON,
    PAYMENT,
    locked,
    opened,
    record,
)

LAST = 2_500
RARE = "payment.succeeded.v1"
RARE_AT = [1, 2, 900, 1_000, 1_001, 2_499, 2_500]


@dataclass
class Place:
    """A log of LAST events, of which those at RARE_AT are rare."""

    store: EventStore
    search: Search

    async def find(self, after: int, until: int, limit: int = 100) -> list[int]:
        found = await self.search.find(0, after, until, {RARE, "payment.resolved.v1"}, limit)
        assert {event.type for event in found} <= {RARE}
        return [event.position for event in found]


@pytest.fixture(params=["any store", "postgres"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    async with AsyncExitStack() as stack:
        if request.param == "postgres":
            url = request.getfixturevalue("database_url")
            await migrate(url, partitions=1)
            store = await stack.enter_async_context(PostgresEventStore(url))
            connections = Connections(url, size_max=2)
            stack.push_async_callback(connections.close)
            made = Place(store, PostgresSearch(connections, store))
        else:
            memory = MemoryEventStore(lambda: NOON, 1)
            made = Place(memory, StoreSearch(memory))
        for first in range(1, LAST + 1, 500):
            await made.store.append(0, [_append(n) for n in range(first, first + 500)])
        yield made


def _append(position: int) -> Append:
    type_ = RARE if position in RARE_AT else "credit_account.consumed.v1"
    streams = [StreamAppend(f"x_{position}", 0, [NewEvent(type_, b"{}")])]
    return Append(command_id(str(position)), b"f", MERCHANT, b"{}", streams)


async def test_only_what_is_wanted_is_found_in_order(place: Place):
    assert await place.find(0, LAST) == RARE_AT


@pytest.mark.parametrize(
    ("after", "until", "limit", "found"),
    [
        (1, 2_499, 100, RARE_AT[1:-1]),
        (2, 899, 100, []),
        (899, 1_000, 100, [900, 1_000]),
        (0, LAST, 3, RARE_AT[:3]),
        (0, LAST, len(RARE_AT), RARE_AT),
        (2, LAST, 2, [900, 1_000]),
        (LAST, LAST, 5, []),
    ],
)
async def test_a_stretch_is_searched_from_behind_one_position_up_to_another(
    place: Place, after: int, until: int, limit: int, found: list[int]
):
    assert await place.find(after, until, limit) == found


async def test_what_is_in_the_log_no_more_is_read_from_the_store(database_url: str):
    memory = MemoryEventStore(lambda: NOON, 1)
    await memory.append(0, [_append(n) for n in range(1, 1_001)])
    await migrate(database_url, partitions=1)
    async with PostgresEventStore(database_url) as store:
        await store.append(0, [_append(n) for n in range(1, 1_001)])
        async with await psycopg.AsyncConnection.connect(database_url) as connection:
            await connection.execute("DELETE FROM events WHERE position <= 2")
        connections = Connections(database_url, size_max=2)
        search = PostgresSearch(connections, memory)
        found = await search.find(0, 0, 1_000, {RARE}, 100)
        await connections.close()

    assert [event.position for event in found] == [1, 2, 900, 1_000]


async def test_a_reactor_reads_nothing_of_what_no_process_reacts_to(workshop: Workshop):
    """Thousands of events that matter to nobody are passed in one question, and none is decoded."""
    await workshop.store.append(
        0,
        [
            Append(
                command_id(str(n)),
                b"f",
                MERCHANT,
                b"{}",
                [StreamAppend(f"x_{n}", 0, [NewEvent("credit_account.consumed.v1", b"not JSON")])],
            )
            for n in range(3_000)
        ],
    )
    await record(workshop.store, ACCOUNT, opened())
    await record(workshop.store, LOCK, locked())
    await record(workshop.store, PAYMENT, *PAID)
    wanted: list[set[str]] = []

    class Counting(StoreSearch):
        async def find(self, partition, after, until, types, limit):  # type: ignore[no-untyped-def]
            wanted.append(set(types))
            return await super().find(partition, after, until, types, limit)

    reactor = workshop.reactor(search=Counting(workshop.store))
    reached = await reactor.catch_up(0)

    assert reached == await workshop.store.head(0)
    assert "credit_account.granted.v1" in await workshop.types()
    assert wanted
    assert not any("credit_account.consumed.v1" in types for types in wanted)
    assert workshop.dead_letters.letters == {}
