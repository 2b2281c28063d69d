"""A batch decides each command on what the one before it left, and records them in one append."""

from __future__ import annotations

from copy import deepcopy
from uuid import uuid4

import msgspec

from flamewire_ledger.commands.batch import Again, BatchExecutor
from flamewire_ledger.commands.decider import Done, Failed
from flamewire_ledger.commands.patience import PatientStore
from flamewire_ledger.domain.rejection import IdempotencyKeyReused, NotAllowed
from flamewire_ledger.store.event_store import NewEvent, StateSnapshot, StreamAppend
from tests.commands.counter import (
    CODEC,
    Purse,
    break_down,
    break_down_below,
    empty,
    fill,
    fill_if_other_is_empty,
    look,
    move,
    said_to_be_new,
)
from tests.commands.watched_store import WatchedStore
from tests.store.contract import append


def executor(store: WatchedStore, **limits: int) -> BatchExecutor:
    wanted = {"streams_kept_max": 100, "snapshot_every_events": 500} | limits
    return BatchExecutor(PatientStore(store, seconds_max=2), CODEC, 0, **wanted)


async def elsewhere(store: WatchedStore, stream_id: str, version: int, coins: int) -> None:
    """Another writer fills a purse."""
    event = filled(coins)
    await WatchedStore.append(store, 0, [append(StreamAppend(stream_id, version, [event]))])
    store.asked.clear()


def filled(coins: int) -> NewEvent:
    return NewEvent("purse.filled.v1", b'{"coins":%d}' % coins)


async def test_commands_on_one_stream_build_on_each_other_in_one_append():
    store = WatchedStore()
    outcomes = await executor(store).execute([fill("a", 5), empty("a", 3), empty("a", 3)])
    assert outcomes[:2] == [Done(1, b"5", False), Done(2, b"2", False)]
    assert isinstance(outcomes[2], NotAllowed)
    assert store.asked["append"] == 1
    assert await store.head(0) == 2


async def test_a_known_stream_is_not_loaded_again():
    store = WatchedStore()
    batches = executor(store)
    await batches.execute([fill("a", 5)])
    store.asked.clear()
    assert await batches.execute([empty("a", 5)]) == [Done(2, b"0", False)]
    assert store.asked == {"append": 1}


async def test_streams_beyond_the_limit_are_loaded_again():
    store = WatchedStore()
    batches = executor(store, streams_kept_max=1)
    await batches.execute([fill("a", 5), fill("b", 1)])
    assert await batches.execute([empty("a", 5)]) == [Done(3, b"0", False)]


async def test_events_of_several_streams_are_recorded_together():
    store = WatchedStore()
    outcomes = await executor(store).execute([fill("a", 5), move("a", "b", 2)])
    assert outcomes[1] == Done(3, b"3", False)
    recorded = await store.read(0, 0, 10)
    assert [(e.stream_id, e.version) for e in recorded] == [("a", 1), ("a", 2), ("b", 1)]
    assert msgspec.json.decode(recorded[1].metadata) == {
        "actor": "cli",
        "causation_id": None,
        "correlation_id": None,
    }


async def test_the_same_command_again_replays_its_answer():
    store = WatchedStore()
    batches = executor(store)
    command = fill("a", 5)
    await batches.execute([command, fill("a", 1)])
    assert await batches.execute([command]) == [Done(1, b"5", True)]
    assert await store.head(0) == 2


async def test_the_same_command_again_replays_even_if_it_would_be_refused_now():
    store = WatchedStore()
    batches = executor(store)
    command = empty("a", 5)
    await batches.execute([fill("a", 5), command])
    assert await batches.execute([command]) == [Done(2, b"0", True)]


async def test_the_same_id_with_other_content_is_refused():
    store = WatchedStore()
    batches = executor(store)
    command_id = uuid4()
    await batches.execute([fill("a", 5, command_id=command_id)])
    outcomes = await batches.execute(
        [fill("a", 6, command_id=command_id), fill("b", 1), empty("c", 1, command_id=command_id)]
    )
    assert isinstance(outcomes[0], IdempotencyKeyReused)
    assert outcomes[1] == Done(2, b"1", False)
    (last,) = await batches.execute([empty("c", 1, command_id=command_id)])
    assert isinstance(last, IdempotencyKeyReused)
    assert await store.head(0) == 2


async def test_the_same_command_twice_in_one_batch_is_done_once():
    store = WatchedStore()
    command = fill("a", 5)
    other = fill("a", 6, command_id=command.command_id)
    outcomes = await executor(store).execute([command, command, other])
    assert outcomes[:2] == [Done(1, b"5", False), Done(1, b"5", True)]
    assert isinstance(outcomes[2], IdempotencyKeyReused)
    assert await store.head(0) == 1


