"""Events in segments: room is made before it is needed, versions stay unique, and reads look where they must."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import psycopg
import pytest
from psycopg import AsyncConnection

from flamewire_ledger.store.arrays import Int4Array, TextArray, register_arrays
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.event_store import Appended, StoreUnavailable
from flamewire_ledger.store.migrate import migrate_blocking
from flamewire_ledger.store.packed_batch import pack_batch
from flamewire_ledger.store.postgres import PostgresEventStore
from flamewire_ledger.store.segments import keep_room_ahead, make_room_ahead
from tests.services.postgres import Databases, database_of
from tests.store.contract import PostgresEventStoreContract, append, to, told
from tests.store.test_postgres import statements

SEGMENT_EVENTS = 4


@pytest.fixture(scope="session")
def segmented_template(databases: Databases) -> str:
    """The name of an empty ledger of two partitions whose segments are tiny."""
    url = databases.create()
    migrate_blocking(url, partitions=2, segment_events=SEGMENT_EVENTS)
    return database_of(url)


@pytest.fixture
def segmented_url(databases: Databases, segmented_template: str) -> Iterator[str]:
    url = databases.create(template=segmented_template)
    yield url
    databases.drop(url)


@pytest.fixture
async def connections(segmented_url: str) -> AsyncIterator[Connections]:
    opened = Connections(segmented_url, size_max=4)
    yield opened
    await opened.close()


@pytest.fixture
async def store(segmented_url: str) -> AsyncIterator[PostgresEventStore]:
    async with PostgresEventStore(segmented_url, connections_max=8) as opened:
        yield opened


def ask(url: str, question: str) -> list[tuple]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(question).fetchall()


def segments(url: str, partition: int = 0) -> list[str]:
    return [
        name
        for (name,) in ask(
            url,
            f"SELECT relid::regclass::text FROM pg_partition_tree('events_{partition}')"
            " WHERE isleaf ORDER BY substring(relid::regclass::text from '[0-9]+$')::bigint",
        )
    ]


class TestEventStoreOfTinySegments(PostgresEventStoreContract):
    pass


async def test_a_new_ledger_has_room_and_one_that_has_events_has_it_ahead(
    store: PostgresEventStore, connections: Connections, segmented_url: str
):
    assert segments(segmented_url) == ["events_0_1"]
    assert await make_room_ahead(connections) == 0
    await store.append(0, [append(to("a", 0, "one"))])
    assert await make_room_ahead(connections) == 1
    assert await make_room_ahead(connections) == 0
    assert segments(segmented_url) == ["events_0_1", "events_0_5"]
    assert segments(segmented_url, 1) == ["events_1_1"]


async def test_a_batch_that_finds_no_room_makes_it(store: PostgresEventStore, segmented_url: str):
    batch = [append(to(f"s{number}", 0, "x")) for number in range(11)]
    assert (await store.append(0, batch))[-1] == Appended(11)
    assert segments(segmented_url) == ["events_0_1", "events_0_5", "events_0_9"]
    # The slow path, where one of the batch is a conflict, does so too.
    mixed = [append(to("s0", 0, "late")), *(append(to(f"t{n}", 0, "x")) for n in range(6))]
    assert (await store.append(0, mixed))[-1] == Appended(17)
    assert [e.position for e in await store.read(0, 0, 100)] == list(range(1, 18))


async def test_those_who_make_room_at_once_make_it_once(
    store: PostgresEventStore, connections: Connections, segmented_url: str
):
    await store.append(0, [append(to("a", 0, "one"))])
    made = await asyncio.gather(
        *(make_room_ahead(connections) for _ in range(3)),
        store.append(0, [append(to("b", 0, *"12345678"))]),
    )
    assert made[3] == [Appended(9)]
    await make_room_ahead(connections)
    assert segments(segmented_url) == ["events_0_1", "events_0_5", "events_0_9", "events_0_13"]


async def test_room_is_made_later_rather_than_appends_held_up(
    store: PostgresEventStore, connections: Connections, segmented_url: str
):
    await store.append(0, [append(to("a", 0, "one"))])
    async with await AsyncConnection.connect(segmented_url) as connection:
        register_arrays(connection.adapters)
        held = pack_batch(0, [append(to("b", 0, "one"))])
        await connection.execute(statements()["append"].query, held)
        begin = asyncio.get_running_loop().time()
        with pytest.raises(StoreUnavailable, match="lock"):
            await make_room_ahead(connections)
        assert asyncio.get_running_loop().time() - begin < 2
        await connection.commit()
    assert await make_room_ahead(connections) == 1


async def test_room_is_kept_ahead_though_a_look_fails_now_and_then(
    store: PostgresEventStore, connections: Connections, segmented_url: str
):
    keeping = asyncio.create_task(keep_room_ahead(connections, look_seconds=0.05))
    async with await AsyncConnection.connect(segmented_url) as connection:
        await connection.execute("SELECT * FROM partitions FOR UPDATE")
        await asyncio.sleep(0.5)
    await store.append(0, [append(to("a", 0, "one"))])
    async with asyncio.timeout(10):
        while len(segments(segmented_url)) < 2:
            await asyncio.sleep(0.05)
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping


async def test_room_is_made_while_a_reader_reads_on(
    store: PostgresEventStore, connections: Connections, segmented_url: str
):
    await store.append(0, [append(to("a", 0, "one"))])
    async with await AsyncConnection.connect(segmented_url) as connection:
        await connection.execute("SELECT count(*) FROM events")  # and its transaction stays open
        assert await make_room_ahead(connections) == 1
        assert await store.append(0, [append(to("b", 0, *"12345"))]) == [Appended(6)]


async def test_a_version_is_there_once_over_all_segments(
    store: PostgresEventStore, segmented_url: str
):
    """No index knows of other segments: rivals with stale versions try for as many segments as they can."""
    seed = random.randrange(2**32)
    dice = random.Random(seed)
    names = ["a", "b", "c"]

    async def rival() -> None:
        for _ in range(25):
            wanted = [append(to(dice.choice(names), dice.randrange(0, 40), "x", "y")) for _ in "12"]
            await store.append(0, wanted)
            name = dice.choice(names)
            version = len(await store.read_stream(0, name))
            await store.append(0, [append(to(name, max(0, version - dice.randrange(2)), "z"))])

    await asyncio.gather(*(rival() for _ in range(4)))
    assert len(segments(segmented_url)) > 5, f"seed {seed}"
    twice = ask(
        segmented_url, "SELECT stream_id, version FROM events GROUP BY 1, 2 HAVING count(*) > 1"
    )
    assert twice == [], f"seed {seed}"
    for name in names:
        versions = [event.version for event in await store.read_stream(0, name)]
        assert versions == list(range(1, len(versions) + 1)), f"seed {seed}"


async def test_the_index_of_a_segment_stops_what_the_head_of_a_stream_let_through(
    store: PostgresEventStore, segmented_url: str
):
    """Within a segment a second line stands behind the first: here the first is broken on purpose."""
    await store.append(0, [append(to("a", 0, "one"))])
    ask_twice = "UPDATE streams SET version = 0 WHERE stream_id = 'a' RETURNING 1"
    ask(segmented_url, ask_twice)
    with pytest.raises(psycopg.errors.UniqueViolation):
        await store.append(0, [append(to("a", 0, "again"))])
    assert await told(store) == [(1, "a", 1, "one")]


def test_a_log_of_an_application_takes_each_version_once_over_all_segments(segmented_url: str):
    """There the application says which versions: one that is taken in an older segment is refused."""
    with psycopg.connect(segmented_url, autocommit=True) as connection:
        register_arrays(connection.adapters)
        connection.execute("SELECT open_log('log')")

        def record(*versions: int) -> None:
            count = len(versions)
            connection.execute(
                "SELECT record_events('log', 0, %b, %b, %b, array_fill(''::bytea, ARRAY[%s]))",
                (TextArray(["s"] * count), Int4Array(versions), TextArray(["T"] * count), count),
            )

        record(1, 2, 3, 5)
        record(6, 7, 8, 9)
        for taken in (1, 5, 9):
            with pytest.raises(psycopg.errors.UniqueViolation):
                record(taken)
        record(4)
        with pytest.raises(psycopg.errors.UniqueViolation):
            record(4)
        row = connection.execute("SELECT count(*), max(position) FROM events").fetchone()
        assert row == (9, 9)


async def fill(store: PostgresEventStore, events: int) -> None:
    """Twenty segments, say: a stream of its own for each event but every seventh, which is of one."""
    for number in range(events):
        if number % 7:
            await store.append(0, [append(to(f"s{number}", 0, "x"))])
        else:
            await store.append(0, [append(to("long", number // 7, "x"))])


@pytest.mark.parametrize("plans", ["force_generic_plan", "force_custom_plan"])
async def test_a_read_by_position_looks_into_the_segments_it_needs(
    store: PostgresEventStore, segmented_url: str, plans: str
):
    await fill(store, 20 * SEGMENT_EVENTS)
    read = statements()["read"].sql.rstrip(";")
    for name, number in (("partition", 1), ("first", 2), ("last", 3)):
        read = read.replace(f"%({name})b", f"${number}")
    with psycopg.connect(segmented_url) as connection:
        connection.execute(f"SET plan_cache_mode = {plans}")
        connection.execute(f"PREPARE reading (int, bigint, bigint) AS {read}")
        explain = "EXPLAIN (ANALYZE, COSTS off) EXECUTE reading(0, 37, 40)"
        plan = "\n".join(line for (line,) in connection.execute(explain))
    assert "events_0_37" in plan
    assert plan.count(" on events_0_") == 1, plan
    assert plans == "force_custom_plan" or "Subplans Removed" in plan


LOOKED_INTO = """
    SELECT relname FROM pg_stat_user_indexes WHERE idx_scan > 0 AND indexrelname LIKE 'events%version%'
