"""The follower through mempools that forget, crashes, and listeners that fail."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from flamewire_ledger.chains.follow import Follower
from flamewire_ledger.chains.observation import Detected, Included, ListenerBusy
from flamewire_ledger.chains.progress import MemoryFollowerState
from tests.chains.ears import Ears
from tests.chains.scripted_chain import NOON, Scene, ScriptedChain


@pytest.fixture
async def scene() -> Scene:
    made = Scene()
    await made.catch_up()
    return made


async def test_a_transfer_that_waits_is_detected_and_then_included_with_its_first_time(
    scene: Scene,
) -> None:
    sent = scene.chain.wait("sent")
    await scene.catch_up()
    await scene.catch_up()
    scene.chain.waiting.clear()
    scene.chain.grow()
    scene.chain.put("sent", 10)
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["detected", "included"]
    detected, included = scene.ears.heard
    assert isinstance(detected, Detected)
    assert isinstance(included, Included)
    assert included.seen_at == detected.seen_at == NOON


async def test_a_transfer_that_stops_waiting_is_dropped_once_another_block_has_come(
    scene: Scene,
) -> None:
    sent = scene.chain.wait("sent")
    await scene.catch_up()
    scene.chain.waiting.clear()
    await scene.catch_up()
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["detected"]  # a block that holds it may be on its way
    scene.chain.grow()
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["detected", "dropped"]


async def test_nothing_is_dropped_while_too_few_endpoints_tell_the_head(scene: Scene) -> None:
    """One of them alone may be on a fork of its own, or hide what it likes."""
    await scene.catch_up()
    scene.chain.grow()
    sent = scene.chain.put("sent", 10)
    await scene.catch_up()
    scene.chain.is_agreed = False
    scene.chain.fork(10, "b", 40)
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included"]
    scene.chain.fork(10, "a", 41)
    scene.chain.is_agreed = True
    await scene.catch_up()
    assert "dropped" not in scene.ears.stages(sent)


async def test_what_is_gone_is_dropped_when_enough_endpoints_are_back(scene: Scene) -> None:
    await scene.catch_up()
    scene.chain.grow()
    sent = scene.chain.put("sent", 10)
    await scene.catch_up()
    scene.chain.is_agreed = False
    scene.chain.fork(10, "b", 40)
    await scene.catch_up()
    scene.chain.is_agreed = True
    scene.chain.grow(20)
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included", "dropped"]


async def test_a_mempool_that_forgets_for_a_moment_drops_nothing(scene: Scene) -> None:
    sent = scene.chain.wait("sent")
    await scene.catch_up()
    waiting, scene.chain.waiting = scene.chain.waiting, []
    await scene.catch_up()
    scene.chain.waiting = waiting
    await scene.catch_up()
    scene.chain.grow()
    scene.chain.waiting = []
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["detected"]


async def test_an_unconfirmed_transfer_back_in_the_mempool_is_not_dropped(scene: Scene) -> None:
    scene.chain.grow()
    sent = scene.chain.put("sent", 10)
    await scene.catch_up()
    scene.chain.fork(10, "b", 12)
    scene.chain.wait("sent")
    await scene.catch_up()
    scene.chain.grow(2)
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included"]
    scene.chain.waiting.clear()
    scene.chain.grow()
    scene.chain.put("sent", scene.chain.height)
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included", "included"]


async def test_foreign_pending_transfers_are_asked_about_once(scene: Scene) -> None:
    scene.ears.addresses.clear()
    scene.chain.wait("foreign")
    for _ in range(3):
        await scene.catch_up()
    assert len(scene.ears.asked) == 1


async def test_a_crash_between_the_report_and_the_cursor_repeats_the_report(scene: Scene) -> None:
    scene.chain.grow()
    sent = scene.chain.put("sent", 10)
    save, scene.state.save = scene.state.save, _crash  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        await scene.catch_up()
    scene.state.save = save  # type: ignore[method-assign]
    scene.restart()
    await scene.catch_up()
    first, second = scene.ears.heard
    assert scene.ears.stages(sent) == ["included", "included"]
    assert first == second


async def test_what_was_reported_just_before_a_crash_and_then_reorganised_is_dropped(
    scene: Scene,
) -> None:
    scene.chain.grow()
    sent = scene.chain.put("sent", 10)
    save, scene.state.save = scene.state.save, _crash  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        await scene.catch_up()
    scene.state.save = save  # type: ignore[method-assign]
    scene.chain.fork(10, "b", 12)
    scene.restart()
    await scene.catch_up()
    scene.chain.grow()
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included", "dropped"]


async def test_a_block_that_was_never_taken_in_is_not_believed_after_two_crashes() -> None:
    """The cursor passes an abandoned block's height on the new branch: the block stays abandoned."""
    scene = Scene(batch_blocks_max=2)
    await scene.catch_up()
    scene.chain.grow()
    sent = scene.chain.put("sent", 10)
    save, scene.state.save = scene.state.save, _crash  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        await scene.catch_up()
    scene.state.save = save  # type: ignore[method-assign]
    scene.chain.fork(10, "b", 15)
    scene.restart()
    await scene.follower.step()
    scene.restart()
    scene.chain.finalized = 14
    await scene.catch_up()
    scene.chain.grow()
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included", "dropped"]


