"""Runtimes that change while a chain is followed: each block is read by the one that executed it."""

from __future__ import annotations

from datetime import UTC, datetime

from flamewire_ledger.chains.follow import Follower, Limits
from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.chains.substrate.chain import SubstrateChain
from tests.chains.ears import Ears
from tests.chains.substrate import runtimes
from tests.chains.substrate.runtimes import Writer
from tests.chains.substrate.scripted_node import ScriptedChain, ScriptedNode, paying


async def test_blocks_before_at_and_behind_an_upgrade_are_read_right(
    script: ScriptedChain, node: ScriptedNode, chain: SubstrateChain
) -> None:
    """Balances become twice as wide, and the pallet's number changes."""
    script.metadata[2] = runtimes.metadata(balance="u128", balances_index=6)
    before, after = {"balance": "u64"}, {"balance": "u128", "balances_index": 6}
    script.add(paying(Writer(**before), 11))
    upgrade = paying(Writer(**before), 12, 13)
    upgrade.upgrades_to = 2
    script.add(upgrade)
    script.add(paying(Writer(**after), 2**100))
    script.add(paying(Writer(**after), 14))
    blocks = await chain.blocks(0, 10)
    amounts = [[t.amount.units for t in block.transfers] for block in blocks]
    assert amounts == [[], [11], [12, 13], [2**100], [14]]
    assert node.count("state_getMetadata") == 2
    assert [await chain.blocks(height, height) for height in (4, 1, 3, 2)]
    assert node.count("state_getMetadata") == 2


async def test_a_chain_that_is_upgraded_while_it_is_followed(
    script: ScriptedChain, chain: SubstrateChain
) -> None:
    ears = Ears(chain.deposit(1).address)
    following = Follower(
        chain, ears, MemoryFollowerState(), limits=Limits(late_seconds_max=0), start_height=1
    )
    script.add(paying(Writer(balance="u64"), 1))
    await following.catch_up()
    for version in range(2, 14):  # more than are kept
        balance, index = ("u64", "u128")[version % 2], 9 + version
        script.metadata[version] = runtimes.metadata(balance=balance, balances_index=index)
        script.blocks[-1][1].upgrades_to = version
        script.add(paying(Writer(balance=balance, balances_index=index), version))
        await following.catch_up()
    units = [each.transfer.amount.units for each in ears.heard[::2]]
    assert units == list(range(1, 14))
    assert ears.stages() == ["included", "confirmed"] * 13


async def test_the_time_of_a_block_is_its_authors(
    script: ScriptedChain, chain: SubstrateChain
) -> None:
    script.add()
    found = await chain.block_at(1)
    assert found is not None
    assert found[0].at == datetime.fromtimestamp(1_790_000_012, UTC)
    assert found[1] == script.blocks[0][0]
    assert await chain.block_at(2) is None
