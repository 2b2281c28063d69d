"""Endpoints that fail, lie, or take less at once than was asked for."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from flamewire_ledger.chains.chain import ChainUnavailable, WrongChain
from flamewire_ledger.chains.follow import Follower
from flamewire_ledger.chains.progress import MemoryFollowerState
from tests.chains.ears import Ears
from tests.chains.ethereum.anvil_world import AnvilWorld
from tests.chains.ethereum.endpoint import endpoint


def address(world: AnvilWorld, index: int = 1) -> str:
    return world.chain.deposit(index).address


async def test_another_endpoint_steps_in_and_no_url_is_told(
    world: AnvilWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "flamewire_ledger")
    with endpoint(world) as first, endpoint(world) as second:
        chain = world.connect(rpc_urls=(first.url, second.url))
        await chain.heads()
        # Which chain it is; whether the token is one, and its decimals; then the heads.
        assert (first.requests, second.requests) == (4, 0)
        first.status = 503
        await chain.heads()
        await chain.heads()
        assert second.requests == 3
        second.status = 500
        with pytest.raises(ChainUnavailable) as caught:
            await chain.heads()
        first.status = 200
        await chain.heads()
        await chain.aclose()
    assert "did not answer" in str(caught.value)
    assert "secret-key" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "endpoint 1" in caplog.text
    assert "secret-key" not in caplog.text


async def test_an_endpoint_of_another_chain_is_never_believed(world: AnvilWorld) -> None:
    chain = world.connect(evm_chain_id=1)
    with pytest.raises(WrongChain, match="is of chain 0x7a69, not 1"):
        await chain.heads()
    await chain.aclose()


async def test_a_stand_in_of_another_chain_is_put_aside_and_ends_nothing(
    world: AnvilWorld,
) -> None:
    def of_another_chain(answer: dict[str, Any]) -> dict[str, Any]:
        return {**answer, "result": "0x1"}

    with endpoint(world) as first, endpoint(world) as stray:
        stray.spoils = of_another_chain
        chain = world.connect(rpc_urls=(first.url, stray.url))
        await chain.heads()
        first.status = 503
        with pytest.raises(ChainUnavailable):
            await chain.heads()
        first.status = 200
        await chain.heads()
        await chain.aclose()


async def test_an_endpoint_without_batches_is_asked_one_by_one(world: AnvilWorld) -> None:
    sent = await world.pay(address(world), 1)
    await world.mine(3)
    with endpoint(world) as node:
        node.takes_batches = False
        chain = world.connect(rpc_urls=(node.url,))
        head = (await chain.heads()).latest.height
        blocks = await chain.blocks(head - 5, head)
        await chain.aclose()
    assert len(blocks) == 6
    assert sent in blocks[3].transfers


async def test_less_is_asked_for_where_it_was_too_much(world: AnvilWorld) -> None:
    await world.mine(60)
    with endpoint(world) as node:
        node.batch_max = 8
        chain = world.connect(rpc_urls=(node.url,))
        head = (await chain.heads()).latest.height
        following = Follower(chain, Ears(), MemoryFollowerState(), start_height=head - 50)
        for _ in range(100):
            if following.height == head:
                break
            await following.step()
        await chain.aclose()
    assert following.height == head


@pytest.mark.parametrize(
    "nonsense",
    [
        {"number": "0x1"},
        {"number": "yes", "hash": "0x", "timestamp": "0x0"},
        {"number": 5, "hash": None, "timestamp": None},
    ],
)
async def test_nonsense_is_unavailability_and_no_crash(
    world: AnvilWorld, nonsense: dict[str, Any]
) -> None:
    def spoil(answer: dict[str, Any]) -> dict[str, Any]:
        return {**answer, "result": nonsense} if isinstance(answer.get("result"), dict) else answer

    with endpoint(world) as node:
        node.spoils = spoil
        chain = world.connect(rpc_urls=(node.url,))
        with pytest.raises(ChainUnavailable):
            await chain.heads()
        await chain.aclose()


async def test_receipts_of_another_block_than_the_one_that_was_read_are_not_used(
    world: AnvilWorld,
) -> None:
    """The chain was reorganised between the two answers."""
    await world.pay(address(world), 1)
    await world.mine()

    def spoil(answer: dict[str, Any]) -> dict[str, Any]:
        if isinstance(answer.get("result"), list):
            other = [{**receipt, "blockHash": "0xff"} for receipt in answer["result"]]
            return {**answer, "result": other}
        return answer

    with endpoint(world) as node:
        node.spoils = spoil
        chain = world.connect(rpc_urls=(node.url,))
        head = (await chain.heads()).latest.height
        blocks = await chain.blocks(head - 1, head)
        await chain.aclose()
    assert [each.block.height for each in blocks] == [head - 1]


async def test_a_node_that_dies_and_comes_back_is_found_again(world: AnvilWorld) -> None:
    await world.chain.heads()
    world.anvil.kill()
    with pytest.raises(ChainUnavailable):
        await world.chain.heads()
    world.anvil.start()
    assert (await world.chain.heads()).latest.height == 0