async def _crash(*_: object) -> None:
    raise RuntimeError("the process died here")


async def test_a_busy_listener_keeps_the_cursor_where_it_is(scene: Scene) -> None:
    scene.chain.grow()
    sent = scene.chain.put("sent", 10)
    scene.ears.busy_times = 3
    for _ in range(3):
        with pytest.raises(ListenerBusy):
            await scene.catch_up()
    cursor, _, _ = await scene.state.load("test:scripted")
    assert cursor is not None
    assert cursor[0] == 9
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included"]


async def test_nothing_is_kept_for_ever() -> None:
    scene = Scene(length=10, blocks_kept=20)
    await scene.catch_up()
    for number in range(100):
        scene.chain.grow()
        scene.chain.put(str(number), scene.chain.height)
        scene.chain.finalized = scene.chain.height - 2
        await scene.catch_up()
    _, blocks, transfers = await scene.state.load("test:scripted")
    assert len(blocks) <= 24
    assert len(transfers) <= 24
    assert scene.ears.stages().count("confirmed") == 98


async def test_what_is_not_confirmed_is_kept_however_long_finality_takes() -> None:
    scene = Scene(length=10, blocks_kept=5)
    await scene.catch_up()
    scene.chain.grow()
    sent = scene.chain.put("sent", 10)
    scene.chain.finalized = 9
    for _ in range(50):
        scene.chain.grow()
        await scene.catch_up()
    scene.restart()
    scene.chain.finalized = 50
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["included", "confirmed"]


async def test_a_chain_that_is_down_is_asked_ever_more_slowly_until_it_is_back() -> None:
    scene = Scene(backoff_seconds=0.01, backoff_seconds_max=0.04, poll_seconds=0.01)
    scene.chain.faults = 5
    stop = asyncio.Event()
    running = asyncio.create_task(scene.follower.run(until=stop))
    loop = asyncio.get_running_loop()
    began = loop.time()
    while scene.follower.height is None:
        await asyncio.sleep(0.005)
    # 10 + 20 + 40 + 40 + 40 ms
    assert loop.time() - began >= 0.14
    assert scene.follower.height == 9
    stop.set()
    await asyncio.wait_for(running, 5)


async def test_a_fault_that_time_does_not_mend_ends_the_run() -> None:
    scene = Scene()
    scene.state.load = _crash  # type: ignore[method-assign, assignment]
    with pytest.raises(RuntimeError):
        await asyncio.wait_for(scene.follower.run(), 5)


@pytest.mark.parametrize(("seconds", "first"), [(-100, 0), (0, 0), (65, 5), (69, 9), (500, 9)])
async def test_without_state_it_starts_where_somebody_may_wait(seconds: int, first: int) -> None:
    chain = ScriptedChain()  # of ten blocks, a second apart

    async def since() -> datetime:
        return NOON + timedelta(seconds=seconds)

    ears = Ears("ours")
    sent = [chain.put(f"transfer {height}", height) for height in range(10)]
    await Follower(chain, ears, MemoryFollowerState(), since=since).catch_up()
    assert [each.transfer for each in ears.heard if isinstance(each, Included)] == sent[first:]


async def test_without_state_and_anybody_who_waits_it_starts_at_the_head() -> None:
    async def since() -> None:
        return None

    chain = ScriptedChain()
    following = Follower(chain, Ears("ours"), MemoryFollowerState(), since=since)
    await following.catch_up()
    assert "blocks 9 9" in chain.asked


async def test_that_a_transfer_is_gone_is_told_until_no_report_from_before_can_come_late() -> None:
    """Who followed before may have sent one that the database records after the drop was decided."""
    scene = Scene(late_seconds_max=3600)
    await scene.catch_up()
    sent = scene.chain.wait("sent")
    await scene.catch_up()
    scene.chain.waiting.clear()
    await scene.catch_up()
    scene.chain.grow()
    for _ in range(3):
        await scene.catch_up()
    assert scene.ears.stages(sent) == ["detected", "dropped", "dropped", "dropped"]

    scene.restart()
    await scene.catch_up()
    assert scene.ears.stages(sent)[-1] == "dropped", "a crash does not end it"
    assert len(scene.ears.stages(sent)) == 5


async def test_a_transfer_that_is_told_to_be_gone_and_comes_back_is_included() -> None:
    scene = Scene(late_seconds_max=3600)
    await scene.catch_up()
    sent = scene.chain.wait("sent")
    await scene.catch_up()
    scene.chain.waiting.clear()
    await scene.catch_up()
    scene.chain.grow()
    await scene.catch_up()
    scene.chain.grow()
    scene.chain.put("sent", scene.chain.height)
    await scene.catch_up()
    await scene.catch_up()
    assert scene.ears.stages(sent)[-1] == "included"
