"""The follower where a chain behaves as badly as it can: a chain whose every answer is the test's."""

from __future__ import annotations

import pytest

from flamewire_ledger.chains.observation import Dropped, Included, ListenerBusy
from tests.chains.scripted_chain import Scene


@pytest.fixture
async def scene() -> Scene:
    made = Scene()
    await made.catch_up()
    return made


async def test_a_fresh_follower_starts_at_the_head_and_takes_that_block_in() -> None:
    scene = Scene()
    scene.chain.put("old", 8)
    head = scene.chain.put("head", 9)
    await scene.catch_up()
    assert scene.follower.height == 9
    assert scene.ears.asked == [head]


async def test_a_block_is_read_once(scene: Scene) -> None:
    scene.chain.grow(5)
    await scene.catch_up()
    await scene.catch_up()
    assert [each for each in scene.chain.asked if each.startswith("blocks")] == [
        "blocks 9 9", "blocks 10 14",
    ]  # fmt: skip


async def test_batches_are_bounded() -> None:
    scene = Scene(batch_blocks_max=4)
    scene.start_height = 0
    scene.restart()
    await scene.catch_up()
    assert [each for each in scene.chain.asked if each.startswith("blocks")] == [
        "blocks 0 3", "blocks 4 7", "blocks 8 9",
    ]  # fmt: skip


@pytest.mark.parametrize("depth", [1, 2, 5, 100])
async def test_a_reorganisation_of_any_depth_is_followed(depth: int) -> None:
    scene = Scene(length=150)
    scene.start_height = 20
    scene.restart()
    stays = scene.chain.put("stays", 149 - depth)
    goes = scene.chain.put("goes", 150 - depth)
    await scene.catch_up()
    scene.chain.fork(150 - depth, "b", 151)
    comes = scene.chain.put("comes", 150)
    await scene.catch_up()
    scene.chain.grow(2)
    await scene.catch_up()
    assert scene.ears.stages(stays) == ["included"]
    assert scene.ears.stages(goes) == ["included", "dropped"]
    assert scene.ears.stages(comes) == ["included"]


async def test_the_common_ancestor_is_found_in_few_questions() -> None:
    scene = Scene(length=300)
    scene.start_height = 0
    scene.restart()
    await scene.catch_up()
    scene.chain.asked.clear()
    scene.chain.fork(150, "b", 301)
    await scene.catch_up()
    assert len([each for each in scene.chain.asked if each.startswith("block_at")]) <= 9


async def test_a_rival_head_of_the_same_height_is_noticed(scene: Scene) -> None:
    scene.chain.grow()
    await scene.catch_up()
    scene.chain.fork(10, "b", 11)
    comes = scene.chain.put("comes", 10)
    await scene.catch_up()
    assert scene.follower.height == 10
    assert scene.ears.stages(comes) == ["included"]


async def test_a_transfer_that_moves_to_another_block_is_reported_there_with_its_first_time(
    scene: Scene,
) -> None:
    scene.chain.grow()
    moved = scene.chain.put("moved", 10)
    await scene.catch_up()
    scene.chain.fork(10, "b", 13)
    scene.chain.put("moved", 12)
    await scene.catch_up()
    first, second = scene.ears.heard
    assert scene.ears.stages(moved) == ["included", "included"]
    assert isinstance(first, Included)
    assert isinstance(second, Included)
    assert (first.block.hash, second.block.hash) == ("10a", "12b")
    assert second.seen_at == first.seen_at == first.block.at
    assert second.epoch == first.epoch + 1


async def test_a_block_that_comes_back_is_another_story(scene: Scene) -> None:
    """Out and in again, into the same block: told again, under another epoch."""
    scene.chain.grow()
    sent = scene.chain.put("sent", 10)
    await scene.catch_up()
    scene.chain.fork(10, "b", 12)
    await scene.catch_up()
    scene.chain.grow()
    await scene.catch_up()
    scene.chain.fork(10, "a", 14)
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included", "dropped", "included"]
    assert [each.epoch for each in scene.ears.heard] == [0, 1, 2]


async def test_what_was_final_and_is_gone_is_reported_as_dropped(scene: Scene) -> None:
    scene.chain.grow()
    sent = scene.chain.put("sent", 10)
    scene.chain.finalized = 10
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included", "confirmed"]
    scene.chain.fork(10, "b", 12)
    await scene.catch_up()
    assert scene.ears.stages(sent)[-1] == "dropped"


async def test_what_was_final_and_is_in_another_block_is_confirmed_there(scene: Scene) -> None:
    scene.chain.grow()
    sent = scene.chain.put("sent", 10)
    scene.chain.finalized = 10
    await scene.catch_up()
    scene.chain.fork(10, "b", 13)
    scene.chain.put("sent", 11)
    await scene.catch_up()
    scene.chain.finalized = 12
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included", "confirmed", "included", "confirmed"]


