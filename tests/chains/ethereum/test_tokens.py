"""Tokens of the networks file held against what a node says of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytest

from flamewire_ledger.chains.chain import (
    ChainUnavailable,
    QuestionRefused,
    Token,
    WrongToken,
)
from flamewire_ledger.chains.ethereum.tokens import check_tokens
from flamewire_ledger.domain.money import Asset
from tests.chains.ethereum.anvil_world import AnvilWorld
from tests.chains.ethereum.endpoint import endpoint

USDC = "0x" + "d" * 40


def usdc(decimals: int) -> Token:
    return Token(Asset("base:USDC", decimals), f"eip155:8453/erc20:{USDC}", USDC)


class Node:
    """Says these things of the one contract there is."""

    def __init__(
        self, code: Any = "0x6000", decimals: Any = f"0x{6:064x}", syncing: Any = False
    ) -> None:
        self._answers = {"eth_getCode": code, "eth_call": decimals, "eth_syncing": syncing}

    async def ask(self, questions: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        answers = [self._answers[method] for method, _ in questions]
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers


async def test_what_the_file_says_may_be_what_the_chain_says() -> None:
    await check_tokens("base", [usdc(6)], Node().ask)


async def test_other_decimals_are_refused_with_what_to_correct() -> None:
    with pytest.raises(WrongToken, match="USDC on base has 6 decimals, not 18: correct"):
        await check_tokens("base", [usdc(18)], Node().ask)


@pytest.mark.parametrize("syncing", [False, QuestionRefused("eth_syncing: no such method")])
async def test_an_address_without_a_contract_is_refused(syncing: Any) -> None:
    with pytest.raises(WrongToken, match=f"no contract at {USDC} on base: correct the contract"):
        await check_tokens("base", [usdc(6)], Node(code="0x", syncing=syncing).ask)


@pytest.mark.parametrize("silence", ["0x", ChainUnavailable("eth_call: execution reverted (3)")])
async def test_a_token_that_keeps_its_decimals_to_itself_is_believed_by_the_file(
    silence: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        await check_tokens("base", [usdc(6)], Node(decimals=silence).ask)
    assert "base:USDC does not say its decimals" in caplog.text


@pytest.mark.parametrize(
    "node",
    [
        Node(code=ChainUnavailable("away")),
        Node(code=None),
        Node(decimals=ChainUnavailable("away")),
        Node(code="0x", syncing={"currentBlock": "0x10", "highestBlock": "0x1000"}),
        Node(code="0x", syncing=ChainUnavailable("away")),
    ],
)
async def test_while_nobody_can_say_it_is_asked_again_later(node: Node) -> None:
    with pytest.raises(ChainUnavailable):
        await check_tokens("base", [usdc(6)], node.ask)


# On a real node.


async def test_nothing_of_a_chain_is_believed_before_its_tokens_are_right(
    world: AnvilWorld,
) -> None:
    contract = world.contract
    world.contract = world.chain.deposit(5).address
    chain = world.connect()
    with pytest.raises(WrongToken, match="there is no contract at"):
        await chain.heads()
    await chain.aclose()
    world.contract = contract
    chain = world.connect()
    await chain.heads()
    await chain.aclose()


async def test_one_endpoint_that_lies_about_a_token_ends_nothing(world: AnvilWorld) -> None:
    def denies(method: str, _: list[Any], answer: Any) -> Any:
        return "0x" if method == "eth_getCode" else answer

    def other_decimals(method: str, _: list[Any], answer: Any) -> Any:
        return f"0x{11:064x}" if method == "eth_call" else answer

    for lie in (denies, other_decimals):
        with endpoint(world) as liar, endpoint(world) as honest:
            liar.lie = lie
            chain = world.connect(rpc_urls=(liar.url, honest.url))
            assert (await chain.heads()).latest.height >= 0
            first, second = chain.endpoints()
            assert (first.state, second.state) == ("set aside", "in use")
            honest.lie = lie
            await chain.aclose()
            chain = world.connect(rpc_urls=(liar.url, honest.url))
            with pytest.raises(WrongToken, match="in the networks file"):
                await chain.heads()
            await chain.aclose()
