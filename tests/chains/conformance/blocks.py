"""What a chain's own answers have to be like: addresses, blocks, and which network it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from flamewire_ledger.chains.chain import Chain, ChainUnavailable, WrongChain
from tests.chains.conformance.following import Cases, follower
from tests.chains.world import World


class Blocks(Cases):
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

    async def test_blocks_are_the_same_however_they_are_asked_for(self, world: World) -> None:
        first = (await world.chain.heads()).latest.height
        for units in (5, 6):
            await world.pay(self.address(world), units)
            await world.mine(2)
        head = (await world.chain.heads()).latest.height
        together = list(await world.chain.blocks(first, head))
        assert [each.block.height for each in together] == list(range(first, head + 1))
        one_by_one = [
            each for h in range(first, head + 1) for each in await world.chain.blocks(h, h)
        ]
        assert one_by_one == together
        for each in together:
            assert await world.chain.block_at(each.block.height) == (each.block, each.parent_hash)
        assert sum(len(each.transfers) for each in together) >= 2

    async def test_an_endpoint_of_another_network_is_never_believed(self, world: World) -> None:
        """Whatever the first question is. What is asked afterwards has no answer, for whatever reason."""
        questions: list[Callable[[Chain], Awaitable[object]]] = [
            lambda chain: chain.heads(),
            lambda chain: chain.blocks(0, 5),
            lambda chain: chain.block_at(0),
        ]
        for first in questions:
            chain = self.foreign(world)
            try:
                with pytest.raises(WrongChain):
                    await first(chain)
                for question in questions:
                    with pytest.raises((WrongChain, ChainUnavailable)):
                        await question(chain)
            finally:
                await chain.aclose()

    async def test_a_follower_of_another_network_ends_and_reports_nothing(
        self, world: World
    ) -> None:
        chain, ears = self.foreign(world), self.ears(world)
        await world.pay(self.address(world), 1000)
        await world.mine()
        await world.make_final()
        try:
            with pytest.raises(WrongChain):
                await follower(world, ears, chain=chain, start_height=0).run()
        finally:
            await chain.aclose()
        assert ears.asked == ears.heard == []

    def foreign(self, world: World) -> Chain:
        chain = world.of_another_network()
        if chain is None:
            pytest.skip(f"no endpoint of {world.chain.network.name} could be another network's")
        return chain
