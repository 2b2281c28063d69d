"""Chains that change their mind: blocks that are replaced, heads that go backwards."""

from __future__ import annotations

from flamewire_ledger.chains.progress import MemoryFollowerState
from tests.chains.conformance.answers import Lagging
from tests.chains.conformance.following import Cases, follower
from tests.chains.world import World


class Reorganisations(Cases):
    async def test_a_reorganisation_drops_what_does_not_come_back(self, world: World) -> None:
        self.need_reorganisations(world)
        ears = self.ears(world)
        following = follower(world, ears)
        await following.catch_up()
        sent = await world.pay_for_now(self.address(world), 1000)
        await world.mine()
        await following.catch_up()
        assert ears.stages(sent)[-1] == "included"
        await world.reorganise()
        await following.catch_up()
        await world.mine(2)
        await following.catch_up()
        assert ears.stages(sent)[-1] == "dropped"

    async def test_a_reorganisation_keeps_what_is_in_the_new_blocks(self, world: World) -> None:
        self.need_reorganisations(world)
        ears = self.ears(world)
        following = follower(world, ears)
        await following.catch_up()
        stays = await world.pay(self.address(world), 21)
        await world.mine()
        goes = await world.pay_for_now(self.address(world), 22)
        await world.mine()
        await following.catch_up()
        await world.reorganise()
        await following.catch_up()
        await world.mine(2)
        await world.make_final()
        await following.catch_up()
        assert ears.stages(goes)[-1] == "dropped"
        assert ears.stages(stays)[-1] == "confirmed"
        assert "dropped" not in ears.stages(stays)

    async def test_a_reorganisation_that_nobody_watched_is_found_out_afterwards(
        self, world: World
    ) -> None:
        self.need_reorganisations(world)
        ears, state = self.ears(world), MemoryFollowerState()
        await follower(world, ears, state).catch_up()
        stays = await world.pay(self.address(world), 21)
        await world.mine()
        goes = await world.pay_for_now(self.address(world), 22)
        await world.mine()
        await follower(world, ears, state).catch_up()
        assert ears.stages(goes)[-1] == ears.stages(stays)[-1] == "included"
        await world.reorganise()
        await world.mine(2)
        await world.make_final()
        await follower(world, ears, state).catch_up()
        assert "confirmed" not in ears.stages(goes)
        await world.mine()
        await follower(world, ears, state).catch_up()
        assert ears.stages(goes)[-1] == "dropped"
        assert ears.stages(stays)[-1] == "confirmed"

    async def test_a_reorganisation_that_takes_nothing_of_ours_is_not_reported(
        self, world: World
    ) -> None:
        self.need_reorganisations(world)
        ears, state = self.ears(world), MemoryFollowerState()
        following = follower(world, ears, state)
        await following.catch_up()
        await world.pay_for_now(world.chain.deposit(2).address, 22)
        await world.mine(2)
        await following.catch_up()
        height = following.height
        await world.reorganise()
        await following.catch_up()
        await world.mine(2)
        await following.catch_up()
        assert ears.heard == []
        heads = await world.chain.heads()
        assert following.height == heads.latest.height
        assert following.height > (height or 0)

    async def test_a_head_that_goes_backwards_reports_nothing_twice(self, world: World) -> None:
        ears = self.ears(world)
        state = MemoryFollowerState()
        await follower(world, ears, state).catch_up()
        sent = await world.pay(self.address(world), 1000)
        await world.mine(4)
        await follower(world, ears, state).catch_up()
        before = list(ears.heard)
        await world.go_back()
        await follower(world, ears, state).catch_up()
        assert ears.heard == before
        await world.mine(2)
        await world.make_final()
        await follower(world, ears, state).catch_up()
        assert ears.stages(sent).count("included") == 1
        assert ears.stages(sent)[-1] == "confirmed"

    async def test_a_head_that_goes_backwards_under_a_running_follower_is_waited_for(
        self, world: World
    ) -> None:
        """As when an endpoint that lags steps in for another, and goes again."""
        ears, lagging = self.ears(world), Lagging(world.chain)
        following = follower(world, ears, chain=lagging)
        await following.catch_up()
        sent = await world.pay(self.address(world), 1000)
        await world.mine(4)
        await following.catch_up()
        before, height = list(ears.heard), following.height
        for lagging.blocks_behind in (1, 3, 2, 0):
            await following.catch_up()
            assert (ears.heard, following.height) == (before, height)
        await world.mine()
        await world.make_final()
        await following.catch_up()
        assert ears.stages(sent)[-2:] == ["included", "confirmed"]
        assert ears.stages(sent).count("included") == 1