async def test_a_reorganisation_below_everything_that_is_remembered_starts_over_there() -> None:
    scene = Scene(length=50, blocks_kept=5)
    scene.start_height = 10
    scene.chain.finalized = 40
    scene.restart()
    kept = scene.chain.put("sent", 45)
    await scene.catch_up()
    scene.chain.fork(1, "b", 60)
    again = scene.chain.put("sent", 50)
    await scene.catch_up()
    assert kept == again
    assert scene.follower.height == 59
    assert scene.ears.stages(kept) == ["included", "included"]


async def test_a_head_that_lags_is_waited_for(scene: Scene) -> None:
    scene.chain.grow(3)
    sent = scene.chain.put("sent", 12)
    await scene.catch_up()
    whole = list(scene.chain.branch)
    del scene.chain.branch[-2:]
    await scene.catch_up()
    assert scene.follower.height == 12
    scene.chain.branch = whole
    scene.chain.grow()
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included"]


async def test_a_shorter_rival_branch_is_followed(scene: Scene) -> None:
    scene.chain.grow(3)
    goes = scene.chain.put("goes", 12)
    await scene.catch_up()
    scene.chain.fork(11, "b", 12)
    await scene.catch_up()
    assert scene.follower.height == 11
    scene.chain.grow(3)
    await scene.catch_up()
    scene.chain.grow()
    await scene.catch_up()
    assert scene.ears.stages(goes) == ["included", "dropped"]


async def test_a_hole_at_the_very_first_block_is_not_stepped_over_either() -> None:
    scene = Scene()
    scene.start_height = 5
    scene.restart()
    inside = scene.chain.put("inside", 5)
    scene.chain.hole_at = 5
    await scene.catch_up()
    scene.chain.hole_at = None
    await scene.catch_up()
    assert scene.ears.stages(inside) == ["included"]


async def test_a_hole_in_the_answer_is_never_stepped_over(scene: Scene) -> None:
    scene.chain.grow(5)
    inside = scene.chain.put("inside", 12)
    scene.chain.hole_at = 12
    await scene.catch_up()
    assert scene.follower.height == 11
    scene.chain.hole_at = None
    await scene.catch_up()
    assert scene.ears.stages(inside) == ["included"]


async def test_nothing_is_final_while_what_is_behind_it_cannot_be_had(scene: Scene) -> None:
    """A head far ahead says nothing about the cursor's block: that may be on an abandoned branch."""
    scene.chain.grow()
    sent = scene.chain.put("sent", 10)
    await scene.catch_up()
    scene.chain.fork(10, "b", 15)
    scene.chain.finalized = 13
    scene.chain.hole_at = 11
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included"]
    scene.chain.hole_at = None
    await scene.catch_up()
    scene.chain.grow()
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included", "dropped"]


async def test_a_transfer_that_comes_back_to_another_address_is_gone_and_another_one(
    scene: Scene,
) -> None:
    """A contract can pay whom it likes, each time it is executed."""
    scene.ears.addresses.add("ours too")
    scene.chain.grow()
    first = scene.chain.put("sent", 10)
    await scene.catch_up()
    scene.chain.fork(10, "b", 12)
    second = scene.chain.put_to("ours too", "sent", 11)
    assert first.key == second.key
    scene.chain.finalized = 11
    await scene.catch_up()
    told = [(type(each).__name__, each.transfer.address) for each in scene.ears.heard]
    assert told == [
        ("Included", "ours"), ("Dropped", "ours"), ("Included", "ours too"), ("Confirmed", "ours too"),
    ]  # fmt: skip
    scene.restart()
    scene.ears.forget()
    await scene.catch_up()
    assert scene.ears.heard == []
    assert scene.follower.stages == {"confirmed": 1}


async def test_a_transfer_that_comes_back_to_a_stranger_is_dropped_and_forgotten(
    scene: Scene,
) -> None:
    scene.chain.grow()
    sent = scene.chain.put("sent", 10)
    await scene.catch_up()
    scene.chain.fork(10, "b", 12)
    scene.chain.put_to("a stranger", "sent", 11)
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included", "dropped"]
    assert scene.follower.stages == {}
    scene.restart()
    await scene.catch_up()
    assert scene.follower.stages == {}


async def test_a_drop_of_what_another_took_the_name_of_survives_a_crash(scene: Scene) -> None:
    scene.chain.grow()
    scene.chain.put("sent", 10)
    await scene.catch_up()
    scene.chain.fork(10, "b", 12)
    scene.chain.put_to("a stranger", "sent", 11)
    await scene.follower.step()  # back to the common ancestor
    scene.ears.busy_times = 1
    with pytest.raises(ListenerBusy):
        await scene.follower.step()
    scene.restart()
    await scene.catch_up()
    assert [each.transfer.address for each in scene.ears.heard if isinstance(each, Dropped)] == [
        "ours"
    ]
