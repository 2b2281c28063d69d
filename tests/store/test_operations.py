"""The sandbox clock's offset and the deposit indexes, in memory and in Postgres alike."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.operations import (
    ClockOffset,
    DepositIndexes,
    MemoryClockOffset,
    MemoryDepositIndexes,
    PostgresClockOffset,
    PostgresDepositIndexes,
)


@pytest.fixture(params=["memory", "postgres"])
def clock(request: pytest.FixtureRequest) -> ClockOffset:
    if request.param == "memory":
        return MemoryClockOffset()
    return PostgresClockOffset(request.getfixturevalue("connections"))


@pytest.fixture(params=["memory", "postgres"])
def indexes(request: pytest.FixtureRequest) -> DepositIndexes:
    if request.param == "memory":
        return MemoryDepositIndexes()
    return PostgresDepositIndexes(request.getfixturevalue("connections"), block=3)


async def test_the_sandbox_starts_at_the_real_time_and_runs_ahead(clock: ClockOffset):
    assert await clock.get() == 0
    assert await clock.advance(60) == 60
    assert await clock.advance(5) == 65
    assert await clock.get() == 65
    with pytest.raises(ValueError, match="forward"):
        await clock.advance(-1)


async def test_every_index_is_given_once_and_from_zero(indexes: DepositIndexes):
    taken = await asyncio.gather(*(indexes.take("eip155:1") for _ in range(10)))
    assert sorted(taken) == list(range(10))
    assert await indexes.take("sui:mainnet") == 0


async def test_an_index_that_is_given_back_is_the_next_one_given(indexes: DepositIndexes):
    first = [await indexes.take("sui:35834a8a") for _ in range(4)]
    for _ in range(20):
        indexes.give_back("sui:35834a8a", first[-1])
        assert await indexes.take("sui:35834a8a") == first[-1]
    assert await indexes.take("sui:35834a8a") == first[-1] + 1


async def test_chains_with_the_same_addresses_never_share_an_index(indexes: DepositIndexes):
    """Else who pays on the wrong network pays for whoever has that address there."""
    chains = ("eip155:1", "eip155:8453", "eip155:1", "eip155:8453", "eip155:137")
    assert sorted([await indexes.take(chain) for chain in chains]) == [0, 1, 2, 3, 4]
    assert await indexes.take("sui:mainnet") == 0


async def test_indexes_go_on_where_a_chain_had_been_counted_by_itself(connections: Connections):
    async with connections.use() as connection:
        await connection.execute(
            "INSERT INTO deposit_indexes (chain_id, next) VALUES ('eip155:1', 70), ('eip155:10', 20)"
        )
    assert await PostgresDepositIndexes(connections, block=3).take("eip155:10") == 70


async def test_processes_never_share_an_index(connections: Connections):
    first = PostgresDepositIndexes(connections, block=3)
    second = PostgresDepositIndexes(connections, block=3)
    taken = [await index.take("eip155:1") for _ in range(5) for index in (first, second)]
    assert len(set(taken)) == 10


async def test_it_is_known_since_when_a_chain_has_addresses(connections: Connections):
    indexes = PostgresDepositIndexes(connections, block=1)
    assert await indexes.since("eip155:1") is None
    before = datetime.now(UTC)
    await indexes.take("eip155:1")
    since = await indexes.since("eip155:1")
    assert since is not None
    assert abs(since - before) < timedelta(seconds=30)
    await indexes.take("eip155:1")
    assert await indexes.since("eip155:1") == since


async def test_who_takes_many_indexes_asks_the_database_seldom(connections: Connections):
    indexes = PostgresDepositIndexes(connections, block=3)
    assert [await indexes.take("eip155:1") for _ in range(10)] == list(range(10))
    # Blocks of 3, 6 and 12: another process begins behind them.
    assert await PostgresDepositIndexes(connections, block=3).take("eip155:1") == 21
