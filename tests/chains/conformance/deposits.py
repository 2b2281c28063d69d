"""Transfers that arrive, one by one, several at once, of any asset; and those that do not."""

from __future__ import annotations

import pytest

from flamewire_ledger.chains.observation import Confirmed, Included
from tests.chains.conformance.following import Cases, follower
from tests.chains.world import World


class Deposits(Cases):
    async def test_a_deposit_is_included_and_then_confirmed(self, world: World) -> None:
        ears = self.ears(world)
        following = follower(world, ears)
        await following.catch_up()
        sent = await world.pay(self.address(world), 1000)
        await world.mine()
        await following.catch_up()
        assert "included" in ears.stages(sent)
        await world.make_final()
        await following.catch_up()
        assert ears.stages(sent)[-2:] == ["included", "confirmed"]
        confirmed = ears.heard[-1]
        assert isinstance(confirmed, Confirmed)
        assert confirmed.transfer == sent
        assert confirmed.confirmations >= (2 if world.can_reorganise else 1)

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
            assert "included" in ears.stages(transfer)
        assert len({each.block.hash for each in ears.heard if isinstance(each, Included)}) == 1

    async def test_several_transfers_of_one_transaction_are_told_apart(self, world: World) -> None:
        ears = self.ears(world)
        following = follower(world, ears)
        await following.catch_up()
        ours, others = self.address(world), world.chain.deposit(2).address
        sent = await world.pay_many([(ours, 1000), (others, 1500), (ours, 1000), (ours, 2000)])
        await world.mine()
        await world.make_final()
        await following.catch_up()
        assert len({transfer.transaction_id for transfer in sent}) == 1
        assert len({transfer.key for transfer in sent}) == 4
        confirmed = [each for each in ears.heard if isinstance(each, Confirmed)]
        assert [each.transfer for each in confirmed] == [sent[0], sent[2], sent[3]]
        assert [each.transfer.amount.units for each in confirmed] == [1000, 1000, 2000]
        for transfer in (sent[0], sent[2], sent[3]):
            assert ears.stages(transfer)[-2:] == ["included", "confirmed"]

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
            pytest.skip(f"{world.chain.network.name} has a coin and nothing else")
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
        assert "included" in ears.stages(sent)
        reported = ears.heard[-1].transfer.amount
        assert reported.units == 1000
        assert world.chain.network.token(reported.asset.symbol) is None
        assert reported.asset == sent.amount.asset
