"""What every event store promises; each test takes `store`: memory, and Postgres."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from flamewire_ledger.store.connections import Connection
from flamewire_ledger.store.event_store import (
    Append,
    Appended,
    Conflict,
    Duplicate,
    EventStore,
    NewEvent,
    RecordedCommand,
    StateSnapshot,
    StreamAppend,
)


def events(*names: str) -> list[NewEvent]:
    return [NewEvent("thing.said.v1", f'{{"name":"{name}"}}'.encode()) for name in names]


def append(
    *streams: StreamAppend,
    command_id: UUID | None = None,
    fingerprint: bytes = b"content",
    answer: bytes | None = None,
) -> Append:
    return Append(
        command_id=command_id or uuid4(),
        fingerprint=fingerprint,
        merchant_id="mer_1",
        metadata=b'{"actor":"cli"}',
        streams=streams,
        answer=answer,
    )


def to(stream_id: str, expected_version: int, *names: str) -> StreamAppend:
    return StreamAppend(stream_id, expected_version, events(*names))


async def told(store: EventStore, partition: int = 0) -> list[tuple[int, str, int, str]]:
    return [
        (event.position, event.stream_id, event.version, event.data.decode()[9:-2])
        for event in await store.read(partition, 0, 1000)
    ]


class EventStoreContract:
    async def until_in_line(self, store: Any, waiting: int) -> None:
        """Return when so many wait for a turn; in memory, whoever has begun to ask waits."""
        for _ in range(waiting):
            await asyncio.sleep(0)

    async def test_an_empty_store_has_nothing(self, store: EventStore):
        assert store.partitions == 2
        assert await store.head(0) == 0
        assert await store.read(0, 0, 10) == []
        assert await store.load(0, {"a": 0}) == {"a": []}
        assert await store.find_commands(0, [uuid4()]) == {}
        assert await store.snapshots(0, ["a"]) == {}
        assert await store.append(0, []) == []

    async def test_what_is_appended_is_read_back_to_the_byte(self, store: EventStore):
        command = append(to("a", 0, "one", "two"), answer=b"\x00answer")
        assert await store.append(0, [command]) == [Appended(2)]
        first, second = await store.read(0, 0, 10)
        assert (first.position, first.partition, first.stream_id, first.version) == (1, 0, "a", 1)
        assert (first.type, first.data) == ("thing.said.v1", b'{"name":"one"}')
        assert first.merchant_id == "mer_1"
        assert first.metadata == b'{"actor":"cli"}'
        assert first.command_id == command.command_id
        assert first.recorded_at.utcoffset() == timedelta(0)
        assert (second.position, second.version) == (2, 2)
        assert await store.find_commands(0, [command.command_id]) == {
            command.command_id: RecordedCommand(b"content", 2, b"\x00answer")
        }

    async def test_positions_follow_the_order_of_the_batch(self, store: EventStore):
        verdicts = await store.append(
            0,
            [
                append(to("a", 0, "a1"), to("b", 0, "b1")),
                append(to("c", 0)),
                append(to("a", 1, "a2")),
            ],
        )
        assert verdicts == [Appended(2), Appended(2), Appended(3)]
        assert await told(store) == [(1, "a", 1, "a1"), (2, "b", 1, "b1"), (3, "a", 2, "a2")]

    async def test_partitions_have_positions_of_their_own(self, store: EventStore):
        await store.append(0, [append(to("a", 0, "a1"))])
        assert await store.append(1, [append(to("a", 0, "x1"))]) == [Appended(1)]
        assert [event.partition for event in await store.read(1, 0, 10)] == [1]
        assert (await store.head(0), await store.head(1)) == (1, 1)

    async def test_an_id_that_is_there_is_a_duplicate_and_records_nothing(self, store: EventStore):
        command = append(to("a", 0, "one"), answer=b"yes")
        await store.append(0, [command])
        again = append(to("a", 1, "two"), command_id=command.command_id, fingerprint=b"other")
        recorded = RecordedCommand(b"content", 1, b"yes")
        assert await store.append(0, [again]) == [Duplicate(recorded)]
        assert await told(store) == [(1, "a", 1, "one")]

    async def test_an_id_twice_in_a_batch_is_recorded_once(self, store: EventStore):
        command_id = uuid4()
        verdicts = await store.append(
            0,
            [
                append(to("a", 0, "one"), command_id=command_id, answer=b"first"),
                append(to("b", 0, "two"), command_id=command_id, answer=b"second"),
                append(to("b", 0, "three")),
            ],
        )
        first = RecordedCommand(b"content", 1, b"first")
        assert verdicts == [Appended(1), Duplicate(first), Conflict(("b",))]
        assert await told(store) == [(1, "a", 1, "one")]

    async def test_a_refused_id_may_come_again_in_the_same_batch(self, store: EventStore):
        command_id = uuid4()
        verdicts = await store.append(
            0,
            [
                append(to("a", 7, "one"), command_id=command_id),
                append(to("b", 0, "two"), command_id=command_id),
            ],
        )
        assert verdicts == [Conflict(("a",)), Appended(1)]

    async def test_a_stream_elsewhere_is_a_conflict_that_names_it(self, store: EventStore):
        await store.append(0, [append(to("a", 0, "one"))])
        verdicts = await store.append(0, [append(to("b", 0, "x"), to("a", 0, "late"))])
        assert verdicts == [Conflict(("a",))]
        assert await told(store) == [(1, "a", 1, "one")]

    async def test_a_conflict_leaves_no_trace_of_its_id(self, store: EventStore):
        command = append(to("a", 3, "one"))
        await store.append(0, [command])
        assert await store.find_commands(0, [command.command_id]) == {}
        again = append(to("a", 0, "one"), command_id=command.command_id)
        assert await store.append(0, [again]) == [Appended(1)]

    async def test_what_shares_a_stream_with_a_conflict_goes_along(self, store: EventStore):
        await store.append(0, [append(to("a", 0, "one"))])
        verdicts = await store.append(
            0,
            [
                append(to("a", 0, "stale"), to("b", 0, "with it")),
                append(to("b", 0, "tainted"), to("c", 0, "too")),
                append(to("c", 0, "as well")),
                append(to("d", 0, "free")),
                append(to("a", 1, "right, but behind a stale one")),
            ],
        )
        assert verdicts == [
            Conflict(("a",)),
            Conflict(("b",)),
            Conflict(("c",)),
            Appended(2),
            Conflict(("a",)),
        ]
        assert await told(store) == [(1, "a", 1, "one"), (2, "d", 1, "free")]

    async def test_what_shares_a_stream_with_a_duplicate_goes_along(self, store: EventStore):
        command = append(to("a", 0, "one"))
        await store.append(0, [command])
        verdicts = await store.append(
            0, [command, append(to("a", 1, "two")), append(to("b", 0, "x"))]
        )
        recorded = RecordedCommand(b"content", 1, None)
        assert verdicts == [Duplicate(recorded), Conflict(("a",)), Appended(2)]

    async def test_a_wrong_chain_within_a_batch_is_a_conflict(self, store: EventStore):
        verdicts = await store.append(
            0, [append(to("a", 0, "one")), append(to("a", 0, "rival")), append(to("b", 0, "x"))]
        )
        assert verdicts == [Appended(1), Conflict(("a",)), Appended(2)]

    async def test_a_stream_may_be_looked_at_without_events(self, store: EventStore):
        await store.append(0, [append(to("lock", 0, "made"))])
        good = append(to("a", 0, "uses it"), to("lock", 1))
        late = append(to("b", 0, "uses it"), to("lock", 0))
        absent = append(to("c", 0, "no such"), to("none", 0))
        assert await store.append(0, [good]) == [Appended(2)]
        assert await store.append(0, [late]) == [Conflict(("lock",))]
        assert await store.append(0, [absent]) == [Appended(3)]
        assert await store.append(0, [append(to("none", 0, "made"))]) == [Appended(4)]

    async def test_an_id_may_be_kept_without_streams(self, store: EventStore):
        await store.append(0, [append(to("a", 0, "one"))])
        bare = append(answer=b"nothing new")
        assert await store.append(0, [bare]) == [Appended(1)]
        found = await store.find_commands(0, [bare.command_id])
        assert found[bare.command_id] == RecordedCommand(b"content", 1, b"nothing new")

    async def test_load_gives_each_stream_what_is_behind_the_version(self, store: EventStore):
        await store.append(0, [append(to("a", 0, "a1", "a2", "a3"), to("b", 0, "b1"))])
        loaded = await store.load(0, {"a": 1, "b": 1, "c": 0})
        assert [(e.version, e.data) for e in loaded["a"]] == [
            (2, b'{"name":"a2"}'),
            (3, b'{"name":"a3"}'),
        ]
        assert loaded["b"] == []
        assert loaded["c"] == []

    async def test_read_stops_at_its_limit_and_at_until(self, store: EventStore):
        await store.append(0, [append(to("a", 0, *"abcdef"))])
        assert [e.position for e in await store.read(0, 2, 2)] == [3, 4]
        assert [e.position for e in await store.read(0, 2, 10, until=4)] == [3, 4]
        assert await store.read(0, 4, 10, until=4) == []
        assert await store.read(0, 6, 10) == []

    async def test_read_stream_pages_by_version(self, store: EventStore):
        await store.append(0, [append(to("a", 0, *"abcd"), to("b", 0, "x"))])
        assert [e.version for e in await store.read_stream(0, "a")] == [1, 2, 3, 4]
        page = await store.read_stream(0, "a", after_version=1, limit=2)
        assert [e.version for e in page] == [2, 3]
        assert await store.read_stream(0, "none") == []

    async def test_the_newest_snapshot_is_kept(self, store: EventStore):
        old = StateSnapshot("a", 500, "1", b"old")
        new = StateSnapshot("a", 1000, "2", b"new\x00")
        await store.save_snapshots(0, [old])
        await store.save_snapshots(0, [new, StateSnapshot("b", 500, "1", b"b")])
        await store.save_snapshots(0, [old])
        found = await store.snapshots(0, ["a", "b", "c"])
        assert found == {"a": new, "b": StateSnapshot("b", 500, "1", b"b")}
        assert await store.snapshots(1, ["a"]) == {}

    async def test_a_position_is_found_by_time(self, store: EventStore):
        start = datetime(2000, 1, 1, tzinfo=UTC)
        assert await store.position_at(0, start) == 0
        times = []
        for version in range(5):
            await store.append(0, [append(to("a", version, "x"))])
            times.append((await store.read(0, version, 1))[0].recorded_at)
            await asyncio.sleep(0.002)
        assert times == sorted(times)
        assert await store.position_at(0, start) == 0
        assert await store.position_at(0, times[0] - timedelta(microseconds=1)) == 0
        for index, at in enumerate(times):
            assert await store.position_at(0, at) == index + 1
        assert await store.position_at(0, datetime(2999, 1, 1, tzinfo=UTC)) == 5

    async def test_a_waiting_reader_is_woken_by_an_append(self, store: EventStore):
        waiting = asyncio.create_task(store.wait_beyond(0, 0, 20))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await store.append(0, [append(to("a", 0, "one"))])
        await asyncio.wait_for(waiting, 5)

    async def test_nobody_waits_for_what_is_there_or_longer_than_asked(self, store: EventStore):
        await store.append(0, [append(to("a", 0, "one"))])
        async with asyncio.timeout(5):
            await store.wait_beyond(0, 0, 60)
            await store.wait_beyond(0, 1, 0.05)

    async def test_appends_at_once_leave_no_gap(self, store: EventStore):
        async def write(stream_id: str) -> None:
            for version in range(10):
                (verdict,) = await store.append(
                    0,
                    [
                        append(
                            to(
                                stream_id,
                                version,
                                "x",
                            )
                        )
                    ],
                )
                assert isinstance(verdict, Appended)

        await asyncio.gather(*(write(f"s{n}") for n in range(8)))
        assert [e.position for e in await store.read(0, 0, 1000)] == list(range(1, 81))

    async def test_of_rivals_for_one_version_one_wins(self, store: EventStore):
        rivals = [append(to("a", 0, str(n))) for n in range(8)]
        verdicts = await asyncio.gather(*(store.append(0, [rival]) for rival in rivals))
        won = [v for (v,) in verdicts if isinstance(v, Appended)]
        lost = [v for (v,) in verdicts if isinstance(v, Conflict)]
        assert (len(won), len(lost)) == (1, 7)
        assert await store.head(0) == 1

    async def test_an_append_names_each_stream_once(self, store: EventStore):
        with pytest.raises(ValueError, match="once"):
            append(to("a", 0, "one"), to("a", 1, "two"))

    async def test_who_has_a_turn_loads_and_appends_before_everybody_else(self, store: EventStore):
        await store.append(0, [append(to("a", 0, "one"))])
        async with store.alone(0) as turn:
            behind = asyncio.create_task(store.append(0, [append(to("a", 1, "late"))]))
            await asyncio.sleep(0.1)
            assert not behind.done()
            assert [e.version for e in (await turn.load(0, {"a": 0}))["a"]] == [1]
            assert await store.head(0) == 1, "who only reads does not wait"
            assert await turn.append(0, [append(to("a", 1, "two"))]) == [Appended(2)]
        assert await behind == [Conflict(("a",))]
        assert await told(store) == [(1, "a", 1, "one"), (2, "a", 2, "two")]

    async def test_what_a_turn_loads_has_what_was_recorded_while_it_waited(self, store: EventStore):
        async def second() -> list[int]:
            async with store.alone(0) as turn:
                return [e.version for e in (await turn.load(0, {"a": 0}))["a"]]

        async with store.alone(0) as turn:
            waiting = asyncio.create_task(second())
            await asyncio.sleep(0.1)
            await turn.append(0, [append(to("a", 0, "one"))])
        assert await waiting == [1]

    async def test_turns_come_in_the_order_of_asking(self, store: EventStore):
        order: list[int] = []

        async def take(number: int) -> None:
            async with store.alone(0):
                order.append(number)

        async with store.alone(0) as turn:
            waiting = []
            for number in range(3):
                waiting.append(asyncio.create_task(take(number)))
                await self.until_in_line(store, number + 1)
            assert order == []
            await turn.append(0, [append(to("a", 0, "one"))])
        await asyncio.gather(*waiting)
        assert order == [0, 1, 2]

    async def test_a_turn_that_ends_without_an_append_has_changed_nothing(self, store: EventStore):
        async with store.alone(0) as turn:
            assert await turn.snapshots(0, ["a"]) == {}
        with pytest.raises(ZeroDivisionError):
            async with store.alone(0):
                raise ZeroDivisionError
        assert await store.append(0, [append(to("a", 0, "one"))]) == [Appended(1)]

    async def test_a_turn_at_one_partition_leaves_the_others_alone(self, store: EventStore):
        async with store.alone(0), asyncio.timeout(5):
            assert await store.append(1, [append(to("a", 0, "one"))]) == [Appended(1)]

    async def test_an_append_in_a_turn_has_the_verdicts_of_any_other(self, store: EventStore):
        known = append(to("a", 0, "one"), answer=b"yes")
        twice = append(to("d", 0, "four"))
        await store.append(0, [known])
        batch = [known, append(to("b", 0, "two")), append(to("c", 3, "stale")), append(to("a", 1))]
        async with store.alone(0) as turn:
            assert await turn.append(0, batch) == [
                Duplicate(RecordedCommand(b"content", 1, b"yes")),
                Appended(2),
                Conflict(("c",)),
                Conflict(("a",)),
            ]
        async with store.alone(0) as turn:
            first, second = await turn.append(0, [twice, twice])
        assert first == Appended(3)
        assert second == Duplicate(RecordedCommand(b"content", 3, None))
        assert await told(store) == [(1, "a", 1, "one"), (2, "b", 1, "two"), (3, "d", 1, "four")]


class PostgresEventStoreContract(EventStoreContract):
    """The same of a store in Postgres, of which who waits is seen only there."""

    async def until_in_line(self, store: Any, waiting: int) -> None:
        async with asyncio.timeout(20), store._connections.use() as connection:
            while await _in_line(connection) < waiting:
                await asyncio.sleep(0.01)


async def _in_line(connection: Connection) -> int:
    found = await connection.execute(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    ((waiting,),) = await found.fetchall()
    return int(waiting)
