"""The follower where a chain behaves as badly as it can: a chain whose every answer is the test's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from flamewire_ledger.chains.chain import (
    BlockTransfers,
    ChainUnavailable,
    Deposit,
    Heads,
    Network,
    PendingTransfer,
    Token,
)
from flamewire_ledger.chains.follow import Follower, Limits
from flamewire_ledger.chains.observation import Detected, Included, ListenerBusy
from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.transfer import Block, Transfer
from tests.chains.ears import Ears

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
COIN = Asset("scripted:COIN", 9)


def transfer(name: str) -> Transfer:
    return Transfer("scripted", name, 0, "ours", Amount(COIN, 1))


class ScriptedChain:
    """Blocks by height, each named by a letter of its branch: `3a` is the third of branch a."""

    def __init__(self, length: int = 10) -> None:
        self.network = Network("scripted", "test:scripted", False, (), 1, 1)
        self.branch = ["a"] * length
        self.contents: dict[str, list[Transfer]] = {}
        self.waiting: list[PendingTransfer] = []
        self.finalized = 0
        self.asked: list[str] = []
        self.faults = 0
        self.hole_at: int | None = None

    @property
    def height(self) -> int:
        return len(self.branch) - 1

    def grow(self, blocks: int = 1, branch: str | None = None) -> None:
        self.branch += [branch or self.branch[-1]] * blocks

    def fork(self, height: int, branch: str, length: int) -> None:
        """Replace everything from a height on, until the chain is so long."""
        self.branch[height:] = [branch] * (length - height)

    def put(self, name: str, height: int) -> Transfer:
        put = transfer(name)
        self.contents.setdefault(self._hash(height), []).append(put)
        return put

    def wait(self, name: str) -> Transfer:
        self.waiting.append(PendingTransfer(transfer(name), NOON))
        return self.waiting[-1].transfer

    def _hash(self, height: int) -> str:
        return f"{height}{self.branch[height]}"

    def _block(self, height: int) -> Block:
        return Block(height, self._hash(height), NOON + timedelta(seconds=height))

    def _parent(self, height: int) -> str:
        return self._hash(height - 1) if height else "none"

    async def heads(self) -> Heads:
        self.asked.append("heads")
        if self.faults:
            self.faults -= 1
            raise ChainUnavailable("it is down")
        return Heads(self._block(self.height), self.finalized)

    async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
        self.asked.append(f"blocks {first} {last}")
        return [
            BlockTransfers(
                self._block(height), self._parent(height),
                tuple(self.contents.get(self._hash(height), ())),
            )
            for height in range(first, min(last, self.height) + 1)
            if height != self.hole_at
        ]  # fmt: skip

    async def block_at(self, height: int) -> tuple[Block, str] | None:
        self.asked.append(f"block_at {height}")
        if not 0 <= height <= self.height:
            return None
        return self._block(height), self._parent(height)

    async def pending(self) -> Sequence[PendingTransfer]:
        return list(self.waiting)

    def deposit(self, index: int) -> Deposit:
        return Deposit("ours", str(index))

    def canonical_address(self, text: str) -> str:
        return text

    def payment_uri(self, token: Token, address: str, units: int) -> str:
        return address

    async def aclose(self) -> None:
        return None


class Scene:
    def __init__(self, length: int = 10, **limits: float) -> None:
        self.chain = ScriptedChain(length)
        self.ears = Ears("ours")
        self.state = MemoryFollowerState()
        self.limits = Limits(**limits)  # type: ignore[arg-type]
        self.start_height: int | None = None
        self.restart()

    def restart(self) -> None:
        """As after kill -9: only what was saved is known."""
        self.follower = Follower(
            self.chain, self.ears, self.state,
            limits=self.limits, start_height=self.start_height,
        )  # fmt: skip

    async def catch_up(self) -> None:
        await self.follower.catch_up()


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


async def test_a_hole_in_the_answer_is_never_stepped_over(scene: Scene) -> None:
    scene.chain.grow(5)
    inside = scene.chain.put("inside", 12)
    scene.chain.hole_at = 12
    await scene.catch_up()
    assert scene.follower.height == 11
    scene.chain.hole_at = None
    await scene.catch_up()
    assert scene.ears.stages(inside) == ["included"]


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
