"""Several watchers of one chain: one follows, the others stand by until it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import psycopg
import pytest

from flamewire_ledger.chains.follow import Follower, Limits
from flamewire_ledger.store.chain_records import PostgresFollowerState
from flamewire_ledger.store.chain_turns import PostgresChainTurn
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.wiring.watchers import Watcher
from tests.chains.ears import Ears
from tests.chains.scripted_chain import ScriptedChain


@pytest.fixture
async def connections(ledger_url: str) -> AsyncIterator[Connections]:
    opened = Connections(ledger_url, size_max=2)
    yield opened
    await opened.close()


def watcher(chain: ScriptedChain, ears: Ears, connections: Connections) -> Watcher:
    turn = PostgresChainTurn(connections, chain.network.chain_id, standby_seconds=0.05)
    limits = Limits(poll_seconds=0.02, backoff_seconds=0.02)
    follower = Follower(chain, ears, PostgresFollowerState(turn), limits=limits, start_height=0)
    return Watcher(chain, follower, turn)


@asynccontextmanager
async def running(watcher: Watcher) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(watcher.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0.01)


async def test_a_second_watcher_stands_by_and_takes_over_when_the_first_dies(
    connections: Connections,
) -> None:
    chain = ScriptedChain(length=10)
    early = chain.put("early", 5)
    first_ears, second_ears = Ears("ours"), Ears("ours")
    first, second = (watcher(chain, ears, connections) for ears in (first_ears, second_ears))
    async with running(first) as dying:
        await until(lambda: first.height == 9)
        async with running(second):
            await until(lambda: second.is_standing_by)
            assert (first.is_standing_by, second.height) == (False, None)
            dying.cancel()
            chain.grow(3)
            late = chain.put("late", chain.height)
            await until(lambda: second.height == chain.height)
    assert [each.transfer for each in first_ears.heard] == [early]
    assert [each.transfer for each in second_ears.heard] == [late]


async def test_a_watcher_that_lost_its_turn_goes_on_from_what_another_saved(
    connections: Connections, ledger_url: str
) -> None:
    chain, ears = ScriptedChain(length=10), Ears("ours")
    once = watcher(chain, ears, connections)
    async with running(once):
        await until(lambda: once.height == 9)
        async with await psycopg.AsyncConnection.connect(ledger_url, autocommit=True) as other:
            await other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                " AND pid <> pg_backend_pid()"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        chain.grow(3)
        seen = chain.put("seen", chain.height)
        await until(lambda: once.height == chain.height)
    assert {each.transfer for each in ears.heard} == {seen}  # maybe twice: it did not know
