"""Endpoints of Sui that lie, lag, forget, or answer with bytes that are nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest
from grpclib.const import Status
from pysui.sui.sui_grpc.suimsgs.sui.rpc import v2

from flamewire_ledger.chains.chain import ChainUnavailable, WrongChain
from flamewire_ledger.chains.networks.endpoint_rules import EndpointRules
from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.chains.sui import node as node_module
from flamewire_ledger.chains.sui.chain import SuiChain
from flamewire_ledger.chains.sui.node import Node
from tests.chains.conformance import follower
from tests.chains.ears import Ears
from tests.chains.sui.sui_world import ADDRESSES, HEARD_SECONDS_MAX, SuiWorld
from tests.services.sui.server import SuiServer, message_of

SHOP = ADDRESSES[1]
LIE = "4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi"


@pytest.fixture
async def others(world: SuiWorld) -> AsyncIterator[list[SuiServer]]:
    """Two more nodes of the same chain. None of the three has subscriptions."""
    world.server.subscribes = False
    made = [SuiServer(world.model) for _ in range(2)]
    for each in made:
        each.subscribes = False
    yield made
    for each in made:
        each.close()


def states(chain: SuiChain) -> list[str]:
    return [each.state for each in chain.endpoints()]


async def test_another_endpoint_steps_in(world: SuiWorld, others: list[SuiServer]) -> None:
    chain = world.connect(world.server, others[0])
    await chain.blocks(0, 2)
    assert others[0].asked == []
    world.server.status = Status.UNAVAILABLE
    assert len(await chain.blocks(0, 2)) == 3
    assert states(chain) == ["set aside", "in use"]
    others[0].stop()
    with pytest.raises(ChainUnavailable) as caught:
        await chain.blocks(0, 2)
    assert str(world.server.port) not in str(caught.value)
    await chain.aclose()


async def test_an_endpoint_that_takes_a_checkpoint_back_lies_and_is_set_aside(
    world: SuiWorld,
) -> None:
    """Alone: what was believed stands, and nothing is reported as gone."""
    world.server.subscribes = False
    ears, state = Ears(SHOP), MemoryFollowerState()
    following = follower(world, ears, state)
    await following.catch_up()
    sent = await world.pay(SHOP, 5)
    await world.mine()
    await following.catch_up()
    height = world.model.height
    world.server.lies[height] = LIE
    with pytest.raises(ChainUnavailable, match=f"contradicts what is known of checkpoint {height}"):
        await following.step()
    assert states(world.chain) == ["set aside"]
    assert "takes nothing back" in (world.chain.endpoints()[0].reason or "")
    assert ears.stages(sent) == ["included", "confirmed"]


async def test_a_liar_among_three_is_set_aside_by_the_others(
    world: SuiWorld, others: list[SuiServer]
) -> None:
    world.model.make_checkpoint(3)
    chain = world.connect(world.server, *others)
    await chain.blocks(0, 3)
    world.server.lies[3] = LIE
    with pytest.raises(ChainUnavailable):
        await chain.blocks(3, 4)
    assert states(chain) == ["set aside", "in use", "standing by"]
    assert [each.block.height for each in await chain.blocks(3, 4)] == [3, 4]
    await chain.aclose()


async def test_a_lie_that_was_believed_first_is_found_out_by_the_majority(
    world: SuiWorld, others: list[SuiServer]
) -> None:
    world.server.lies[3] = LIE
    chain = world.connect(world.server, *others)
    believed = await chain.blocks(3, 3)
    assert believed[0].block.hash == LIE
    world.server.status = Status.UNAVAILABLE
    with pytest.raises(ChainUnavailable):
        await chain.blocks(3, 4)
    world.server.status = None
    (told,) = await chain.blocks(3, 3)
    assert told.block.hash == world.model.checkpoints[3].digest
    found = await chain.block_at(3)
    assert found is not None
    assert found[0].hash == told.block.hash
    await chain.aclose()


async def test_a_lie_that_came_by_subscription_is_forgotten_with_all_that_was_built_on_it(
    world: SuiWorld, others: list[SuiServer]
) -> None:
    world.server.subscribes = True
    chain = world.connect(world.server, *others)
    height = world.model.height + 1
    world.server.lies[height] = LIE
    await chain.heads()
    async with asyncio.timeout(HEARD_SECONDS_MAX):
        while not world.server.subscriptions:
            await asyncio.sleep(0.005)
    world.model.make_checkpoint(2)
    await world.heard(height + 1, chain)
    async with asyncio.timeout(HEARD_SECONDS_MAX):
        while True:  # until it is remembered, and need not be asked for
            world.server.asked.clear()
            (believed,) = await chain.blocks(height, height)
            if f"checkpoint {height}" not in world.server.asked:
                break
            await asyncio.sleep(0.01)
    assert believed.block.hash == LIE
    found = await chain.block_at(height)
    assert found is not None
    (told,) = await chain.blocks(height, height)
    assert told.block == found[0]
    assert told.block.hash == world.model.checkpoints[height].digest
    assert states(chain)[0] == "set aside"
    await chain.aclose()


async def test_where_a_follower_left_off_all_endpoints_are_asked(
    world: SuiWorld, others: list[SuiServer]
) -> None:
    """After a restart nothing is known: one liar in front takes no block back."""
    world.server.lies[3] = LIE
    chain = world.connect(world.server, *others)
    found = await chain.block_at(3)
    assert found is not None
    assert found[0].hash == world.model.checkpoints[3].digest
    assert states(chain)[0] == "set aside"
    await chain.aclose()
    two = world.connect(world.server, others[0])
    with pytest.raises(ChainUnavailable, match="contradict each other about checkpoint 3"):
        await two.block_at(3)
    await two.aclose()


async def test_a_quorum_attests_what_arrived_and_a_fabricated_transfer_is_not_taken_in(
    world: SuiWorld, others: list[SuiServer]
) -> None:
    rules = EndpointRules(quorum=2, above_units={"sui:SUI": 100})
    chain = world.connect(world.server, *others, endpoint_rules=rules)
    big, small = await world.pay(SHOP, 1_000), await world.pay(SHOP, 7)
    await world.mine()
    await world.heard(world.model.height, chain)
    (block,) = await chain.blocks(world.model.height, world.model.height)
    assert set(block.transfers) == {big, small}
    assert await chain.attested(big, block.block)

    def invent(told: v2.Checkpoint) -> None:
        for each in told.transactions:
            each.balance_changes.append(
                v2.BalanceChange(address=SHOP, coin_type="0x2::sui::SUI", amount="5000")
            )

    world.server.spoils = invent
    for _ in range(2):
        (found, *_) = await chain.blocks(world.model.height, world.model.height) or [None]
        assert found is None or found.transfers == block.transfers
    assert states(chain)[0] == "set aside"
    await chain.aclose()


async def test_a_checkpoint_that_one_node_has_forgotten_is_had_from_another(
    world: SuiWorld, others: list[SuiServer]
) -> None:
    sent = await world.pay(SHOP, 5)
    await world.mine(4)
    world.server.lowest = world.model.height
    chain = world.connect(world.server, others[0])
    blocks = await chain.blocks(0, world.model.height)
    assert sent in [t for each in blocks for t in each.transfers]
    await chain.aclose()


async def test_who_is_of_another_chain_is_never_believed_and_ends_nothing_that_works(
    world: SuiWorld, others: list[SuiServer]
) -> None:
    others[0].genesis = LIE
    alone = world.connect(others[0])
    for _ in range(2):
        with pytest.raises(WrongChain, match="correct grpc_urls or chain_id"):
            await alone.heads()
    await alone.aclose()
    chain = world.connect(world.server, others[0])
    await chain.heads()
    world.server.status = Status.UNAVAILABLE
    with pytest.raises(ChainUnavailable):
        await chain.blocks(0, 1)
    world.server.status = None
    assert len(await chain.blocks(0, 1)) == 2
    await chain.aclose()


@pytest.mark.parametrize(
    ("chain_id", "digest"),  # of the genesis checkpoints of the main and the test network
    [
        ("sui:35834a8a", "4btiuiMPvEENsttpZC7CZ53DruC3MAgfznDbASZ7DR6S"),
        ("sui:4c78adac", "69WiPg3DAQiwdxfncX6wYQ2siKwAe6L9BZthQea3JNMD"),
    ],
)
async def test_a_chain_is_known_by_the_first_bytes_of_its_genesis(
    world: SuiWorld, chain_id: str, digest: str
) -> None:
    world.server.genesis = digest
    chain = world.connect(chain_id=chain_id)
    assert (await chain.heads()).latest.height == world.model.height
    await chain.aclose()
    for nonsense in ("not base58", "1" * 32, world.model.checkpoints[0].digest):
        world.server.genesis = nonsense
        foreign = world.connect(chain_id=chain_id)
        with pytest.raises(WrongChain):
            await foreign.heads()
        await foreign.aclose()


async def test_a_node_that_does_not_name_its_chain_is_asked_for_the_genesis_checkpoint(
    world: SuiWorld,
) -> None:
    world.server.genesis = ""
    chain = world.connect()
    assert (await chain.heads()).latest.height == world.model.height
    assert "checkpoint 0" in world.server.asked
    await chain.aclose()


async def test_one_that_lags_is_set_aside_when_all_are_looked_at(
    world: SuiWorld, others: list[SuiServer]
) -> None:
    world.model.make_checkpoint(300)
    others[0].behind = 200
    chain = world.connect(world.server, others[0])
    reports = await chain.look_at_endpoints()
    assert [each.height for each in reports] == [world.model.height, world.model.height - 200]
    assert [each.state for each in reports] == ["in use", "set aside"]
    await chain.aclose()


# Nonsense.


def _no_status(told: v2.Checkpoint) -> None:
    for each in told.transactions:
        each.effects = None


def _amount(told: v2.Checkpoint) -> None:
    for each in told.transactions:
        each.balance_changes[0].amount = "1" * 500


def _address(told: v2.Checkpoint) -> None:
    for each in told.transactions:
        each.balance_changes[0].address = "0x2"


def _digest(told: v2.Checkpoint) -> None:
    told.digest = "not a digest"


def _height(told: v2.Checkpoint) -> None:
    told.sequence_number = (told.sequence_number or 0) + 1


def _no_parent(told: v2.Checkpoint) -> None:
    assert told.summary is not None
    told.summary.previous_digest = None


def _no_time(told: v2.Checkpoint) -> None:
    assert told.summary is not None
    told.summary.timestamp = None


@pytest.mark.parametrize(
    "change", [_no_status, _amount, _address, _digest, _height, _no_parent, _no_time]
)
async def test_a_checkpoint_that_makes_no_sense_is_unavailability_and_no_crash(
    world: SuiWorld, change: Callable[[v2.Checkpoint], None]
) -> None:
    world.server.subscribes = False
    await world.pay(SHOP, 5)
    await world.mine()
    chain = world.connect()
    await chain.heads()
    world.server.spoils = change
    with pytest.raises(ChainUnavailable):
        await chain.blocks(world.model.height, world.model.height)
    world.server.spoils = None
    assert len(await chain.blocks(world.model.height, world.model.height)) == 1
    await chain.aclose()


async def test_bytes_that_are_no_protobuf_are_unavailability_and_no_crash(world: SuiWorld) -> None:
    await world.pay(SHOP, 5)
    await world.mine()
    node = Node(world.server.url, world.chain.network.chain_id[4:], 20.0, with_events=True)
    await node.check()
    told = message_of(world.model.checkpoints[-1])
    whole = bytes(v2.GetCheckpointResponse(checkpoint=told))
    chance = random.Random(7)
    refused = 0
    for _ in range(300):
        spoilt = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        world.server.answers = bytes(spoilt[: chance.randrange(len(spoilt) + 1)])
        try:
            await node.checkpoint(world.model.height)
        except ChainUnavailable:
            refused += 1
    assert refused > 200
    await node.aclose()


async def test_an_answer_that_is_too_large_is_not_waited_for(
    world: SuiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = world.connect()
    await chain.heads()
    monkeypatch.setattr(node_module, "MESSAGE_BYTES_MAX", 10_000)
    world.server.answers = b"\0" * 10_001
    with pytest.raises(ChainUnavailable, match="ValueError"):
        await chain.blocks(0, 0)
    await chain.aclose()


async def test_a_time_is_that_of_the_checkpoint_in_utc(world: SuiWorld) -> None:
    (block,) = await world.chain.blocks(0, 0)
    assert block.block.at == world.model.checkpoints[0].at
    assert block.block.at.tzinfo is UTC
    assert block.block.at < datetime.now(UTC)
