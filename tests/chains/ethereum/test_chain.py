"""What only Ethereum has: logs, receipts, finality tags, endpoints that fail."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from flamewire_ledger.chains.chain import ChainUnavailable, WrongChain
from flamewire_ledger.chains.follow import Follower
from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.domain.transfer import Transfer
from tests.chains.conformance import follower
from tests.chains.ears import Ears
from tests.chains.ethereum.anvil_world import SENDER, AnvilWorld
from tests.services.anvil import ACCOUNTS, Anvil


async def newest(world: AnvilWorld) -> tuple[Transfer, ...]:
    head = (await world.chain.heads()).latest.height
    (block,) = await world.chain.blocks(head, head)
    return block.transfers


def address(world: AnvilWorld, index: int = 1) -> str:
    return world.chain.deposit(index).address


async def test_nothing_moved_is_no_transfer(world: AnvilWorld) -> None:
    await world.pay(address(world), 0)
    await world.pay(address(world), 0, "TUSD")
    sent = await world.pay(address(world), 1, "TUSD")
    await world.mine()
    assert await newest(world) == (sent,)


async def test_a_new_contract_is_no_transfer_and_what_it_mints_is_one(world: AnvilWorld) -> None:
    contract = world._deploy
    world.anvil.rpc("evm_setAutomine", True)
    made = contract()
    (minted,) = await newest(world)
    assert minted.index == 1
    assert minted.amount.asset.code == f"ethereum:{made}"
    assert minted.address == SENDER


async def test_a_transfer_to_oneself_is_one(world: AnvilWorld) -> None:
    sent = await world.pay(SENDER, 5, "TUSD")
    await world.mine()
    assert await newest(world) == (sent,)


async def test_an_approval_is_no_transfer(world: AnvilWorld) -> None:
    data = f"0x095ea7b3{address(world)[2:].lower():0>64}{5:064x}"
    world._send(world.contract, 0, data)
    await world.mine()
    assert await newest(world) == ()


async def test_an_unlisted_token_is_named_by_its_contract_in_base_units(world: AnvilWorld) -> None:
    sent = await world.pay_unlisted(address(world), 123)
    await world.mine()
    (found,) = await newest(world)
    assert found == sent
    assert found.amount.asset.code == f"ethereum:{world.unlisted_contract}"
    assert found.amount.text == "123"


async def test_a_transfer_keeps_its_name_when_it_comes_back_in_another_block(
    world: AnvilWorld,
) -> None:
    """Two token transfers change places in the block; each keeps its transaction and index."""
    ears = Ears(address(world))
    following = follower(world, ears)
    await following.catch_up()
    one = await world.pay(address(world), 1, "TUSD")
    two = await world.pay(address(world), 2, "TUSD")
    await world.mine()
    await following.catch_up()
    raw = [
        world.anvil.rpc("eth_getRawTransactionByHash", sent.transaction_id) for sent in (one, two)
    ]
    world.anvil.rpc("anvil_reorg", 1, [[raw[0], 0]])
    world.anvil.rpc("eth_sendRawTransaction", raw[1])
    await world.mine()
    await world.make_final()
    await following.catch_up()
    assert ears.stages(one) == ["included", "included", "confirmed"]
    assert ears.stages(two)[-2:] == ["included", "confirmed"]
    assert {each.transfer.key for each in ears.heard} == {one.key, two.key}


@pytest.mark.parametrize("depth", [2, 5, 7])
async def test_a_deep_reorganisation_drops_everything_in_it(world: AnvilWorld, depth: int) -> None:
    ears = Ears(address(world))
    following = follower(world, ears)
    await following.catch_up()
    stays = await world.pay(address(world), 1)
    await world.mine()
    goes = []
    for units in range(depth):
        goes.append(await world.pay(address(world), 10 + units))
        await world.mine()
    await following.catch_up()
    world.anvil.reorganise(depth)
    await following.catch_up()
    await world.mine()
    await following.catch_up()
    assert "dropped" not in ears.stages(stays)
    assert [ears.stages(each)[-1] for each in goes] == ["dropped"] * depth


async def test_a_chain_rolled_back_and_grown_again_drops_what_is_lost(world: AnvilWorld) -> None:
    ears = Ears(address(world))
    following = follower(world, ears)
    await following.catch_up()
    snapshot = world.anvil.rpc("evm_snapshot")
    goes = await world.pay(address(world), 1)
    await world.mine(2)
    await following.catch_up()
    assert world.anvil.rpc("evm_revert", snapshot) is True
    await following.catch_up()
    assert ears.stages(goes)[-1] == "included"
    comes = await world.pay(address(world), 2)
    for _ in range(4):
        await world.mine()
        await following.catch_up()
    assert ears.stages(goes)[-1] == "dropped"
    assert ears.stages(comes)[-1] == "included"


async def test_a_follower_that_is_killed_in_the_middle_of_a_reorganisation_goes_on(
    world: AnvilWorld,
) -> None:
    ears, state = Ears(address(world)), MemoryFollowerState()
    await follower(world, ears, state).catch_up()
    goes = await world.pay(address(world), 1)
    await world.mine()
    await follower(world, ears, state).catch_up()
    world.anvil.reorganise(1)
    await world.mine()
    await follower(world, ears, state).step()  # it has walked back, and no more
    stays = await world.pay(address(world), 2)
    await world.mine()
    await follower(world, ears, state).catch_up()
    await world.make_final()
    await follower(world, ears, state).catch_up()
    assert ears.stages(goes)[-1] == "dropped"
    assert ears.stages(stays)[-1] == "confirmed"


async def test_a_waiting_transfer_is_detected_and_one_that_is_replaced_is_dropped(
    world: AnvilWorld,
) -> None:
    ears = Ears(address(world))
    following = follower(world, ears)
    await following.catch_up()
    coin = await world.pay(address(world), 1)
    token = await world.pay(address(world), 2, "TUSD")
    await following.catch_up()
    assert ears.stages(coin) == ears.stages(token) == ["detected"]
    world.anvil.rpc("anvil_dropTransaction", token.transaction_id)
    await following.catch_up()
    for _ in range(2):
        await world.mine()
        await following.catch_up()
    assert ears.stages(coin) == ["detected", "included"]
    assert ears.stages(token) == ["detected", "dropped"]


async def test_the_mempool_may_be_left_alone(world: AnvilWorld) -> None:
    world.chain = world.connect(uses_mempool=False)
    await world.pay(address(world), 1)
    assert await world.chain.pending() == ()


async def test_confirmations_count_where_the_chain_has_no_finality(world: AnvilWorld) -> None:
    world.chain = world.connect(finality="confirmations")
    heads = await world.chain.heads()
    # Three are asked for, and the block that holds the transfer is the first.
    assert heads.finalized_height == heads.latest.height - 2


async def test_finality_is_the_chains_own_word(world: AnvilWorld) -> None:
    await world.mine(30)
    heads = await world.chain.heads()
    said = int(world.anvil.rpc("eth_getBlockByNumber", "finalized", False)["number"], 16)
    assert heads.finalized_height == said < heads.latest.height


# Round trips.


async def test_many_blocks_are_read_in_few_round_trips(world: AnvilWorld) -> None:
    await world.mine(99)
    head = (await world.chain.heads()).latest.height
    before = world.chain.round_trips
    blocks = await world.chain.blocks(head - 99, head)
    assert len(blocks) == 100
    assert world.chain.round_trips - before == 4


async def test_looking_at_a_chain_where_nothing_happens_takes_two_round_trips(
    world: AnvilWorld,
) -> None:
    following = follower(world, Ears())
    await following.catch_up()
    before = world.chain.round_trips
    await following.step()
    assert world.chain.round_trips - before == 2  # heads, and what is waiting


async def test_a_thousand_transfers_in_one_block(world: AnvilWorld) -> None:
    ears = Ears(address(world))
    following = follower(world, ears)
    await following.catch_up()
    world.anvil.rpc("evm_setBlockGasLimit", hex(1_000_000_000))
    await world.mine()
    for _ in range(1000):
        await world.pay(address(world), 1)
    await world.mine()
    await following.catch_up()
    included = [each for each in ears.stages() if each == "included"]
    assert len(included) == 1000


# Endpoints.


class Endpoint:
    """A loopback stand-in before a node: it can fail, refuse batches, or find answers too large."""

    def __init__(self, node_url: str) -> None:
        self.node_url = node_url
        self.status = 200
        self.takes_batches = True
        self.batch_max = 1000
        self.spoils: Callable[[dict[str, Any]], dict[str, Any]] | None = None
        self.requests = 0
        self._client = httpx.Client(timeout=30)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = outer.answer(body)
                self.send_response(outer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/secret-key"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    def answer(self, body: bytes) -> bytes:
        self.requests += 1
        asked = json.loads(body)
        if self.status != 200:
            return b"no"
        if isinstance(asked, list) and (not self.takes_batches or len(asked) > self.batch_max):
            refusal = {"code": -32600, "message": "too much at once"}
            if not self.takes_batches:
                return json.dumps({"jsonrpc": "2.0", "id": None, "error": refusal}).encode()
            return json.dumps(
                [{"jsonrpc": "2.0", "id": each["id"], "error": refusal} for each in asked]
            ).encode()
        json_type = {"Content-Type": "application/json"}
        answer = self._client.post(self.node_url, content=body, headers=json_type).json()
        if self.spoils:
            answer = [self.spoils(each) for each in answer] if isinstance(answer, list) else (
                self.spoils(answer)
            )  # fmt: skip
        return json.dumps(answer).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
        self._client.close()


@contextmanager
def endpoint(world: AnvilWorld) -> Iterator[Endpoint]:
    made = Endpoint(world.anvil.url)
    yield made
    made.close()


async def test_another_endpoint_steps_in_and_no_url_is_told(
    world: AnvilWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "flamewire_ledger")
    with endpoint(world) as first, endpoint(world) as second:
        chain = world.connect(rpc_urls=(first.url, second.url))
        await chain.heads()
        assert (first.requests, second.requests) == (2, 0)  # which chain it is, then the heads
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


# Addresses and URIs.


def test_deposit_addresses_are_those_a_wallet_shows(anvil: Anvil, world: AnvilWorld) -> None:
    assert [world.chain.deposit(index).address for index in range(3)] == [
        account for account, _ in ACCOUNTS
    ]
    assert world.chain.deposit(2).derivation.endswith("/0/2")


def test_payment_uris_are_those_of_eip_681(world: AnvilWorld) -> None:
    coin, token = world.chain.network.tokens
    to = address(world)
    assert world.chain.payment_uri(coin, to, 10**18) == f"ethereum:{to}@31337?value={10**18}"
    assert world.chain.payment_uri(token, to, 25) == (
        f"ethereum:{world.contract}@31337/transfer?address={to}&uint256=25"
    )


def test_giving_out_addresses_does_not_import_web3() -> None:
    """The API gives out addresses and must start fast; only who follows the chain needs web3."""
    program = (
        "import sys\n"
        "import flamewire_ledger.chains.ethereum.chain\n"
        "import flamewire_ledger.chains.networks\n"
        "assert 'web3' not in sys.modules\n"
        "assert 'bip_utils' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