async def test_an_id_whose_first_command_was_refused_is_free_for_another():
    store = WatchedStore()
    refused = empty("a", 5)
    other = fill("a", 6, command_id=refused.command_id)
    first, second = await executor(store).execute([refused, other])
    assert isinstance(first, NotAllowed)
    assert second == Again(("a",))


async def test_a_conflict_is_tried_again_on_the_newer_state():
    store = WatchedStore()
    batches = executor(store)
    await batches.execute([fill("a", 5)])
    await elsewhere(store, "a", 1, 10)
    assert await batches.execute([empty("a", 5)]) == [Again(("a",))]
    assert await batches.execute([empty("a", 15)]) == [Done(3, b"0", False)]


async def test_nobody_looks_for_a_stream_that_is_said_to_be_new():
    store = WatchedStore()
    batches = executor(store)
    command = said_to_be_new(fill("a", 5))
    assert await batches.execute([command, empty("a", 3)]) == [
        Done(1, b"5", False),
        Done(2, b"2", False),
    ]
    assert await batches.execute([empty("a", 2)]) == [Done(3, b"0", False)]
    assert store.asked == {"append": 2}
    again = said_to_be_new(fill("a", 5, command_id=command.command_id))
    assert await executor(store).execute([again]) == [Done(1, b"5", True)], "known by its id"


async def test_a_stream_that_was_said_to_be_new_and_is_not_is_looked_for():
    store = WatchedStore()
    batches = executor(store)
    await elsewhere(store, "a", 0, 10)
    fills, empties = said_to_be_new(fill("a", 5)), said_to_be_new(empty("a", 15))
    assert await batches.execute([fills]) == [Again(("a",))]
    assert await batches.execute([empties]) == [Again(("a",))], "its refusal is not answered"
    done = [Done(2, b"15", False), Done(3, b"0", False)]
    assert await batches.execute([fills, empties]) == done


async def test_a_refusal_on_an_old_state_is_not_answered():
    store = WatchedStore()
    batches = executor(store)
    await batches.execute([fill("a", 5)])
    await elsewhere(store, "a", 1, 10)
    assert await batches.execute([empty("a", 15)]) == [Again(("a",))]
    assert await batches.execute([empty("a", 15)]) == [Done(3, b"0", False)]


async def test_a_refusal_because_of_what_was_not_recorded_is_not_answered():
    store = WatchedStore()
    batches = executor(store)
    await batches.execute([fill("a", 5)])
    await elsewhere(store, "b", 0, 1)

    async def race() -> None:
        store.before_append = None
        await elsewhere(store, "b", 1, 1)

    store.before_append = race
    outcomes = await batches.execute([move("a", "b", 5), empty("a", 5)])
    assert outcomes == [Again(("b",)), Again(("a",))]


async def test_a_stream_that_was_only_looked_at_must_not_have_moved():
    store = WatchedStore()
    batches = executor(store)
    await batches.execute([fill_if_other_is_empty("a", "lock")])
    await elsewhere(store, "lock", 0, 1)
    assert await batches.execute([fill_if_other_is_empty("a", "lock")]) == [Again(("lock",))]
    (refused,) = await batches.execute([fill_if_other_is_empty("a", "lock")])
    assert isinstance(refused, NotAllowed)


async def test_a_fault_in_deciding_fails_its_own_command_only():
    store = WatchedStore()
    outcomes = await executor(store).execute([fill("a", 5), break_down("a"), empty("a", 5)])
    assert outcomes[0] == Done(1, b"5", False)
    assert isinstance(outcomes[1], Failed)
    assert isinstance(outcomes[1].error, ZeroDivisionError)
    assert outcomes[2] == Done(2, b"0", False)


async def test_a_fault_on_an_old_state_is_not_answered():
    store = WatchedStore()
    batches = executor(store)
    await batches.execute([fill("a", 1)])
    await elsewhere(store, "a", 1, 10)
    await elsewhere(store, "b", 0, 10)
    moved, there = break_down_below("a", 10), said_to_be_new(break_down_below("b", 10))
    assert await batches.execute([moved, there]) == [Again(("a",)), Again(("b",))]
    assert await batches.execute([moved, there]) == [Done(4, b"10", False), Done(5, b"9", False)]


async def test_a_command_that_is_recorded_is_replayed_though_deciding_it_would_fail_now():
    store = WatchedStore()
    batches = executor(store)
    await batches.execute([fill("a", 10)])
    command = break_down_below("a", 10)
    assert await batches.execute([command]) == [Done(2, b"9", False)]
    assert await batches.execute([command]) == [Done(2, b"9", True)]


async def test_a_stream_that_cannot_be_read_fails_its_own_commands_only():
    store = WatchedStore()
    unknown = StreamAppend("a", 0, [NewEvent("purse.lost.v1", b"{}")])
    await store.append(0, [append(unknown)])
    first, second = await executor(store).execute([fill("a", 5), fill("b", 5)])
    assert isinstance(first, Failed)
    assert "purse.lost.v1" in str(first.error)
    assert second == Done(2, b"5", False)


