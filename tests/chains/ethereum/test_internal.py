"""ETH that contracts pass on, by the traces of a block; and before a real node."""

from __future__ import annotations

from typing import Any

import pytest

from flamewire_ledger.chains.chain import ChainUnavailable
from flamewire_ledger.chains.follow import Follower, Limits
from flamewire_ledger.chains.progress import MemoryFollowerState
from tests.chains.ears import Ears
from tests.chains.ethereum.anvil_world import AnvilWorld
from tests.chains.ethereum.endpoint import endpoint
from tests.chains.ethereum.hands import Hands, call
from tests.chains.ethereum.test_transfers import (
    ALICE,
    BOB,
    DECODER,
    WALLET,
    hash_of,
    moved,
    transaction,
)

FIRST = 1_000_000


def trace(
    number: int, place: list[int], sender: str, to: str, value: int = 0, **changed: Any
) -> dict[str, Any]:
    """A call, as `trace_block` tells of it."""
    call = {"callType": "call", "from": sender, "to": to, "value": hex(value), "input": "0x"}
    return {
        "action": call | changed.pop("action", {}),
        "blockHash": "0xb10c",
        "transactionHash": hash_of(number),
        "traceAddress": place,
        "type": "call",
        **changed,
    }


def seen(
    traces: list[dict[str, Any]], *, status: str = "0x1", logs: tuple[dict[str, Any], ...] = ()
) -> list[tuple[int, str, int]] | None:
    """Index, receiver's letter, units, of a transaction of Alice's that calls a wallet."""
    block = {
        "number": "0x10", "hash": "0xb10c", "parentHash": "0x00", "timestamp": "0x1",
        "transactions": [transaction(1, ALICE, WALLET, 9)],
    }  # fmt: skip
    receipt = {
        "transactionHash": hash_of(1), "blockHash": "0xb10c", "status": status, "logs": list(logs)
    }  # fmt: skip
    found = DECODER.block_transfers(block, [receipt], traces)
    if found is None:
        return None
    return [(each.index, each.address[-1].lower(), each.amount.units) for each in found.transfers]


OWN = trace(1, [], ALICE, WALLET, 9)


def test_what_a_contract_passes_on_is_a_transfer() -> None:
    paid = [OWN, trace(1, [0], WALLET, BOB, 4), trace(1, [1], WALLET, ALICE, 5)]
    assert seen(paid) == [(0, "c", 9), (FIRST, "b", 4), (FIRST + 1, "a", 5)]


@pytest.mark.parametrize("kind", ["delegatecall", "callcode", "staticcall"])
def test_code_that_is_only_borrowed_moves_nothing(kind: str) -> None:
    borrowed = trace(1, [0], WALLET, BOB, 9, action={"callType": kind})
    assert seen([OWN, borrowed]) == [(0, "c", 9)]


def test_what_a_failed_call_did_was_undone_and_all_that_it_had_called() -> None:
    traces = [
        OWN,
        trace(1, [0], WALLET, BOB, 1, error="Reverted"),
        trace(1, [0, 0], BOB, ALICE, 1),
        trace(1, [0, 0, 3], ALICE, BOB, 1),
        trace(1, [0, 1], BOB, ALICE, 1, error="out of gas"),
        trace(1, [1], WALLET, BOB, 2),
    ]
    assert seen(traces) == [(0, "c", 9), (FIRST, "b", 2)]


def test_a_contract_that_is_made_or_ended_moves_what_it_holds() -> None:
    traces = [
        OWN,
        trace(1, [0], WALLET, BOB, 3, type="create", result={"address": BOB}),
        trace(
            1, [1], WALLET, BOB, type="suicide",
            action={"address": WALLET, "refundAddress": ALICE, "balance": "0x6"},
        ),
    ]  # fmt: skip
    assert seen(traces) == [(0, "c", 9), (FIRST, "b", 3), (FIRST + 1, "a", 6)]


def test_what_the_chain_logs_is_not_counted_again() -> None:
    logged = (moved(ALICE, WALLET, 9), moved(WALLET, BOB, 4))
    assert seen([OWN, trace(1, [0], WALLET, BOB, 4)], logs=logged) == [(0, "c", 9), (1, "b", 4)]


def test_of_a_transaction_that_failed_nothing_counts() -> None:
    assert seen([OWN, trace(1, [0], WALLET, BOB, 4)], status="0x0") == []


def test_rewards_are_of_no_transaction() -> None:
    reward = {"blockHash": "0xb10c", "type": "reward", "traceAddress": [], "action": {}}
    assert seen([OWN, reward]) == [(0, "c", 9)]


def test_traces_of_another_block_are_not_used() -> None:
    assert seen([OWN, trace(1, [0], WALLET, BOB, 4, blockHash="0xother")]) is None


def test_a_node_that_has_forgotten_the_traces_tells_of_no_block() -> None:
    """Else what it has forgotten would never have been."""
    with pytest.raises(ChainUnavailable):
        seen([])


# Before a real node.


async def test_a_wallet_that_is_a_contract_pays_and_the_chain_takes_it_back(
    world: AnvilWorld,
) -> None:
    hands = Hands(world.anvil)
    purse = hands.odd("Purse")
    hands.done(purse, value=10**9)
    chain = world.connect(internal_transfers=True)
    address = chain.deposit(3).address
    ears = Ears(address)
    follower = Follower(
        chain,
        ears,
        MemoryFollowerState(),
        limits=Limits(late_seconds_max=0),
        start_height=(await chain.heads()).latest.height + 1,
    )
    paid = hands.done(purse, pay(address, 7))
    await follower.catch_up()
    (included,) = ears.heard
    assert included.transfer.transaction_id == paid["transactionHash"]
    assert (included.transfer.index, included.transfer.amount.units) == (FIRST, 7)
    await world.make_final()
    await follower.catch_up()
    assert ears.stages(included.transfer) == ["included", "confirmed"]
    plain = await world.chain.blocks(int(paid["blockNumber"], 16), int(paid["blockNumber"], 16))
    assert [each for block in plain for each in block.transfers if each.address == address] == []
    await chain.aclose()


async def test_an_endpoint_without_traces_is_set_aside_and_another_steps_in(
    world: AnvilWorld,
) -> None:
    await world.pay(world.chain.deposit(1).address, 5)
    await world.mine()
    with endpoint(world) as without, endpoint(world) as other:
        without.spoils = refusing_traces
        chain = world.connect(rpc_urls=(without.url, other.url), internal_transfers=True)
        head = (await chain.heads()).latest.height
        (block,) = await chain.blocks(head, head)
        assert [each.amount.units for each in block.transfers] == [5]
        first, second = chain.endpoints()
        assert (first.state, second.state) == ("set aside", "in use")
        assert "internal_transfers asks for what it refuses" in (first.reason or "")
        await chain.aclose()


def refusing_traces(answer: dict[str, Any]) -> dict[str, Any]:
    result = answer.get("result")
    if isinstance(result, list) and result and "traceAddress" in result[0]:
        refusal = {"code": -32601, "message": "the method trace_block does not exist"}
        return {"jsonrpc": "2.0", "id": answer["id"], "error": refusal}
    return answer


def pay(address: str, units: int) -> str:
    return call("pay(address,uint256)", address, units)
