"""How many blocks a follower takes at once when it is far behind."""

from __future__ import annotations

from tests.chains.scripted_chain import Scene


def asked(scene: Scene) -> list[int]:
    """How many blocks each question was for."""
    spans = [each.split()[1:] for each in scene.chain.asked if each.startswith("blocks")]
    return [int(last) - int(first) + 1 for first, last in spans]


def far_behind(length: int, finalized: int) -> Scene:
    scene = Scene(length, batch_blocks_max=10, quiet_blocks_max=50)
    scene.chain.finalized = finalized
    scene.start_height = 0
    scene.restart()
    return scene


async def test_steps_grow_where_little_happens_and_are_short_again_near_finality() -> None:
    scene = far_behind(205, finalized=190)
    await scene.catch_up()
    assert asked(scene) == [10, 20, 40, 50, 50, 10, 10, 10, 5]
    assert scene.follower.height == 204


async def test_steps_are_short_where_much_happens() -> None:
    scene = far_behind(100, finalized=100)
    sent = [scene.chain.put(f"{height}-{n}", height) for height in range(40) for n in range(2)]
    await scene.catch_up()
    assert asked(scene) == [10, 10, 10, 10, 10, 20, 10, 10, 10]
    for transfer in sent:
        assert scene.ears.stages(transfer) == ["included", "confirmed"]


async def test_steps_are_short_again_behind_a_hole() -> None:
    scene = far_behind(150, finalized=149)
    scene.chain.hole_at = 75
    for _ in range(5):
        await scene.follower.step()
    assert asked(scene) == [10, 20, 40, 50, 10]
    assert scene.follower.height == 74