async def test_nothing_new_is_remembered_only_when_asked():
    store = WatchedStore()
    batches = executor(store)
    await batches.execute([fill("a", 5)])
    forgotten, remembered = look("a", remember=False), look("a", remember=True)
    assert await batches.execute([forgotten, remembered]) == [
        Done(1, b"5", False),
        Done(1, b"5", False),
    ]
    ids = [forgotten.command_id, remembered.command_id]
    assert list(await store.find_commands(0, ids)) == [remembered.command_id]
    assert await batches.execute([remembered]) == [Done(1, b"5", True)]


async def test_a_lost_connection_before_the_append_is_mended_by_sending_it_again():
    store = WatchedStore()
    store.unavailable_before = 2
    assert await executor(store).execute([fill("a", 5)]) == [Done(1, b"5", False)]


async def test_a_lost_answer_to_an_append_is_mended_without_doing_it_twice():
    store = WatchedStore()
    store.unavailable_after = 1
    batches = executor(store)
    assert await batches.execute([fill("a", 5), fill("a", 1)]) == [
        Done(1, b"5", False),
        Done(2, b"6", False),
    ]
    assert await batches.execute([empty("a", 6)]) == [Done(3, b"0", False)]
    assert await store.head(0) == 3


async def test_nothing_is_refused_for_what_a_failover_took_back():
    """The store that comes back lacks the last event: its replica had not had it yet."""
    store = WatchedStore()
    batches = executor(store)
    await batches.execute([fill("a", 5)])
    replica = deepcopy(store._partitions)
    await batches.execute([empty("a", 5)])
    store._partitions = replica
    store.unavailable_before = 1
    command = empty("a", 5)
    outcomes = await batches.execute([fill("b", 1), command])
    assert outcomes == [Done(2, b"1", False), Again(("a",))]
    assert await batches.execute([command]) == [Done(3, b"0", False)]


async def test_a_long_stream_gets_a_snapshot_and_is_folded_from_it():
    store = WatchedStore()
    await executor(store, snapshot_every_events=4).execute([fill("a", 1)])
    batches = executor(store, snapshot_every_events=4)
    await batches.execute([fill("a", 1)])
    await batches.execute([fill("a", 1) for _ in range(8)])
    await batches.save_snapshots()
    snapshot = (await store.snapshots(0, ["a"]))["a"]
    assert snapshot.version == 10
    assert CODEC.decode_state(snapshot.state, Purse) == Purse(10, 10)
    forged = StateSnapshot("a", 10, "1", CODEC.encode_state(Purse(1000, 10)))
    await store.save_snapshots(0, [forged])
    assert await executor(store).execute([fill("a", 1)]) == [Done(11, b"1001", False)]


async def test_a_snapshot_of_another_format_or_shape_is_as_good_as_none():
    store = WatchedStore()
    await executor(store).execute([fill("a", 1), fill("b", 1)])
    await store.save_snapshots(
        0,
        [
            StateSnapshot("a", 1, "0", CODEC.encode_state(Purse(1000, 1))),
            StateSnapshot("b", 1, "1", b"\xc1 no state"),
        ],
    )
    outcomes = await executor(store).execute([fill("a", 1), fill("b", 1)])
    assert outcomes == [Done(3, b"2", False), Done(4, b"2", False)]


async def test_a_long_stream_without_a_snapshot_gets_one_when_it_is_loaded():
    store = WatchedStore()
    await executor(store).execute([fill("a", 1) for _ in range(9)])
    batches = executor(store, snapshot_every_events=4)
    await batches.execute([fill("a", 1)])
    await batches.save_snapshots()
    assert (await store.snapshots(0, ["a"]))["a"].version == 10


async def test_a_snapshot_that_cannot_be_saved_is_nobodys_business():
    store = WatchedStore()
    store.snapshots_fail = True
    batches = executor(store, snapshot_every_events=1)
    assert await batches.execute([fill("a", 5)]) == [Done(1, b"5", False)]
    await batches.save_snapshots()
    assert await store.snapshots(0, ["a"]) == {}


async def test_a_state_that_cannot_be_encoded_is_kept_without_a_snapshot():
    store = WatchedStore()
    batches = executor(store, snapshot_every_events=2)
    coins = 10**30  # MessagePack ends at 64 bits
    outcomes = await batches.execute([fill("a", coins), fill("a", 1), fill("b", 1), fill("b", 2)])
    assert [type(outcome) for outcome in outcomes] == [Done] * 4
    await batches.save_snapshots()
    assert list(await store.snapshots(0, ["a", "b"])) == ["b"]
    assert await executor(store).execute([empty("a", coins)]) == [Done(5, b"1", False)]
