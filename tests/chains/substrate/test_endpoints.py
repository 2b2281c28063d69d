"""Nodes that are another chain's, fall silent, forget, lie, or say nonsense."""

from __future__ import annotations

import contextlib
import itertools
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from flamewire_ledger.chains.chain import ChainUnavailable, Token, WrongChain
from flamewire_ledger.chains.networks.endpoint_rules import EndpointRules
from flamewire_ledger.chains.substrate.chain import SubstrateChain
from flamewire_ledger.domain.money import Asset
from tests.chains.substrate import runtimes
from tests.chains.substrate.runtimes import Writer
from tests.chains.substrate.scripted_node import ScriptedChain, ScriptedNode, connect, paying


@asynccontextmanager
async def connected(
    script: ScriptedChain, *nodes: ScriptedNode, **changes: Any
) -> AsyncIterator[SubstrateChain]:
    chain = connect(script, *nodes, **changes)
    yield chain
    await chain.aclose()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"chain_id": f"polkadot:{'0' * 32}"}, "not polkadot:0000"),
        ({"ss58_prefix": 2}, "whose addresses have the prefix 42, not 2: correct ss58_prefix"),
        ({"coin": Asset("bittensor:DOT", 9)}, "whose coin is TAO with 9 decimals, not DOT with 9"),
        (
            {"coin": Asset("bittensor:TAO", 18)},
            "whose coin is TAO with 9 decimals, not TAO with 18",
        ),
        ({"existential_deposit": 499}, "an account begins with 500 units, not 499"),
    ],
)
async def test_a_node_of_another_chain_is_never_believed(
    script: ScriptedChain, node: ScriptedNode, changes: dict[str, Any], sentence: str
) -> None:
    async with connected(script, node, **changes) as chain:
        with pytest.raises(WrongChain, match="in the networks file") as caught:
            await chain.heads()
    assert sentence in str(caught.value)
    assert "endpoint 1" in str(caught.value)
    assert "secret-key" not in str(caught.value)


async def test_a_token_that_is_not_the_chains_is_never_believed(
    script: ScriptedChain, node: ScriptedNode
) -> None:
    usdt = Token(Asset("bittensor:USDT", 6), "…", "1984")
    async with connected(script, node, tokens=(usdt,)) as chain:
        with pytest.raises(WrongChain, match="says nothing of asset 1984"):
            await chain.heads()
    node.spoils = _asset_with_decimals(9)
    async with connected(script, node, tokens=(usdt,)) as chain:
        with pytest.raises(WrongChain, match="asset 1984 has 9 decimals, not 6"):
            await chain.heads()
    node.spoils = _asset_with_decimals(6)
    async with connected(script, node, tokens=(usdt,)) as chain:
        await chain.heads()


def _asset_with_decimals(decimals: int) -> Callable[[str, list[Any], Any], Any]:
    def spoil(_: str, params: list[Any], result: Any) -> Any:
        # blake2_128 of the number, and the number: 1984, in four bytes.
        is_asked = params and str(params[0]).endswith("c0070000")
        return f"0x{'00' * 16}{decimals:02x}00" if is_asked else result

    return spoil


@pytest.mark.parametrize(
    "properties",
    [
        None,
        {},
        {"ss58Format": 13116, "tokenSymbol": "TAO", "tokenDecimals": 9},  # the runtime says 42
        {"ss58Format": 42, "tokenSymbol": ["KSM", "TAO"], "tokenDecimals": [12, 9]},
        {"ss58Format": None, "tokenSymbol": None, "tokenDecimals": None},
    ],
)
async def test_what_a_node_does_not_say_is_not_held_against_it(
    script: ScriptedChain, node: ScriptedNode, properties: Any
) -> None:
    script.properties = properties
    async with connected(script, node) as chain:
        assert (await chain.heads()).latest.height == 0


