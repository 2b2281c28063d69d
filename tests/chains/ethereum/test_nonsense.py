"""Answers that no honest node would give, in every place of a block: unavailability and no crash."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final

import pytest

from flamewire_ledger.chains.chain import ChainUnavailable
from flamewire_ledger.chains.ethereum.tokens import check_tokens
from tests.chains.ethereum.anvil_world import AnvilWorld
from tests.chains.ethereum.endpoint import endpoint
from tests.chains.ethereum.test_internal import trace
from tests.chains.ethereum.test_tokens import usdc
from tests.chains.ethereum.test_transfers import (
    ALICE,
    BOB,
    DECODER,
    TOKEN,
    WALLET,
    hash_of,
    moved,
    transaction,
)

JUNK: Final = (
    None, 1, -1, 1.5, True, "", "x", "é", "0x", "0xzz", "-0x1", "0x" + "f" * 100, [], [[]], {}, {"a": 1},
)  # fmt: skip
ANSWER: Final[Any] = {
    "block": {
        "number": "0x10",
        "hash": "0xb10c",
        "parentHash": "0x00",
        "timestamp": "0x1",
        "transactions": [transaction(1, ALICE, BOB, 5), transaction(2, ALICE, WALLET)],
    },
    "receipts": [
        {
            "transactionHash": hash_of(number),
            "blockHash": "0xb10c",
            "status": "0x1",
            "logs": [moved(ALICE, BOB, 5, contract)],
        }
        for number, contract in ((1, WALLET), (2, TOKEN))
    ],
    "traces": [
        trace(1, [], ALICE, BOB, 5),
        trace(2, [], ALICE, WALLET),
        trace(2, [0], WALLET, BOB, 7),
        {
            **trace(2, [1], WALLET, BOB, 8),
            "type": "suicide",
            "action": {"address": WALLET, "refundAddress": BOB, "balance": "0x5"},
        },
        {**trace(2, [2], WALLET, BOB, 9), "type": "create", "result": {"address": BOB}},
    ],
}
Path = tuple[Any, ...]


def places(within: Any, path: Path = ()) -> Iterator[Path]:
    items: Any = ()
    if isinstance(within, dict):
        items = within.items()
    elif isinstance(within, list):
        items = enumerate(within)
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def with_junk(path: Path, junk: Any) -> Any:
    answer = copy.deepcopy(ANSWER)
    within = answer
    for key in path[:-1]:
        within = within[key]
    within[path[-1]] = copy.deepcopy(junk)
    return answer


@pytest.mark.parametrize("path", list(places(ANSWER)), ids=lambda path: "/".join(map(str, path)))
def test_whatever_stands_in_a_block_is_a_transfer_or_unavailability(path: Path) -> None:
    for junk in JUNK:
        answer = with_junk(path, junk)
        try:
            found = DECODER.block_transfers(answer["block"], answer["receipts"], answer["traces"])
            pending = list(DECODER.pending(answer["block"]))
        except ChainUnavailable:
            continue
        assert found is None or isinstance(found.parent_hash, str)
        for transfer in (*(found.transfers if found else ()), *pending):
            assert isinstance(transfer.transaction_id, str)
            assert len(transfer.address) == 42
            assert 0 < transfer.amount.units < 2**256


@pytest.mark.parametrize("junk", JUNK)
async def test_whatever_a_node_says_its_chain_is_ends_nothing(world: AnvilWorld, junk: Any) -> None:
    with endpoint(world) as stray, endpoint(world) as honest:
        stray.lie = lambda method, _, answer: junk if method == "eth_chainId" else answer
        chain = world.connect(rpc_urls=(stray.url, honest.url))
        assert (await chain.heads()).latest.height >= 0
        assert chain.endpoints()[0].state == "set aside"
        await chain.aclose()


@pytest.mark.parametrize("junk", [each for each in JUNK if each is not None])
async def test_whatever_a_node_says_of_one_block_is_unavailability(
    world: AnvilWorld, junk: Any
) -> None:
    with endpoint(world) as node:
        chain = world.connect(rpc_urls=(node.url,))
        await chain.heads()
        node.lie = lambda method, _, answer: junk if method == "eth_getBlockByNumber" else answer
        for question in (chain.heads, lambda: chain.block_at(0), lambda: chain.blocks(0, 0)):
            with pytest.raises(ChainUnavailable):
                await question()
        await chain.aclose()


async def test_decimals_that_are_no_number_are_unavailability() -> None:
    async def ask(questions: Any) -> list[Any]:
        return ["0x60" if method == "eth_getCode" else "z" * 66 for method, _ in questions]

    with pytest.raises(ChainUnavailable, match="makes no sense"):
        await check_tokens("base", [usdc(6)], ask)