"""


async def looked_into(store: PostgresEventStore) -> set[str]:
    """The segments whose streams were looked up by index since the last time."""
    async with (
        store._connections.use() as connection
    ):  # counts are told by the session that made them
        await connection.execute("SELECT pg_stat_force_next_flush()")
        rows = await (await connection.execute(LOOKED_INTO)).fetchall()
        await connection.execute("SELECT pg_stat_reset()")
    return {name for (name,) in rows}


async def test_a_read_by_stream_looks_into_the_segments_that_may_have_it(segmented_url: str):
    async with PostgresEventStore(segmented_url, connections_max=1) as store:
        await fill(store, 20 * SEGMENT_EVENTS)
        await looked_into(store)
        assert len(segments(segmented_url)) == 20

        await store.load(0, {"new": 0, "s1": 1, "long": 12})
        assert await looked_into(store) == set()
        (event,) = (await store.load(0, {"s3": 0}))["s3"]
        assert event.position == 4
        assert await looked_into(store) == {"events_0_1"}
        assert len((await store.load(0, {"long": 10, "s78": 0}))["long"]) == 2
        assert await looked_into(store) == {
            "events_0_77",
            "events_0_73",
            "events_0_69",
        }
        assert [e.version for e in await store.read_stream(0, "long", limit=1)] == [1]
        assert await looked_into(store) == {"events_0_1"}
        assert [e.version for e in (await store.load(0, {"long": 0}))["long"]] == list(range(1, 13))
