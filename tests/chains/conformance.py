"""What any chain must do under a follower: one suite, for sandbox chains and for real nodes.

A subclass gives the fixture `world`.
"""

from __future__ import annotations

import pytest

from flamewire_ledger.chains.follow import Follower, Limits
from flamewire_ledger.chains.observation import Confirmed, Included, ListenerBusy
from flamewire_ledger.chains.progress import FollowerState, MemoryFollowerState
from tests.chains.ears import Ears
from tests.chains.world import World


def follower(
    world: World,
    ears: Ears,
    state: FollowerState | None = None,
    *,
    start_height: int | None = None,
    limits: Limits | None = None,
) -> Follower:
    return Follower(
        world.chain,
        ears,
        state or MemoryFollowerState(),
        limits=limits or Limits(late_seconds_max=0),
        start_height=start_height,
    )


class ChainConformance:
    """The cases."""

    def ears(self, world: World) -> Ears:
        """Ears for the first deposit address, which `address` gives."""
        return Ears(self.address(world))

    def address(self, world: World) -> str:
        return world.chain.deposit(1).address

    async def test_a_deposit_is_included_and_then_confirmed(self, world: World) -> None:
        ears = self.ears(world)
        following = follower(world, ears)
        await following.catch_up()
        sent = await world.pay(self.address(world), 1000)
        await world.mine()
        await following.catch_up()
        assert ears.stages(sent)[-1] == "included"
        await world.make_final()
        await following.catch_up()
        assert ears.stages(sent)[-2:] == ["included", "confirmed"]
        confirmed = ears.heard[-1]
        assert isinstance(confirmed, Confirmed)
        assert confirmed.transfer == sent
        assert confirmed.confirmations >= 2

    async def test_the_block_that_is_reported_is_the_one_that_holds_it(self, world: World) -> None:
        ears = self.ears(world)
        following = follower(world, ears)
        await following.catch_up()
        sent = await world.pay(self.address(world), 7)
        await world.mine(3)
        await following.catch_up()
        (included,) = [each for each in ears.heard if isinstance(each, Included)]
        (block,) = await world.chain.blocks(included.block.height, included.block.height)
        assert block.block == included.block
        assert sent in block.transfers
        assert included.seen_at <= included.block.at

    async def test_several_deposits_in_one_block_are_told_apart(self, world: World) -> None:
        ears = self.ears(world)
        following = follower(world, ears)
        await following.catch_up()
        sent = [await world.pay(self.address(world), units) for units in (5, 6, 5)]
        await world.mine()
        await following.catch_up()
        assert len({transfer.key for transfer in sent}) == 3
        for transfer in sent:
            assert ears.stages(transfer)[-1] == "included"
        assert len({each.block.hash for each in ears.heard if isinstance(each, Included)}) == 1

    async def test_what_goes_to_others_is_not_reported(self, world: World) -> None:
        ears = self.ears(world)
        following = follower(world, ears)
        await following.catch_up()
        await world.pay(world.chain.deposit(2).address, 1000)
        await world.mine()
        await world.make_final()
        await following.catch_up()
        assert ears.heard == []

    async def test_a_failed_transfer_is_never_included(self, world: World) -> None:
        ears = self.ears(world)
        following = follower(world, ears)
        await following.catch_up()
        await world.pay_in_vain(self.address(world), 1000)
        await world.mine()
        await world.make_final()
        await following.catch_up()
        assert "included" not in ears.stages()
        assert "confirmed" not in ears.stages()

    async def test_a_token_is_told_from_the_coin(self, world: World) -> None:
        symbol = world.coin_of_another_contract
        if symbol is None:
            return  # this chain has a coin and nothing else
        ears = self.ears(world)
        following = follower(world, ears)
        await following.catch_up()
        coin = await world.pay(self.address(world), 1000)
        token = await world.pay(self.address(world), 1000, symbol)
        await world.mine()
        await world.make_final()
        await following.catch_up()
        assert ears.stages(coin)[-1] == ears.stages(token)[-1] == "confirmed"
        assert coin.amount.asset.symbol == world.coin
        assert token.amount.asset.symbol == symbol

    async def test_something_unlisted_to_our_address_is_reported_as_what_it_is(
        self, world: World
    ) -> None:
        ears = self.ears(world)
        following = follower(world, ears)
        await following.catch_up()
        sent = await world.pay_unlisted(self.address(world), 1000)
        await world.mine()
        await following.catch_up()
        assert ears.stages(sent)[-1] == "included"
        assert ears.heard[-1].transfer.amount.asset.symbol != world.coin

    async def test_a_reorganisation_drops_what_does_not_come_back(self, world: World) -> None:
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
            one = follower(
                world,
                ears,
                state,
                start_height=start,
                limits=Limits(batch_blocks_max=1, late_seconds_max=0),
            )
            more = await one.step()
        for transfer in sent:
            assert ears.stages(transfer) == ["included", "confirmed"]

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
        assert ears.stages(sent) == ["included"]

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

    async def test_an_address_has_one_spelling(self, world: World) -> None:
        address = self.address(world)
        assert world.chain.canonical_address(address) == address
        assert world.chain.deposit(1).address == address
        assert world.chain.deposit(2).address != address

    async def test_there_is_no_block_above_the_head(self, world: World) -> None:
        head = (await world.chain.heads()).latest
        assert await world.chain.block_at(head.height + 1) is None
        found = await world.chain.block_at(head.height)
        assert found is not None
        assert found[0] == head
        blocks = await world.chain.blocks(head.height - 1, head.height + 5)
        assert [each.block.height for each in blocks] == [head.height - 1, head.height]
        assert blocks[1].parent_hash == blocks[0].block.hash
