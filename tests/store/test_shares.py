"""Partitions shared out among processes: one holder each, evenly, and taken over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.migrate import migrate
from flamewire_ledger.store.shares import AllOfThem, PostgresShares, quota_of, work_on

PARTITIONS = 5


@pytest.fixture
async def connections(database_url: str) -> AsyncIterator[Connections]:
    await migrate(database_url)
    connections = Connections(database_url, size_max=2)
    yield connections
    await connections.close()


@asynccontextmanager
async def member(
    connections: Connections, group: str = "projector"
) -> AsyncIterator[PostgresShares]:
    shares = PostgresShares(connections, group, PARTITIONS, look_seconds=0.02)
    running = asyncio.create_task(shares.run())
    try:
        yield shares
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def until(question: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not question():
            await asyncio.sleep(0.01)


def is_shared_out(*members: PostgresShares) -> bool:
    """Every partition has one holder, and nobody two more than another."""
    held = [partition for each in members for partition in each.held]
    sizes = [len(each.held) for each in members]
    return sorted(held) == list(range(PARTITIONS)) and max(sizes) - min(sizes) <= 1


async def test_one_alone_holds_everything(connections: Connections):
    async with member(connections) as alone:
        assert await alone.other_than(frozenset()) != frozenset()
        await until(lambda: is_shared_out(alone))
    assert alone.held == frozenset()


async def test_who_comes_later_gets_as_much_and_who_leaves_is_taken_over(connections: Connections):
    async with member(connections) as first:
        await until(lambda: is_shared_out(first))
        async with AsyncExitStack() as stack:
            second = await stack.enter_async_context(member(connections))
            await until(lambda: is_shared_out(first, second))
            third = await stack.enter_async_context(member(connections))
            await until(lambda: is_shared_out(first, second, third))
        await until(lambda: is_shared_out(first))


async def test_more_processes_than_partitions_stand_by(connections: Connections):
    async with AsyncExitStack() as stack:
        members = [
            await stack.enter_async_context(member(connections)) for _ in range(PARTITIONS + 2)
        ]
        await until(lambda: is_shared_out(*members))
        assert sum(not each.held for each in members) == 2


async def test_groups_do_not_share_with_each_other(connections: Connections):
    async with member(connections) as projector, member(connections, "relay") as relay:
        await until(lambda: is_shared_out(projector) and is_shared_out(relay))


async def test_a_lost_connection_is_a_lost_share_until_it_is_taken_anew(
    connections: Connections, database_url: str
):
    async with member(connections) as shares:
        await until(lambda: is_shared_out(shares))
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as other:
            await other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks"
                " WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        assert await shares.other_than(frozenset(range(PARTITIONS))) == frozenset()
        await until(lambda: is_shared_out(shares))


async def test_work_goes_on_where_a_partition_is_held_and_ends_where_it_is_lost(
    connections: Connections,
):
    async with member(connections) as first:
        at_work: set[int] = set()

        async def work(partition: int) -> None:
            at_work.add(partition)
            try:
                await asyncio.Event().wait()
            finally:
                at_work.remove(partition)

        working = asyncio.create_task(work_on(first, work))
        await until(lambda: at_work == set(range(PARTITIONS)))
        async with member(connections) as second:
            await until(lambda: is_shared_out(first, second) and at_work == first.held)
        await until(lambda: at_work == set(range(PARTITIONS)))
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        assert at_work == set()


async def test_work_that_is_cancelled_from_within_is_a_fault_and_no_end():
    async def work(partition: int) -> None:
        if partition == 1:
            raise asyncio.CancelledError
        await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(work_on(AllOfThem(2), work), 10)
    assert "partition 1 was cancelled from within" in str(caught.value.exceptions[0])


@given(members=st.integers(1, 40), partitions=st.integers(1, 256))
def test_quotas_add_up_and_are_even(members: int, partitions: int):
    quotas = [quota_of(rank, members, partitions) for rank in range(members)]
    assert sum(quotas) == partitions
    assert max(quotas) - min(quotas) <= 1


async def test_without_others_there_is_nothing_to_wait_for():
    assert await AllOfThem(3).other_than(frozenset()) == {0, 1, 2}
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await AllOfThem(3).other_than(frozenset({0, 1, 2}))
