"""Followers that are started anew: at any block, after a fault, and after what they have missed."""

from __future__ import annotations

import pytest

from flamewire_ledger.chains.follow import Limits
from flamewire_ledger.chains.observation import ListenerBusy
from flamewire_ledger.chains.progress import MemoryFollowerState
from tests.chains.conformance.following import Cases, follower
from tests.chains.world import World

ONE_BLOCK = Limits(batch_blocks_max=1, late_seconds_max=0)


class DiesBeforeSaving(MemoryFollowerState):
    """As a process that is killed when it has reported, and before its place is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.dies = False

    async def save(self, *what: object) -> None:  # type: ignore[override]
        if self.dies:
            raise RuntimeError("the process died here")
        await super().save(*what)  # type: ignore[arg-type]


class Restarts(Cases):
    async def test_a_follower_that_is_restarted_anywhere_tells_the_same(self, world: World) -> None:
        """A new follower for each block, over the same state, with batches of one."""
        start = (await world.chain.heads()).latest.height
        sent = []
        for units in (11, 12, 13):
            sent.append(await world.pay(self.address(world), units))
            await world.mine()
        await world.make_final()
        ears, state = self.ears(world), MemoryFollowerState()
        more = True
        while more:
            one = follower(world, ears, state, start_height=start, limits=ONE_BLOCK)
            more = await one.step()
        for transfer in sent:
            assert ears.stages(transfer) == ["included", "confirmed"]

    async def test_a_follower_that_dies_before_it_saves_repeats_itself_word_for_word(
        self, world: World
    ) -> None:
        start = (await world.chain.heads()).latest.height
        sent = []
        for units in (11, 12, 13):
            sent.append(await world.pay(self.address(world), units))
            await world.mine()
        await world.make_final()
        ears, state = self.ears(world), DiesBeforeSaving()
        more = True
        while more:
            state.dies = True
            with pytest.raises(RuntimeError):
                await follower(world, ears, state, start_height=start, limits=ONE_BLOCK).step()
            state.dies = False
            one = follower(world, ears, state, start_height=start, limits=ONE_BLOCK)
            more = await one.step()
        for transfer in sent:
            told = [each for each in ears.heard if each.transfer.key == transfer.key]
            assert len(told) == 4
            assert len(set(told)) == 2
        assert "dropped" not in ears.stages()

    async def test_any_block_can_be_the_first(self, world: World) -> None:
        sent, heights = [], []
        for units in (11, 12, 13):
            sent.append(await world.pay(self.address(world), units))
            await world.mine()
            heights.append((await world.chain.heads()).latest.height)
        for first, height in enumerate(heights):
            ears = self.ears(world)
            await follower(world, ears, start_height=height).catch_up()
            assert {each.transfer.key for each in ears.heard} == {t.key for t in sent[first:]}

    async def test_a_listener_that_fails_is_told_again(self, world: World) -> None:
        ears, state = self.ears(world), MemoryFollowerState()
        await follower(world, ears, state).catch_up()
        sent = await world.pay(self.address(world), 1000)
        await world.mine()
        ears.busy_times = 1
        following = follower(world, ears, state)
        with pytest.raises(ListenerBusy):
            await following.catch_up()
        assert ears.heard == []
        await following.catch_up()
        assert ears.stages(sent)[0] == "included"
        assert ears.stages(sent).count("included") == 1

    async def test_blocks_that_were_missed_are_made_up_for(self, world: World) -> None:
        ears, state = self.ears(world), MemoryFollowerState()
        await follower(world, ears, state).catch_up()
        sent = []
        for units in range(1, 8):
            sent.append(await world.pay(self.address(world), units))
            await world.mine(2)
        await follower(
            world, ears, state, limits=Limits(batch_blocks_max=3, late_seconds_max=0)
        ).catch_up()
        assert [ears.stages(transfer)[0] for transfer in sent] == ["included"] * 7
