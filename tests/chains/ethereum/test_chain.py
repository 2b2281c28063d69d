"""What only Ethereum has: logs, receipts, finality tags, addresses from an extended key."""

from __future__ import annotations

import subprocess
import sys

import pytest

from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.domain.transfer import Transfer
from tests.chains.conformance import follower
from tests.chains.ears import Ears
from tests.chains.ethereum.anvil_world import SENDER, SUPPLY, AnvilWorld
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
    world.anvil.rpc("evm_setAutomine", True)
    made = world._deploy("TestToken", f"{SUPPLY:064x}")
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
    assert world.chain.round_trips - before == 3


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