async def test_another_endpoint_steps_in_and_no_url_is_told(
    script: ScriptedChain,
    node: ScriptedNode,
    other_node: ScriptedNode,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    node.status = 503
    async with connected(script, node, other_node) as chain:
        assert (await chain.heads()).latest.height == 0
        first, second = chain.endpoints()
        assert (first.state, second.state) == ("set aside", "in use")
        assert first.reason == "a node cannot be reached: HTTP 503"
        other_node.status = 500
        other_node.silent_on = "chain_getFinalizedHead"
    async with connected(script, node, other_node, timeout_seconds=0.5) as chain:
        with pytest.raises(ChainUnavailable) as caught:
            await chain.heads()
    assert caught.value.__cause__ is None
    ours = [record.getMessage() for record in caplog.records if "flamewire" in record.name]
    assert any("endpoint 1" in message for message in ours)
    assert "secret-key" not in f"{caught.value} {ours}"


async def test_a_head_that_has_not_moved_is_asked_for_by_its_hash_alone(
    script: ScriptedChain, node: ScriptedNode, chain: SubstrateChain
) -> None:
    script.add()
    script.final_height = 0
    first = await chain.heads()
    asked = len(node.asked)
    assert [await chain.heads() for _ in range(3)] == [first] * 3
    assert len(node.asked) == asked + 6
    script.final_height = 1
    assert (await chain.heads()).finalized_height == 1
    script.add()
    assert (await chain.heads()).latest.height == 2


@pytest.mark.parametrize("chatters", [False, True])
async def test_silence_and_chatter_end_with_the_deadline(
    script: ScriptedChain, node: ScriptedNode, chatters: bool
) -> None:
    async with connected(script, node, timeout_seconds=0.5) as chain:
        await chain.heads()
        node.chatters = chatters
        node.silent_on = "chain_getFinalizedHead"
        with pytest.raises(ChainUnavailable, match="did not answer"):
            await chain.heads()
        node.silent_on = None
        assert (await chain.heads()).latest.height == 0
        assert node.connections == 2


async def test_an_endpoint_that_wants_to_be_left_alone_is(
    script: ScriptedChain, node: ScriptedNode
) -> None:
    node.status = 429
    async with connected(script, node) as chain:
        for _ in range(3):
            with pytest.raises(ChainUnavailable, match="asked less"):
                await chain.heads()
        assert chain.endpoints()[0].failures == 1


NONSENSE = [None, 5, "0xzz", "0x", [], {}, {"block": None}, {"number": 7}, {"specVersion": "x"}]


@pytest.mark.parametrize(
    "method",
    [
        "chain_getBlockHash", "chain_getFinalizedHead", "chain_getHeader", "chain_getBlock",
        "system_properties", "state_getRuntimeVersion", "state_getMetadata", "state_getStorage",
    ],
)  # fmt: skip
async def test_nonsense_is_unavailability_and_no_crash(
    script: ScriptedChain, node: ScriptedNode, method: str
) -> None:
    script.add(paying(Writer(balance="u64"), 5))
    for nonsense in NONSENSE:

        def spoil(asked: str, _: list[Any], result: Any, said: Any = nonsense) -> Any:
            return said if asked == method else result

        async with connected(script, node, timeout_seconds=2) as chain:
            for question in (chain.heads, lambda: chain.blocks(0, 1), lambda: chain.block_at(1)):
                node.spoils = None
                await chain.heads()
                node.spoils = spoil
                with contextlib.suppress(ChainUnavailable, WrongChain):
                    await question()


async def test_events_that_cannot_be_read_stop_there(
    script: ScriptedChain, chain: SubstrateChain
) -> None:
    script.add(paying(Writer(balance="u64"), 5))
    script.add(paying(Writer(balance="u128"), 6))
    script.add(paying(Writer(balance="u64"), 7))
    found = await chain.blocks(1, 3)
    assert [block.block.height for block in found] == [1]
    with pytest.raises(ChainUnavailable, match="cannot be read"):
        await chain.blocks(2, 3)


async def test_a_node_that_forgets_says_from_where_on_it_knows(
    script: ScriptedChain, node: ScriptedNode
) -> None:
    for _ in range(300):
        script.add()
    async with connected(script, node) as archive:
        assert (await archive.heads()).earliest_height == 0
    node.states_from = 45
    async with connected(script, node) as chain:
        heads = await chain.heads()
        assert heads.earliest_height == 50
        assert await chain.block_at(heads.earliest_height)
        with pytest.raises(ChainUnavailable, match="State already discarded"):
            await chain.blocks(30, 40)


async def test_blocks_that_change_between_the_questions_are_not_mixed(
    script: ScriptedChain, node: ScriptedNode, chain: SubstrateChain
) -> None:
    for units in range(1, 9):
        script.add(paying(Writer(balance="u64"), units))
    await chain.heads()

    def fork_meanwhile(method: str, params: list[Any], result: Any) -> Any:
        if method == "chain_getBlockHash" and params == [5]:
            script.fork(3, "rival")
        return result

    node.spoils = fork_meanwhile
    found = await chain.blocks(1, 8)
    for before, block in itertools.pairwise(found):
        assert block.parent_hash == before.block.hash
    node.spoils = None
    again = await chain.blocks(1, 8)
    assert [len(block.transfers) for block in again] == [1, 1, 1, 0, 0, 0, 0, 0]
    assert found == again[: len(found)] or len(found) <= 4


async def test_a_question_asks_for_no_more_than_a_second_allows(
    script: ScriptedChain, node: ScriptedNode
) -> None:
    for _ in range(4):
        script.add()
    rules = EndpointRules(requests_per_second=40)
    async with connected(script, node, endpoint_rules=rules) as chain:
        assert len(await chain.blocks(1, 4)) == 4


async def test_a_quorum_attests_what_enough_nodes_say(
    script: ScriptedChain, node: ScriptedNode, other_node: ScriptedNode
) -> None:
    script.add(paying(Writer(balance="u64"), 5))
    script.add()
    rules = EndpointRules(quorum=2, above_units={"bittensor:TAO": 4})
    async with connected(script, node, other_node, endpoint_rules=rules) as chain:
        await chain.heads()
        (block,) = await chain.blocks(1, 1)
        (transfer,) = block.transfers
        assert await chain.attested(transfer, block.block)

        def without_events(method: str, params: list[Any], result: Any) -> Any:
            return "0x00" if method == "state_getStorage" and len(str(result)) > 60 else result

        other_node.spoils = without_events
        assert await chain.blocks(1, 1) == []
    async with connected(script, node, other_node, endpoint_rules=rules) as chain:
        assert not await chain.attested(transfer, block.block)


async def test_with_a_quorum_one_node_takes_nothing_back(
    script: ScriptedChain, node: ScriptedNode, other_node: ScriptedNode
) -> None:
    """Neither its head nor its blocks alone are what the follower walks back by."""
    for _ in range(4):
        script.add()
    node.chain = ScriptedChain()
    for _ in range(2):
        node.chain.add()
    for _ in range(2):
        node.chain.add(salt="rival")
    rules = EndpointRules(quorum=2, above_units={"bittensor:TAO": 0})
    async with connected(script, node, other_node, endpoint_rules=rules) as chain:
        with pytest.raises(ChainUnavailable, match="do not agree about block 4"):
            await chain.heads()
        with pytest.raises(ChainUnavailable, match="do not agree about block 3"):
            await chain.block_at(3)
        found = await chain.block_at(2)
        assert found is not None
        assert found[0].hash == script.blocks[2][0]


async def test_with_a_quorum_heads_are_what_all_of_it_have(
    script: ScriptedChain, node: ScriptedNode, other_node: ScriptedNode
) -> None:
    for _ in range(4):
        script.add()
    script.final_height = 3
    node.chain = ScriptedChain()
    for _ in range(6):
        node.chain.add()
    rules = EndpointRules(quorum=2, above_units={"bittensor:TAO": 0})
    async with connected(script, node, other_node, endpoint_rules=rules) as chain:
        heads = await chain.heads()
        assert (heads.latest.height, heads.latest.hash) == (4, script.blocks[4][0])
        assert heads.finalized_height == 3


async def test_endpoints_are_looked_at(
    script: ScriptedChain, node: ScriptedNode, other_node: ScriptedNode
) -> None:
    script.add()
    other_node.status = 503
    async with connected(script, node, other_node) as chain:
        first, second = await chain.look_at_endpoints()
    assert (first.number, first.state, first.height) == (1, "in use", 1)
    assert (second.number, second.state, second.height) == (2, "set aside", None)


async def test_a_runtime_is_shared_by_nodes_that_say_the_same(
    script: ScriptedChain, node: ScriptedNode, other_node: ScriptedNode
) -> None:
    """One that says something else of the same version spoils only itself."""
    script.add(paying(Writer(balance="u64"), 5))
    wide = "0x" + runtimes.metadata(balance="u128").hex()
    node.spoils = lambda method, _, result: wide if method == "state_getMetadata" else result
    async with connected(script, node, other_node) as chain:
        (block,) = await chain.blocks(1, 1)
        assert [transfer.amount.units for transfer in block.transfers] == [5]
        assert chain.endpoints()[0].state == "set aside"


def test_a_chain_that_nobody_asks_imports_no_library() -> None:
    program = (
        "import sys\n"
        "import flamewire_ledger.chains.substrate.chain, flamewire_ledger.wiring.chains\n"
        "assert not {'substrateinterface', 'scalecodec', 'sr25519'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
