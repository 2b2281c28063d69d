"""On a real runtime: what has moved by batches, proxies and remarks, and what has not."""

from __future__ import annotations

import hashlib

import pytest

from flamewire_ledger.domain.transfer import Transfer
from tests.chains.substrate.substrate_world import LISTED, SubstrateWorld

pytestmark = pytest.mark.slow


async def last_block(world: SubstrateWorld) -> list[Transfer]:
    """The transfers to the first two deposit addresses in the newest block."""
    ours = {world.chain.deposit(index).address for index in (1, 2)}
    height = (await world.chain.heads()).latest.height
    (block,) = await world.chain.blocks(height, height)
    return [transfer for transfer in block.transfers if transfer.address in ours]


async def test_a_batch_that_half_fails_has_moved_what_it_has(world: SubstrateWorld) -> None:
    """It emits BatchInterrupted, and its extrinsic succeeds."""
    payers, address = world.payers, world.chain.deposit(1).address
    before = payers.free(address)
    calls = [payers.transfer(address, 11), payers.asset(LISTED, address, 10**18)]
    sent = payers.send(payers.batch([*calls, payers.transfer(address, 13)], "batch"))
    await world.mine()
    assert [(t.transaction_id, t.index, t.amount.units) for t in await last_block(world)] == [
        (sent.hash, 0, 11)
    ]
    assert payers.free(address) == before + 11


async def test_a_batch_that_fails_whole_has_moved_nothing(world: SubstrateWorld) -> None:
    payers, address = world.payers, world.chain.deposit(1).address
    calls = [payers.transfer(address, 11), payers.asset(LISTED, address, 10**18)]
    payers.send(payers.batch([*calls, payers.remark("1-abcd")]))
    await world.mine()
    assert await last_block(world) == []


async def test_a_remark_in_the_same_extrinsic_marks_the_transfer(world: SubstrateWorld) -> None:
    payers, address = world.payers, world.chain.deposit(1).address
    payers.send(payers.batch([payers.transfer(address, 21), payers.remark("7-k3m9")]))
    payers.send(payers.remark("8-beef"))
    payers.send(payers.transfer(address, 22))
    await world.mine()
    mark = "0x" + hashlib.blake2b(b"7-k3m9", digest_size=32).hexdigest()
    assert [(t.amount.units, t.mark) for t in await last_block(world)] == [(21, mark), (22, None)]


async def test_what_a_proxy_or_a_nested_batch_moves_has_moved(world: SubstrateWorld) -> None:
    payers, address = world.payers, world.chain.deposit(2).address
    bob = payers.key("//Bob").ss58_address
    alice = payers.key("//Alice").ss58_address
    payers.send(payers.call("Proxy", "add_proxy", delegate=bob, proxy_type="Any", delay=0))
    await world.mine()
    nested = payers.batch([payers.batch([payers.transfer(address, 31)], "batch")])
    through = payers.call("Proxy", "proxy", real=alice, force_proxy_type=None, call=nested)
    sent = payers.send(through, "//Bob")
    await world.mine()
    found = await last_block(world)
    assert [(t.transaction_id, t.amount.units) for t in found] == [(sent.hash, 31)]


async def test_whether_a_wallets_extrinsic_ends_is_read_with_the_real_types(
    world: SubstrateWorld,
) -> None:
    from flamewire_ledger.chains.substrate.runtime import runtime_of

    payers = world.payers
    runtime = runtime_of(bytes.fromhex(world.node.rpc("state_getMetadata")[2:]))
    address = world.chain.deposit(1).address
    for is_mortal in (True, False):
        sent = payers.send(payers.transfer(address, 41), is_mortal=is_mortal)
        await world.mine()
        assert runtime.is_mortal(bytes.fromhex(sent.encoded[2:])) is is_mortal
        (found,) = await last_block(world)
        assert found.transaction_id == sent.hash
        assert found.index == 0


async def test_the_books_of_the_chain_are_what_was_read(world: SubstrateWorld) -> None:
    """All that was read to an address, and what `System.Account` says it holds."""
    chain, payers = world.chain, world.payers
    await world.pay(chain.deposit(1).address, 51)
    await world.mine()
    height = (await chain.heads()).latest.height
    for index in (1, 2):
        address = chain.deposit(index).address
        arrived = sum(
            transfer.amount.units
            for block in await chain.blocks(1, height)
            for transfer in block.transfers
            if transfer.address == address and transfer.amount.asset.symbol == world.coin
        )
        assert arrived == payers.free(address) > 0
