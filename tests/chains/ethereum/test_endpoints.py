"""Endpoints that fail, lie, or take less at once than was asked for."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from aiohttp import ClientResponseError

from flamewire_ledger.chains.chain import ChainUnavailable, WrongChain
from flamewire_ledger.chains.ethereum.connection import retry_after_seconds
from flamewire_ledger.chains.follow import Follower
from flamewire_ledger.chains.networks.endpoint_rules import EndpointRules
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


async def test_no_library_tells_a_url_either(
    world: AnvilWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with endpoint(world) as node:
        chain = world.connect(rpc_urls=(node.url,))
        await chain.heads()
        node.status = 503
        with pytest.raises(ChainUnavailable):
            await chain.heads()
        await chain.aclose()
    assert "secret-key" not in caplog.text


@pytest.mark.parametrize("has_tokens", [True, False])
async def test_an_endpoint_of_another_chain_is_never_believed(
    world: AnvilWorld, has_tokens: bool
) -> None:
    chain = world.connect(evm_chain_id=1, has_tokens=has_tokens)
    for _ in range(2):
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


# Rates, and what is asked for at once.


async def test_who_wants_to_be_left_alone_is_left_alone_for_as_long_as_it_says(
    world: AnvilWorld,
) -> None:
    with endpoint(world) as first, endpoint(world) as second:
        chain = world.connect(rpc_urls=(first.url, second.url))
        first.status, first.headers = 429, {"Retry-After": "3000"}
        await chain.heads()
        first.mend()
        asked = first.requests
        for _ in range(3):
            await chain.heads()
        assert first.requests == asked
        assert second.requests > 3
        second.status = 503
        with pytest.raises(ChainUnavailable):
            await chain.heads()
        assert first.requests == asked, "not even when nobody else answers"
        reports = await chain.look_at_endpoints()
        assert first.requests == asked, "and not to see how it does"
        assert (reports[0].state, reports[0].reason) == ("set aside", "it wants to be asked less")
        await chain.aclose()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120.0),
        ({"Retry-After": "0"}, 0.0),
        (
            {
                "Date": "Sun, 22 Nov 2026 12:00:00 GMT",
                "Retry-After": "Sun, 22 Nov 2026 12:01:30 GMT",
            },
            90.0,
        ),
        ({"Retry-After": "Sun, 22 Nov 2026 12:01:30 GMT"}, None),
        (
            {
                "Date": "Sun, 22 Nov 2026 12:00:00 GMT",
                "Retry-After": "Sun, 22 Nov 2026 11:00:00 GMT",
            },
            0.0,
        ),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait_is_read_as_http_says_it(
    headers: dict[str, str], seconds: float | None
) -> None:
    asked: Any = None
    answered: Any = headers
    error = ClientResponseError(asked, (), status=429, headers=answered)
    assert retry_after_seconds(error) == seconds


async def test_no_more_is_asked_at_once_than_a_second_allows(world: AnvilWorld) -> None:
    await world.mine(30)
    rules = EndpointRules(requests_per_second=20)
    with endpoint(world) as node:
        sizes: list[int] = []
        answer = node.answer

        def counted(body: bytes) -> bytes:
            sizes.append(body.count(b'"method"'))
            return answer(body)

        node.answer = counted  # type: ignore[method-assign]
        chain = world.connect(rpc_urls=(node.url,), endpoint_rules=rules)
        head = (await chain.heads()).latest.height
        assert len(await chain.blocks(head - 24, head)) == 25
        await chain.aclose()
    assert max(sizes) == 20


async def test_a_batch_of_which_answers_are_missing_is_no_answer(world: AnvilWorld) -> None:
    with endpoint(world) as node:
        chain = world.connect(rpc_urls=(node.url,))
        head = (await chain.heads()).latest.height
        node.drops_answers = True
        with pytest.raises(ChainUnavailable):
            await chain.blocks(head - 1, head)
        await chain.aclose()


async def test_another_block_than_the_one_that_was_asked_for_is_no_answer(
    world: AnvilWorld,
) -> None:
    await world.mine(5)

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_getBlockByNumber" and params[0].startswith("0x"):
            return {**result, "number": hex(int(params[0], 16) + 1)}
        return result

    with endpoint(world) as node:
        chain = world.connect(rpc_urls=(node.url,))
        head = (await chain.heads()).latest.height
        node.lie = lie
        with pytest.raises(ChainUnavailable):
            await chain.blocks(head - 1, head)
        await chain.aclose()


# What is known of them.


async def test_endpoints_can_be_looked_at_before_and_after_they_were_asked(
    world: AnvilWorld,
) -> None:
    with endpoint(world) as first, endpoint(world) as second:
        chain = world.connect(rpc_urls=(first.url, second.url))
        assert [(each.number, each.state, each.height) for each in chain.endpoints()] == [
            (1, "in use", None), (2, "standing by", None),
        ]  # fmt: skip
        assert (first.requests, second.requests) == (0, 0)
        second.kill()
        head = (await world.chain.heads()).latest.height
        reports = await chain.look_at_endpoints()
        assert [(each.number, each.state, each.height) for each in reports] == [
            (1, "in use", head), (2, "set aside", None),
        ]  # fmt: skip
        assert "secret-key" not in str(reports)
        second.revive()
        reports = await chain.look_at_endpoints()
        assert [each.state for each in reports] == ["in use", "standing by"]
        assert [each.failures for each in reports] == [0, 1]
        await chain.aclose()
