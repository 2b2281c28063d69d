"""Whose turn it is to relay, among processes that share a database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from flamewire_ledger.relay.tail import Relay
from flamewire_ledger.relay.turns import PostgresTurns
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.store.memory import MemoryEventStore
from flamewire_ledger.store.migrate import migrate
from tests.relay.events import NOON, append
from tests.relay.running import running
from tests.relay.test_tail import Broker, until


@pytest.fixture
async def connections(database_url: str) -> AsyncIterator[Connections]:
    await migrate(database_url)
    connections = Connections(database_url, size_max=2)
    yield connections
    await connections.close()


def turns(connections: Connections) -> PostgresTurns:
    return PostgresTurns(connections, standby_seconds=0.05)


async def end_relays(database_url: str) -> None:
    """What a database restart or an administrator does to the connections that hold turns."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks"
            " WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )


async def checkpoint(connections: Connections) -> int:
    async with connections.use() as connection:
        row = await (await connection.execute("SELECT position FROM relay_checkpoints")).fetchone()
        return int(row[0]) if row else 0


async def test_the_checkpoint_is_where_the_last_one_left_it(connections: Connections):
    async with turns(connections).take(0) as turn:
        assert turn.position == 0
        await turn.move(17)

    async with turns(connections).take(0) as turn:
        assert turn.position == 17
    async with turns(connections).take(1) as turn:
        assert turn.position == 0


async def test_a_checkpoint_does_not_go_back(connections: Connections):
    async with turns(connections).take(0) as turn:
        await turn.move(17)
        await turn.move(5)  # as a relay does that has lost its turn and does not know

    async with turns(connections).take(0) as turn:
        assert turn.position == 17


async def test_a_turn_is_waited_for_until_it_is_free(connections: Connections):
    second = turns(connections).take(0)
    async with turns(connections).take(0) as turn:
        waiting = asyncio.create_task(second.__aenter__())
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await turn.move(3)

    taken = await asyncio.wait_for(waiting, 5)
    assert taken.position == 3
    await second.__aexit__(None, None, None)


async def test_who_has_lost_the_turn_cannot_move_the_checkpoint(
    connections: Connections, database_url: str
):
    async with turns(connections).take(0) as turn:
        await end_relays(database_url)

        with pytest.raises(StoreUnavailable):
            await turn.move(9)


async def test_a_relay_that_loses_its_turn_takes_it_again_and_goes_on(
    connections: Connections, database_url: str
):
    store, broker = MemoryEventStore(lambda: NOON), Broker()
    async with running(Relay(store, broker, turns(connections), poll_seconds=0.1).run()):
        await until(broker, await append(store, 10))
        await end_relays(database_url)
        await until(broker, await append(store, 10))
        async with asyncio.timeout(10):
            while await checkpoint(connections) != 20:
                await asyncio.sleep(0.02)

    assert list(dict.fromkeys(broker.positions)) == list(range(1, 21))


async def test_a_database_that_is_away_is_said_to_be():
    nowhere = Connections("postgresql://nobody@127.0.0.1:1/none", size_max=1)

    with pytest.raises(StoreUnavailable):
        async with turns(nowhere).take(0):
            pass
