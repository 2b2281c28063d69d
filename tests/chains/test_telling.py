"""What the listener does not take in: told again ever more slowly, shown, and never forgotten."""

from __future__ import annotations

import asyncio

import pytest

from flamewire_ledger.chains.observation import Confirmed
from tests.chains.scripted_chain import Scene


@pytest.fixture
async def scene() -> Scene:
    made = Scene()
    await made.catch_up()
    return made


async def test_what_one_transfer_could_not_be_told_is_told_again_while_others_go_on(
    scene: Scene,
) -> None:
    scene.chain.grow()
    bad, good = scene.chain.put("bad", 10), scene.chain.put("good", 10)
    scene.ears.refused = {bad.key}
    scene.chain.finalized = 10
    await scene.catch_up()
    assert scene.ears.stages(good) == ["included", "confirmed"]
    scene.ears.refused = set()
    scene.restart()
    await scene.catch_up()
    assert scene.ears.stages(bad) == ["confirmed"]


async def test_a_drop_that_was_not_taken_in_is_told_again(scene: Scene) -> None:
    sent = scene.chain.wait("sent")
    await scene.catch_up()
    scene.ears.refused = {sent.key}
    scene.chain.waiting.clear()
    await scene.catch_up()
    scene.chain.grow()
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["detected"]
    scene.ears.refused = set()
    scene.restart()
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["detected", "dropped"]
    scene.chain.grow()
    await scene.catch_up()
    assert scene.ears.stages(sent) == ["detected", "dropped"]


async def test_what_is_refused_for_good_is_told_ever_more_slowly_and_shown() -> None:
    scene = Scene(refused_seconds=0.02, refused_seconds_max=0.08)
    await scene.catch_up()
    scene.chain.grow()
    bad = scene.chain.put("bad", 10)
    scene.ears.refused = {bad.key}
    scene.chain.finalized = 10
    loop = asyncio.get_running_loop()
    began, told = loop.time(), []
    while len(told) < 6:
        before = scene.ears.told
        await scene.catch_up()
        if scene.ears.told > before:
            told.append(loop.time() - began)
        await asyncio.sleep(0.001)
    # Included and confirmed at once; then after 20, 40, 80, 80 and 80 ms at the least.
    assert all(
        at >= least for at, least in zip(told, (0, 0.02, 0.06, 0.14, 0.22, 0.3), strict=True)
    )
    (refused,) = scene.follower.refused
    assert (refused.observation.transfer, refused.tries) == (bad, 6)
    assert isinstance(refused.observation, Confirmed)
    scene.ears.refused = set()
    while scene.follower.refused:
        await scene.catch_up()
        await asyncio.sleep(0.001)
    assert scene.ears.stages(bad) == ["confirmed"]


async def test_what_is_refused_asks_nobody_again_before_it_is_due() -> None:
    """Attesting a transfer costs questions to every endpoint."""
    scene = Scene(refused_seconds=60.0)
    await scene.catch_up()
    scene.chain.grow()
    bad = scene.chain.put("bad", 10)
    scene.ears.refused = {bad.key}
    scene.chain.finalized = 10
    for _ in range(20):
        await scene.catch_up()
    assert sum(each.startswith("attested") for each in scene.chain.asked) == 1
    assert scene.ears.told == 1


async def test_what_is_refused_and_gone_is_not_shown_any_more(scene: Scene) -> None:
    scene.chain.grow()
    bad = scene.chain.put("bad", 10)
    scene.ears.refused = {bad.key}
    await scene.catch_up()
    assert len(scene.follower.refused) == 1
    scene.chain.fork(10, "b", 12)
    await scene.catch_up()
    scene.ears.refused = set()
    scene.chain.grow()
    await scene.catch_up()
    assert scene.follower.refused == []
    assert scene.ears.stages(bad) == ["dropped"]


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_that_another_took_its_name_is_told_until_somebody_takes_note(
    is_restarted: bool,
) -> None:
    """What a call pays can change when it is executed anew: the old transfer's name is taken then."""
    scene = Scene()
    scene.ears.addresses.add("ours too")
    await scene.catch_up()
    scene.chain.grow()
    first = scene.chain.put("sent", 10)
    await scene.catch_up()
    scene.chain.fork(10, "b", 12)
    second = scene.chain.put_to("ours too", "sent", 11)
    scene.ears.deaf_to_drops = True
    await scene.catch_up()
    await scene.catch_up()
    assert scene.ears.said(first) == ["included"]
    assert scene.ears.said(second) == ["included"]
    assert [each.observation.transfer for each in scene.follower.refused] == [first]
    if is_restarted:
        scene.restart()
    scene.ears.deaf_to_drops = False
    await scene.catch_up()
    assert scene.ears.said(first) == ["included", "dropped"]
    scene.chain.finalized = 11
    await scene.catch_up()
    assert scene.ears.said(first) == ["included", "dropped"]
    assert scene.ears.said(second) == ["included", "confirmed"]
    _, _, kept = await scene.state.load("test:scripted")
    assert [row[0] for row in kept] == [second]


async def test_of_two_that_had_one_name_each_is_told_to_be_gone() -> None:
    scene = Scene()
    scene.ears.addresses |= {"second", "third"}
    await scene.catch_up()
    scene.chain.grow()
    first = scene.chain.put("sent", 10)
    await scene.catch_up()
    scene.ears.deaf_to_drops = True
    scene.chain.fork(10, "b", 12)
    second = scene.chain.put_to("second", "sent", 11)
    await scene.catch_up()
    scene.chain.fork(10, "c", 13)
    third = scene.chain.put_to("third", "sent", 12)
    await scene.catch_up()
    scene.ears.deaf_to_drops = False
    await scene.catch_up()
    assert scene.ears.said(first) == ["included", "dropped"]
    assert scene.ears.said(second) == ["included", "dropped"]
    assert scene.ears.said(third) == ["included"]
    _, _, kept = await scene.state.load("test:scripted")
    assert [row[0] for row in kept] == [third]
