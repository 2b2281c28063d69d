"""What only Sui has: subscriptions that break, receipts, sums, and nothing that is imported early."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from datetime import datetime

import pytest
from grpclib.const import Status

from flamewire_ledger.chains.chain import BlockTransfers, ChainUnavailable
from flamewire_ledger.chains.follow import Follower, Limits
from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.chains.sui.transfers import NO_DIGEST
from flamewire_ledger.domain.rejection import InvalidAddress
from flamewire_ledger.domain.transfer import Transfer
from tests.chains.conformance import follower
from tests.chains.ears import Ears
from tests.chains.sui.sui_world import ADDRESSES, HEARD_SECONDS_MAX, USDC, SuiWorld
from tests.services.sui.model import GAS, SUI
from tests.services.sui.wallet import Move

SHOP, OTHER = ADDRESSES[1], ADDRESSES[2]


async def newest(world: SuiWorld) -> tuple[Transfer, ...]:
    head = (await world.chain.heads()).latest.height
    (block,) = await world.chain.blocks(head, head)
    return block.transfers


async def until(world: SuiWorld, *, subscriptions: int) -> None:
    async with asyncio.timeout(HEARD_SECONDS_MAX):
        while world.server.subscriptions != subscriptions:
            await asyncio.sleep(0.005)


def checkpoints_asked(world: SuiWorld) -> list[str]:
    return [asked for asked in world.server.asked if asked.startswith("checkpoint")]


# Transfers.


async def test_several_recipients_of_one_transaction_are_several_transfers(world: SuiWorld) -> None:
    done = world.wallet.pay(Move(SHOP, 5), Move(OTHER, 6, USDC), Move(OTHER, 7))
    await world.mine()
    found = await newest(world)
    assert [(t.index, t.address, t.amount.asset.code, t.amount.units) for t in found] == [
        (0, SHOP, "sui:SUI", 5), (1, OTHER, "sui:SUI", 7), (2, OTHER, "sui:USDC", 6),
    ]  # fmt: skip
    assert {transfer.transaction_id for transfer in found} == {done.digest}


async def test_what_one_address_gets_of_a_coin_is_one_sum(world: SuiWorld) -> None:
    world.wallet.pay(Move(SHOP, 5), Move(SHOP, 6))
    await world.mine()
    assert [transfer.amount.units for transfer in await newest(world)] == [11]


async def test_a_receipt_of_the_payment_kit_is_the_mark_of_its_transfer(world: SuiWorld) -> None:
    world.wallet.pay(Move(SHOP, 5, USDC, nonce="order-17"), Move(SHOP, 3, USDC))
    await world.mine()
    found = await newest(world)
    assert [(t.mark, t.amount.units) for t in found] == [("order-17", 5), (None, 3)]
    assert len({transfer.key for transfer in found}) == 2


async def test_without_the_package_no_receipt_is_read_or_asked_for(world: SuiWorld) -> None:
    chain = world.connect(payment_kit=None)
    world.wallet.pay(Move(SHOP, 5, nonce="order-17"))
    await world.mine()
    (block,) = await chain.blocks(world.model.height, world.model.height)
    assert [(t.mark, t.amount.units) for t in block.transfers] == [(None, 5)]
    await chain.aclose()


async def test_a_failed_transaction_moves_nothing_though_its_gas_is_paid(world: SuiWorld) -> None:
    before = world.model.held(world.wallet.address, SUI)
    done = world.wallet.pay_in_vain(SHOP, 1_000)
    await world.mine()
    assert done.changes == ((world.wallet.address, SUI, -GAS),)
    assert world.model.held(world.wallet.address, SUI) == before - GAS
    assert await newest(world) == ()


async def test_paying_oneself_is_no_transfer(world: SuiWorld) -> None:
    world.wallet.pay(Move(world.wallet.address, 1_000))
    await world.mine()
    assert await newest(world) == ()


# Checkpoints.


async def test_every_checkpoint_is_final_and_names_the_one_before(world: SuiWorld) -> None:
    heads = await world.chain.heads()
    assert heads.finalized_height == heads.latest.height == world.model.height
    blocks = await world.chain.blocks(0, world.model.height)
    assert blocks[0].parent_hash == NO_DIGEST
    for before, after in itertools.pairwise(blocks):
        assert after.parent_hash == before.block.hash
        assert after.block.at >= before.block.at
    assert [each.block.hash for each in blocks] == [t.digest for t in world.model.checkpoints]


async def test_the_newest_checkpoints_come_by_subscription_and_are_not_asked_for(
    world: SuiWorld,
) -> None:
    await world.chain.heads()
    await until(world, subscriptions=1)
    await world.mine()
    world.server.asked.clear()
    await world.pay(SHOP, 5)
    await world.mine()
    assert [transfer.amount.units for transfer in await newest(world)] == [5]
    assert checkpoints_asked(world) == []


async def test_a_subscription_that_drops_leaves_no_gap(world: SuiWorld) -> None:
    ears, state = Ears(SHOP), MemoryFollowerState()
    following = follower(world, ears, state)
    await following.catch_up()
    await until(world, subscriptions=1)
    sent = [await world.pay(SHOP, 5)]
    await world.mine()
    world.server.subscribes = False
    world.server.drop_subscriptions()
    await until(world, subscriptions=0)
    for units in (6, 7, 8):
        sent.append(await world.pay(SHOP, units))
        await world.mine()
    await following.catch_up()
    world.server.subscribes = True
    world.model.make_checkpoint()
    await until(world, subscriptions=1)
    sent.append(await world.pay(SHOP, 9))
    await world.mine()
    await following.catch_up()
    for transfer in sent:
        assert ears.stages(transfer) == ["included", "confirmed"]
    assert len(ears.heard) == 2 * len(sent)


async def test_a_node_without_subscriptions_is_asked_for_everything(world: SuiWorld) -> None:
    world.server.subscribes = False
    ears = Ears(SHOP)
    following = follower(world, ears)
    await following.catch_up()
    sent = await world.pay(SHOP, 5)
    await world.mine()
    await following.catch_up()
    assert ears.stages(sent) == ["included", "confirmed"]


async def test_a_subscription_ends_with_its_connection(world: SuiWorld) -> None:
    chain = world.connect()
    await chain.heads()
    await until(world, subscriptions=1)
    await chain.aclose()
    await until(world, subscriptions=0)


async def test_the_first_block_is_searched_for_among_those_there_are(world: SuiWorld) -> None:
    world.model.make_checkpoint(6)
    world.server.lowest = 5
    heads = await world.chain.heads()
    assert heads.earliest_height == 5
    first = world.model.checkpoints[5].at

    async def since() -> datetime:
        return first

    following = Follower(
        world.chain, Ears(), MemoryFollowerState(), limits=Limits(late_seconds_max=0), since=since
    )
    await following.catch_up()
    assert following.height == world.model.height


async def test_questions_are_bounded_in_time_and_the_stall_is_no_crash(world: SuiWorld) -> None:
    chain = world.connect(timeout_seconds=2.0)
    await chain.heads()
    world.server.is_stalled = True
    with pytest.raises(ChainUnavailable, match=r"TimeoutError|DEADLINE_EXCEEDED"):
        await chain.blocks(1, 2)
    world.server.is_stalled = False
    assert len(await chain.blocks(1, 2)) == 2
    await chain.aclose()


async def test_a_node_that_dies_and_comes_back_is_found_again(world: SuiWorld) -> None:
    chain = world.connect()
    await chain.blocks(1, 2)
    world.server.stop()
    with pytest.raises(ChainUnavailable):
        await chain.blocks(1, 2)
    world.server.start()
    assert len(await chain.blocks(1, 2)) == 2
    await chain.aclose()


async def test_a_node_without_tls_is_not_talked_to_where_the_url_asks_for_it(
    world: SuiWorld,
) -> None:
    chain = world.connect(grpc_urls=(f"https://localhost:{world.server.port}",))
    with pytest.raises(ChainUnavailable) as caught:
        await chain.heads()
    assert "localhost" not in str(caught.value)
    assert world.server.asked == []
    await chain.aclose()


@pytest.mark.parametrize("status", [Status.RESOURCE_EXHAUSTED, Status.INTERNAL, Status.UNAVAILABLE])
async def test_refusals_are_told_without_what_the_node_says(
    world: SuiWorld, status: Status
) -> None:
    chain = world.connect()
    await chain.heads()
    world.server.status = status
    with pytest.raises(ChainUnavailable) as caught:
        await chain.blocks(1, 2)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    await chain.aclose()


# Addresses and URIs.


def test_an_address_has_64_digits(world: SuiWorld) -> None:
    assert world.chain.canonical_address("0x" + "AB" * 32) == "0x" + "ab" * 32
    with pytest.raises(InvalidAddress):
        world.chain.canonical_address("0x2")


def test_wallets_open_a_uri_that_names_what_is_to_be_paid(world: SuiWorld) -> None:
    coin, token = world.chain.network.tokens
    assert (
        world.chain.payment_uri(coin, SHOP, 5)
        == f"sui:{SHOP}?amount=5&coinType=0x2%3A%3Asui%3A%3ASUI"
    )
    uri = world.chain.payment_uri(token, SHOP, 25, "a nonce")
    assert uri == (
        f"sui:pay?receiver={SHOP}&amount=25&coinType={USDC.replace(':', '%3A')}&nonce=a+nonce"
    )


def test_giving_out_addresses_imports_no_library_of_the_chain() -> None:
    program = (
        "import sys\n"
        "from flamewire_ledger.wiring import chains\n"
        "from flamewire_ledger.chains.networks.sui import SuiSettings\n"
        "from flamewire_ledger.chains.chain import Network\n"
        "chain = chains.SuiChain(Network('sui', 'sui:35834a8a', True, (), 1, 1),"
        " SuiSettings('35834a8a', ('https://x',), address='0x' + 'a' * 64))\n"
        "assert chain.deposit(3).address == '0x' + 'a' * 64\n"
        "assert [each.number for each in chain.endpoints()] == [1]\n"
        "print(sorted({'pysui', 'grpclib', 'betterproto2'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"


async def test_blocks_hold_what_their_checkpoints_do_and_nothing_else(world: SuiWorld) -> None:
    sent = [await world.pay(SHOP, units) for units in (5, 6)]
    await world.mine(3)
    blocks: list[BlockTransfers] = list(await world.chain.blocks(0, world.model.height))
    assert [t for each in blocks for t in each.transfers] == sent
