"""What is said twice, late, in part or with holes: nothing is missed, and nothing is booked twice."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from flamewire_ledger.chains.observation import Included, Observation
from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.domain.transfer import Transfer
from tests.chains.conformance.answers import EachBlockTwice, OldAnswers, OneAtATime, WithAHole
from tests.chains.conformance.following import Cases, follower
from tests.chains.conformance.till import DUE_UNITS, Till, open_till
from tests.chains.world import World


class SaidTwice:
    """Passes on every report twice."""

    def __init__(self, till: Till) -> None:
        self._till = till
        self.said: list[Observation] = []

    async def known(self, transfers: Sequence[Transfer]) -> Collection[str]:
        return await self._till.known(transfers)

    async def observed(self, observations: Sequence[Observation]) -> Collection[str]:
        self.said += observations
        await self._till.observed(observations)
        return await self._till.observed(observations)


class Deliveries(Cases):
    async def paid_thrice(self, world: World) -> tuple[int, list[Transfer]]:
        """From which height on, and what was sent; all of it is final."""
        start = (await world.chain.heads()).latest.height
        sent = []
        for units in (11, 12, 13):
            sent.append(await world.pay(self.address(world), units))
            await world.mine()
        await world.make_final()
        return start, sent

    async def test_blocks_that_are_answered_twice_are_taken_in_once(self, world: World) -> None:
        start, sent = await self.paid_thrice(world)
        ears = self.ears(world)
        following = follower(
            world, ears, chain=EachBlockTwice(world.chain), start_height=start
        )  # fmt: skip
        await following.catch_up()
        assert following.height == (await world.chain.heads()).latest.height
        for transfer in sent:
            assert ears.stages(transfer) == ["included", "confirmed"]

    async def test_old_answers_that_are_given_again_change_nothing(self, world: World) -> None:
        ears, chain = self.ears(world), OldAnswers(world.chain)
        following = follower(world, ears, chain=chain)
        await following.catch_up()
        sent = []
        for units in (11, 12, 13):
            sent.append(await world.pay(self.address(world), units))
            await world.mine()
            await following.catch_up()
        await world.make_final()
        for _ in range(4):
            await following.catch_up()
        assert chain.repeated >= 2
        assert following.height == (await world.chain.heads()).latest.height
        for transfer in sent:
            assert ears.stages(transfer)[-2:] == ["included", "confirmed"]
            assert ears.stages(transfer).count("included") == 1

    async def test_fewer_blocks_than_were_asked_for_are_enough(self, world: World) -> None:
        start, sent = await self.paid_thrice(world)
        ears = self.ears(world)
        following = follower(world, ears, chain=OneAtATime(world.chain), start_height=start)
        await following.catch_up()
        assert following.height == (await world.chain.heads()).latest.height
        for transfer in sent:
            assert ears.stages(transfer) == ["included", "confirmed"]

    async def test_nothing_behind_a_hole_is_believed_until_the_hole_is_filled(
        self, world: World
    ) -> None:
        start, sent = await self.paid_thrice(world)
        whole, ears, state = self.ears(world), self.ears(world), MemoryFollowerState()
        await follower(world, whole, start_height=start).catch_up()
        (hole,) = [
            each.block.height
            for each in whole.heard
            if isinstance(each, Included) and each.transfer == sent[1]
        ]
        following = follower(
            world, ears, state, chain=WithAHole(world.chain, hole), start_height=start
        )
        for _ in range(3):
            await following.catch_up()
        assert following.height == hole - 1
        assert {each.transfer.key for each in ears.heard} == {sent[0].key}
        await follower(world, ears, state).catch_up()
        for transfer in sent:
            assert ears.stages(transfer) == ["included", "confirmed"]

    async def test_two_followers_over_the_same_state_say_the_same(self, world: World) -> None:
        """It is not meant to be, and happens for a moment when a process loses its turn."""
        ears, state = self.ears(world), MemoryFollowerState()
        first, second = (follower(world, ears, state) for _ in range(2))
        await first.catch_up()
        await second.catch_up()
        sent = await world.pay(self.address(world), 1000)
        await world.mine(2)
        for _ in range(2):
            await first.step()
            await second.step()
        await world.make_final()
        for _ in range(3):
            await second.step()
            await first.step()
        last = follower(world, ears, state)
        await last.catch_up()
        said = [each for each in dict.fromkeys(ears.heard) if each.transfer.key == sent.key]
        stages = [type(each).__name__ for each in said]
        assert stages.count("Included") == stages.count("Confirmed") == 1
        assert "Dropped" not in stages
        assert last.height == (await world.chain.heads()).latest.height

    async def test_two_followers_of_one_ledger_book_a_transfer_once(self, world: World) -> None:
        """Each with a state of its own: they know nothing of each other."""
        async with open_till(world) as till:
            first, second = follower(world, till), follower(world, till)
            await first.catch_up()
            await second.catch_up()
            sent = await world.pay(self.address(world), DUE_UNITS)
            await first.catch_up()
            await world.mine()
            await first.catch_up()
            await world.make_final()
            await second.catch_up()
            await first.catch_up()
            assert await till.booked() == [sent]
            types = await till.types()
            assert types[-1] == "succeeded"
            assert len(types) == len(set(types))

    async def test_a_report_that_is_said_twice_is_recorded_once(self, world: World) -> None:
        async with open_till(world) as till:
            listener = SaidTwice(till)
            following = follower(world, listener)
            await following.catch_up()
            sent = await world.pay(self.address(world), DUE_UNITS)
            await world.mine()
            await following.catch_up()
            await world.make_final()
            await following.catch_up()
            head = await till.store.head(0)
            await till.observed(listener.said)
            assert await till.store.head(0) == head
            assert await till.booked() == [sent]
            types = await till.types()
            assert types[-1] == "succeeded"
            assert len(types) == len(set(types))

    async def test_one_transaction_that_pays_in_parts_is_booked_to_the_last_unit(
        self, world: World
    ) -> None:
        async with open_till(world) as till:
            following = follower(world, till)
            await following.catch_up()
            ours, others = self.address(world), world.chain.deposit(2).address
            sent = await world.pay_many([(ours, 4000), (others, 5000), (ours, 6000)])
            await world.mine()
            await world.make_final()
            await following.catch_up()
            assert await till.booked() == [sent[0], sent[2]]
            if sent[0].amount.asset.symbol == world.coin:
                assert "succeeded" in await till.types()
