"""When a transfer is final: when the chain says so, not earlier, and once."""

from __future__ import annotations

from flamewire_ledger.chains.observation import Confirmed, Included
from flamewire_ledger.chains.progress import MemoryFollowerState
from tests.chains.conformance.answers import FinalUpTo
from tests.chains.conformance.following import Cases, follower
from tests.chains.world import World


class Finality(Cases):
    async def test_nothing_is_confirmed_before_the_chain_says_it_is_final(
        self, world: World
    ) -> None:
        ears = self.ears(world)
        following = follower(world, ears)
        await following.catch_up()
        sent = await world.pay(self.address(world), 1000)
        await world.mine()
        for _ in range(100):
            await following.catch_up()
            heads = await world.chain.heads()
            (included,) = [each for each in ears.heard if isinstance(each, Included)]
            is_final = heads.finalized_height >= included.block.height
            assert ("confirmed" in ears.stages(sent)) == is_final
            if is_final:
                return
            await world.mine()
        raise AssertionError("a hundred blocks did not make it final")

    async def test_while_finality_lags_blocks_are_taken_in_and_nothing_is_confirmed(
        self, world: World
    ) -> None:
        self.need_reorganisations(world)
        ears, state = self.ears(world), MemoryFollowerState()
        await world.hold_finality(is_held=True)
        following = follower(world, ears, state)
        await following.catch_up()
        final = (await world.chain.heads()).finalized_height
        sent = await world.pay(self.address(world), 1000)
        await world.mine()
        await world.make_final()
        await world.mine(3)
        await following.catch_up()
        heads = await world.chain.heads()
        assert heads.finalized_height == final
        assert following.height == heads.latest.height
        assert ears.stages(sent)[-1] == "included"

        await world.hold_finality(is_held=False)
        await follower(world, ears, state).catch_up()
        assert ears.stages(sent)[-2:] == ["included", "confirmed"]
        (confirmed,) = [each for each in ears.heard if isinstance(each, Confirmed)]
        assert confirmed.confirmations >= 4

    async def test_finality_that_goes_backwards_takes_nothing_back_and_repeats_nothing(
        self, world: World
    ) -> None:
        """As when an endpoint that lags steps in for another."""
        ears, state = self.ears(world), MemoryFollowerState()
        await follower(world, ears, state).catch_up()
        before = (await world.chain.heads()).finalized_height
        sent = await world.pay(self.address(world), 1000)
        await world.mine()
        await world.make_final()
        await follower(world, ears, state).catch_up()
        heard = list(ears.heard)
        assert ears.stages(sent)[-1] == "confirmed"
        await follower(world, ears, state, chain=FinalUpTo(world.chain, before)).catch_up()
        await world.mine()
        await follower(world, ears, state, chain=FinalUpTo(world.chain, before)).catch_up()
        await follower(world, ears, state).catch_up()
        assert ears.heard == heard
