"""The store in Postgres keeps the contract, and what only a database can get wrong."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from importlib.resources import files

import psycopg
import pytest
from psycopg import AsyncConnection

from flamewire_ledger import store as store_package
from flamewire_ledger.store.arrays import register_arrays
from flamewire_ledger.store.connections import Connections, meaning
from flamewire_ledger.store.event_store import Append, Appended, StoreUnavailable
from flamewire_ledger.store.memory import MemoryEventStore
from flamewire_ledger.store.packed_batch import pack_batch
from flamewire_ledger.store.postgres import PostgresEventStore
from flamewire_ledger.store.statements import Statement, read_statements
from tests.store.contract import PostgresEventStoreContract, append, to, told


def statements() -> Mapping[str, Statement]:
    return read_statements(files(store_package) / "postgres.sql")


@pytest.fixture
async def store(ledger_url: str) -> AsyncIterator[PostgresEventStore]:
    async with PostgresEventStore(ledger_url, connections_max=8) as opened:
        yield opened


class TestPostgresEventStore(PostgresEventStoreContract):
    pass


async def test_a_held_back_append_hides_what_is_behind_it_and_leaves_no_gap(
    store: PostgresEventStore, ledger_url: str
):
    """The race that loses events for readers of a bare sequence, made to happen every time."""
    await store.append(0, [append(to("a", 0, "one"))])
    slow = pack_batch(0, [append(to("slow", 0, "two"))])
    async with await AsyncConnection.connect(ledger_url) as connection:
        register_arrays(connection.adapters)
        await connection.execute(statements()["append"].query, slow)
        behind = asyncio.create_task(store.append(0, [append(to("b", 0, "three"))]))
        await asyncio.sleep(0.3)
        assert not behind.done()
        assert await store.head(0) == 1
        assert [e.position for e in await store.read(0, 0, 10)] == [1]
        await connection.commit()
    assert await behind == [Appended(3)]
    assert await told(store) == [(1, "a", 1, "one"), (2, "slow", 1, "two"), (3, "b", 1, "three")]


async def test_an_append_that_was_rolled_back_leaves_no_gap(
    store: PostgresEventStore, ledger_url: str
):
    async with await AsyncConnection.connect(ledger_url) as connection:
        register_arrays(connection.adapters)
        lost = pack_batch(0, [append(to("lost", 0, "one"))])
        await connection.execute(statements()["append"].query, lost)
        await connection.rollback()
    assert await store.append(0, [append(to("a", 0, "one"))]) == [Appended(1)]


async def test_partitions_do_not_wait_for_each_other(store: PostgresEventStore, ledger_url: str):
    async with await AsyncConnection.connect(ledger_url) as connection:
        register_arrays(connection.adapters)
        held = pack_batch(0, [append(to("a", 0, "one"))])
        await connection.execute(statements()["append"].query, held)
        assert await store.append(1, [append(to("b", 0, "one"))]) == [Appended(1)]


async def test_a_lock_that_is_held_too_long_is_told_as_such(ledger_url: str):
    async with (
        PostgresEventStore(ledger_url, lock_timeout_seconds=1) as store,
        await AsyncConnection.connect(ledger_url) as connection,
    ):
        await connection.execute("SELECT * FROM partitions FOR UPDATE")
        with pytest.raises(StoreUnavailable, match="lock_timeout"):
            await store.append(0, [append(to("a", 0, "one"))])
    with psycopg.connect(ledger_url) as after:
        assert after.execute("SELECT sum(head) FROM partitions").fetchone() == (0,)


async def test_a_waiting_reader_is_woken_though_the_bell_is_broken(
    store: PostgresEventStore, ledger_url: str
):
    waiting = asyncio.create_task(store.wait_beyond(0, 0, 30))
    await asyncio.sleep(0.2)
    with psycopg.connect(ledger_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
    await store.append(0, [append(to("a", 0, "one"))])
    await asyncio.wait_for(waiting, 5)


async def test_a_cancelled_question_does_not_spoil_the_next_one(
    store: PostgresEventStore, ledger_url: str
):
    async with await AsyncConnection.connect(ledger_url) as connection:
        await connection.execute("SELECT * FROM partitions FOR UPDATE")
        stuck = asyncio.create_task(store.append(0, [append(to("a", 0, "one"))]))
        await asyncio.sleep(0.2)
        stuck.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stuck
    assert await store.append(0, [append(to("b", 0, "one"))]) == [Appended(1)]


async def test_large_batches_with_many_verdicts_agree_with_memory(store: PostgresEventStore):
    """A random run, judged by the store in memory; the seed is in the failure."""
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    memory = MemoryEventStore(lambda: datetime.now(UTC), partitions=2)
    seen: list[Append] = []
    for _ in range(40):
        batch = [random_append(dice, seen) for _ in range(dice.randrange(1, 20))]
        seen += batch
        expected = await memory.append(0, batch)
        assert await store.append(0, batch) == expected, f"seed {seed}"
    assert await told(store) == await told(memory), f"seed {seed}"


def random_append(dice: random.Random, seen: list[Append]) -> Append:
    if seen and dice.random() < 0.1:
        return dice.choice(seen)
    streams = dice.sample("abcdef", dice.randrange(0, 4))
    return append(
        *(to(name, dice.randrange(0, 6), *("x" * dice.randrange(0, 3))) for name in streams),
        answer=dice.choice([None, b"", b"answer"]),
    )


def test_what_an_operator_can_mend_has_a_sentence_of_its_own():
    assert "make room" in meaning(psycopg.errors.DiskFull())
    assert "standby" in meaning(psycopg.errors.ReadOnlySqlTransaction())
    assert meaning(psycopg.OperationalError()) == "the database did not answer: OperationalError"


async def test_plans_made_while_the_tables_were_small_still_use_the_indexes(ledger_url: str):
    """A plan that turned its loops round once made batches a hundred times slower."""
    streams = [f"s{number}" for number in range(400)]

    async def batch(store: PostgresEventStore, version: int) -> None:
        await store.append(0, [append(to(name, version, "x")) for name in streams])

    with psycopg.connect(ledger_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO streams VALUES (0, 1, 1, 1, 'first'), (0, 1, 1, 1, 'second')"
        )
        connection.execute("ANALYZE")
        async with PostgresEventStore(ledger_url, connections_max=1) as store:
            for version in range(9):
                await batch(store, version)
            await asyncio.sleep(1.1)  # counts are told once a second
            await store.head(0)
        row = connection.execute(
            "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'streams_pkey'"
        ).fetchone()
        assert row is not None
        assert 9 * len(streams) <= row[0] < 10 * 9 * len(streams)


async def test_what_the_address_asks_for_counts(ledger_url: str):
    opened = Connections(f"{ledger_url}?options=-c%20statement_timeout%3D77s", size_max=1)
    async with opened.use() as connection:
        cursor = await connection.execute("SHOW statement_timeout")
        assert await cursor.fetchone() == ("77s",)
        cursor = await connection.execute("SHOW TimeZone")
        assert await cursor.fetchone() == ("UTC",)
    await opened.close()


async def test_a_turn_whose_connection_ends_is_over_and_nothing_of_it_is_recorded(
    store: PostgresEventStore, ledger_url: str
):
    async with PostgresEventStore(ledger_url) as other, store.alone(0) as turn:
        await turn.load(0, {"a": 0})
        behind = asyncio.create_task(other.append(0, [append(to("a", 0, "theirs"))]))
        await asyncio.sleep(0.1)
        async with await AsyncConnection.connect(ledger_url, autocommit=True) as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks"
                " WHERE locktype = 'advisory' AND granted AND classid = 1953853038"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        assert await behind == [Appended(1)]
        with pytest.raises(StoreUnavailable):
            await turn.append(0, [append(to("a", 0, "ours"))])
    assert await told(store) == [(1, "a", 1, "theirs")]


async def test_who_keeps_a_turn_and_does_nothing_loses_it(
    store: PostgresEventStore, ledger_url: str
):
    async with PostgresEventStore(ledger_url) as other, store.alone(0) as turn:
        async with asyncio.timeout(25):
            assert await other.append(0, [append(to("a", 0, "theirs"))]) == [Appended(1)]
        with pytest.raises(StoreUnavailable):
            await turn.append(0, [append(to("a", 0, "ours"))])


async def test_an_append_that_fails_as_a_whole_ends_its_turn(store: PostgresEventStore):
    before = list(store._connections._idle)
    async with store.alone(0) as turn:
        with pytest.raises(psycopg.DataError):
            await turn.append(0, [append(to("nul\x00", 0, "one"))])
    assert await store.append(0, [append(to("a", 0, "one"))]) == [Appended(1)]
    async with store.alone(0) as turn:
        assert await turn.append(0, [append(to("a", 1, "two"))]) == [Appended(2)]
    assert store._connections._idle == before, "the connection is as good as before"


async def test_who_waits_for_turns_leaves_connections_for_others(ledger_url: str):
    async with (
        PostgresEventStore(ledger_url) as other,
        PostgresEventStore(ledger_url, connections_max=2) as store,
        other.alone(0),
    ):
        waiting = [asyncio.create_task(_take(store)) for _ in range(3)]
        await asyncio.sleep(0.1)
        async with asyncio.timeout(1):
            assert await store.head(0) == 0
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)


async def _take(store: PostgresEventStore) -> None:
    async with store.alone(0):
        pass
