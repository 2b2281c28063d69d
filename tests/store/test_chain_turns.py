"""Whose turn it is to follow a chain, among processes that share a database."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from flamewire_ledger.store.chain_records import PostgresFollowerState
from flamewire_ledger.store.chain_turns import PostgresChainTurn
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.event_store import StoreUnavailable

CHAIN = "eip155:1"


def turn(connections: Connections, chain_id: str = CHAIN) -> PostgresChainTurn:
    return PostgresChainTurn(connections, chain_id, standby_seconds=0.05)


async def end_holders(database_url: str) -> None:
    """What the death of a watcher's machine, or a database restart, does to the turns it held."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(l.pid) FROM pg_locks AS l"
            " JOIN pg_database AS d ON d.oid = l.database AND d.datname = current_database()"
            " WHERE l.locktype = 'advisory' AND l.granted AND l.pid <> pg_backend_pid()"
        )


async def stand_by(turn: PostgresChainTurn, taken: asyncio.Event) -> None:
    async with turn.taken():
        taken.set()
        await asyncio.Event().wait()


async def test_a_chain_has_one_turn_and_another_chain_its_own(connections: Connections):
    first, second = turn(connections), turn(connections)
    async with first.taken() as lost, turn(connections, "eip155:2").taken():
        waiting = asyncio.create_task(stand_by(second, asyncio.Event()))
        async with asyncio.timeout(10):
            while not second.is_standing_by:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        assert not waiting.done()
        assert not first.is_standing_by
        assert not lost.is_set()
        waiting.cancel()


async def test_who_stands_by_takes_over_from_what_was_saved(connections: Connections):
    first, second, taken = turn(connections), turn(connections), asyncio.Event()
    async with first.taken():
        waiting = asyncio.create_task(stand_by(second, taken))
        await PostgresFollowerState(first).save(CHAIN, (7, "0x07", 0), [(7, "0x07")], 0, [], [])
        assert not taken.is_set()
    await asyncio.wait_for(taken.wait(), 5)
    assert not second.is_standing_by
    assert (await PostgresFollowerState(second).load(CHAIN))[0] == (7, "0x07", 0)
    waiting.cancel()


async def test_a_turn_is_lost_with_its_connection_and_nothing_is_written_after(
    connections: Connections, ledger_url: str
):
    first, second = turn(connections), turn(connections)
    async with first.taken() as lost:
        await end_holders(ledger_url)
        async with second.taken():
            with pytest.raises(StoreUnavailable):
                await PostgresFollowerState(first).save(CHAIN, (1, None, 0), [], 0, [], [])
            assert (await PostgresFollowerState(second).load(CHAIN))[0] is None
        assert lost.is_set()


async def test_a_loss_is_noticed_where_nothing_is_written(
    connections: Connections, ledger_url: str
):
    async with turn(connections).taken() as lost:
        await end_holders(ledger_url)
        await asyncio.wait_for(lost.wait(), 5)


async def test_without_a_turn_nothing_is_read_or_written(connections: Connections):
    with pytest.raises(StoreUnavailable):
        await PostgresFollowerState(turn(connections)).load(CHAIN)
