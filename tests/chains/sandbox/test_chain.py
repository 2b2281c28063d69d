"""The sandbox chains: their scripts, their determinism, and that they can pass for nothing else."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from itertools import pairwise

import pytest

from flamewire_ledger.chains.accounts import locate, realms
from flamewire_ledger.chains.addresses import parse_evm, parse_ss58, parse_sui
from flamewire_ledger.chains.detection import detect
from flamewire_ledger.chains.follow import Follower, Limits
from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.chains.sandbox.chain import BEHAVIOURS, Behaviour
from flamewire_ledger.chains.sandbox.networks import FINALITY_BLOCKS, KINDS, Kind
from flamewire_ledger.domain.rejection import InvalidAddress
from flamewire_ledger.domain.transfer import Transfer
from tests.chains.ears import Ears
from tests.chains.sandbox_world import SandboxWorld

# The grammars of https://chainagnostic.org/CAIPs.
CAIP_2 = r"[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}"
CAIP_19 = CAIP_2 + r"/[-a-z0-9]{3,8}:[-.%a-zA-Z0-9]{1,128}"


class Play:
    """One transfer by a script, followed block by block."""

    def __init__(self, kind: Kind = "ethereum") -> None:
        self.world = SandboxWorld(kind)
        self.ears = Ears(self.world.chain.deposit(1).address)
        self.state = MemoryFollowerState()

    async def stages(self, behaviour: Behaviour, blocks: int = 30) -> list[str]:
        await self.follow()
        self.sent: Transfer = await self.world.play(
            self.world.chain.deposit(1).address, 1000, behaviour
        )
        for _ in range(blocks):
            await self.follow()
            await self.world.mine()
        return self.ears.stages(self.sent)

    async def follow(self) -> None:
        following = Follower(
            self.world.chain, self.ears, self.state, limits=Limits(late_seconds_max=0)
        )
        await following.catch_up()


@pytest.mark.parametrize(
    ("behaviour", "stages"),
    [
        ("normal", ["detected", "included", "confirmed"]),
        ("late", ["detected", "included", "confirmed"]),
        ("wrong_asset", ["detected", "included", "confirmed"]),
        ("reorg", ["detected", "included", "confirmed", "dropped"]),
        ("reorg_before_final", ["detected", "included", "dropped"]),
        ("reorg_and_back", ["detected", "included", "included", "confirmed"]),
        ("drop", ["detected", "dropped"]),
        ("failed", ["detected", "dropped"]),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
async def test_each_behaviour_does_what_it_says(
    kind: Kind, behaviour: Behaviour, stages: list[str]
) -> None:
    assert await Play(kind).stages(behaviour) == stages


def test_every_behaviour_is_played_above() -> None:
    assert set(BEHAVIOURS) == {
        "normal", "late", "wrong_asset", "reorg", "reorg_before_final", "reorg_and_back", "drop",
        "failed",
    }  # fmt: skip


async def test_a_transfer_is_final_four_blocks_after_it_was_paid() -> None:
    play = Play()
    assert await play.stages("normal", blocks=FINALITY_BLOCKS + 1) == ["detected", "included"]
    await play.follow()
    assert play.ears.stages()[-1] == "confirmed"


async def test_another_process_sees_the_same_chain() -> None:
    world = SandboxWorld("bittensor")
    for number, behaviour in enumerate(("normal", "reorg", "reorg_before_final", "normal", "drop")):
        await world.play(world.chain.deposit(number).address, 5, behaviour)  # type: ignore[arg-type]
        await world.mine(3)
        height = (await world.chain.heads()).latest.height
        seen = await world.chain.blocks(height - 20, height)
        other = SandboxWorld("bittensor", world.journal)
        other.real_now = world.real_now
        assert await other.chain.blocks(height - 20, height) == seen


async def test_two_processes_that_pay_at_once_lose_nothing() -> None:
    one = SandboxWorld("sui")
    two = SandboxWorld("sui", one.journal)
    address = one.chain.deposit(1).address
    sent = await asyncio.gather(*(world.play(address, 5, "normal") for world in (one, two) * 10))
    assert len({transfer.key for transfer in sent}) == 20
    await one.mine()
    head = (await one.chain.heads()).latest.height
    (block,) = await one.chain.blocks(head, head)
    assert set(block.transfers) == set(sent)


async def test_parents_link_across_every_reorganisation() -> None:
    world = SandboxWorld("ethereum")
    for behaviour in ("reorg", "reorg_before_final", "reorg_and_back", "normal"):
        await world.play(world.chain.deposit(1).address, 5, behaviour)  # type: ignore[arg-type]
        await world.mine()
    for _ in range(20):
        await world.mine()
        height = (await world.chain.heads()).latest.height
        blocks = await world.chain.blocks(height - 30, height)
        for below, above in pairwise(blocks):
            assert above.parent_hash == below.block.hash
            assert above.block.at >= below.block.at
        assert len({block.block.hash for block in blocks}) == 31


async def test_an_entry_that_comes_late_reorganises_the_block_that_was_read_without_it() -> None:
    """The writer's clock may be behind: what was read of that block must not stay believed."""
    world = SandboxWorld("ethereum")
    await world.pay(world.chain.deposit(2).address, 1)
    ears, state = Ears(world.chain.deposit(1).address), MemoryFollowerState()
    following = Follower(world.chain, ears, state, limits=Limits(late_seconds_max=0))
    await following.catch_up()
    await world.mine(2)
    await following.catch_up()
    behind = SandboxWorld("ethereum", world.journal)
    behind.real_now = world.real_now - timedelta(seconds=2)
    sent = await behind.pay(world.chain.deposit(1).address, 1)
    await world.mine()
    await following.catch_up()
    assert ears.stages(sent) == ["included"]


async def test_an_idle_month_is_few_blocks_and_a_payment_makes_the_chain_quick() -> None:
    world = SandboxWorld("ethereum")
    await world.pay(world.chain.deposit(1).address, 1)
    before = (await world.chain.heads()).latest.height
    world.real_now += timedelta(days=30)
    idle = (await world.chain.heads()).latest.height
    assert idle - before < 50_000
    await world.pay(world.chain.deposit(1).address, 1)
    await world.mine(10)
    assert (await world.chain.heads()).latest.height == idle + 10


async def test_the_sandbox_clock_moves_the_time_of_blocks_and_not_their_number() -> None:
    world = SandboxWorld("ethereum")
    await world.pay(world.chain.deposit(1).address, 1)
    await world.mine(3)
    before = (await world.chain.heads()).latest
    world.ahead = timedelta(days=365)
    assert (await world.chain.heads()).latest == before
    await world.pay(world.chain.deposit(1).address, 1)
    await world.mine()
    after = (await world.chain.heads()).latest
    assert after.height == before.height + 1
    assert after.at - before.at == timedelta(days=365, seconds=1)


async def test_addresses_are_the_real_ones_to_look_at_and_the_same_each_time() -> None:
    found = {kind: SandboxWorld(kind).chain.deposit(7).address for kind in KINDS}
    assert parse_ss58(found["bittensor"], 42) == found["bittensor"]
    assert parse_evm(found["ethereum"]) == found["ethereum"]
    assert parse_sui(found["sui"]) == found["sui"]
    assert found == {kind: SandboxWorld(kind).chain.deposit(7).address for kind in KINDS}


async def test_nothing_of_a_sandbox_can_pass_for_money() -> None:
    for kind in KINDS:
        chain = SandboxWorld(kind).chain
        assert not chain.network.livemode
        assert chain.network.chain_id == f"sandbox:{kind}"
        for token in chain.network.tokens:
            assert token.asset_id.startswith(f"sandbox:{kind}/")
            uri = chain.payment_uri(token, chain.deposit(1).address, 5)
            assert uri.startswith("sandbox:")


def test_ids_are_as_caip_2_and_caip_19_have_them() -> None:
    for kind in KINDS:
        network = SandboxWorld(kind).chain.network
        assert re.fullmatch(CAIP_2, network.chain_id)
        for token in network.tokens:
            assert re.fullmatch(CAIP_19, token.asset_id), token.asset_id


async def test_an_account_of_a_sandbox_is_found_by_caip_10() -> None:
    chains = [SandboxWorld(kind).chain for kind in KINDS]
    for chain in chains:
        chain_id, address = chain.network.chain_id, chain.deposit(7).address
        account = f"{chain_id}:{address}"
        (found,) = detect(account, realms(chains)).candidates
        assert (found.what, found.chain_id, found.canonical) == ("address", chain_id, account)
        assert locate(chains, chain.network.name, account)[1] == address
        with pytest.raises(InvalidAddress):
            locate((), chain.network.name, account)


async def test_the_tokens_have_the_decimals_of_the_real_ones() -> None:
    tokens = {
        token.asset.code: token.asset.decimals
        for kind in KINDS
        for token in SandboxWorld(kind).chain.network.tokens
    }
    assert tokens == {
        "bittensor:TAO": 9, "ethereum:ETH": 18, "ethereum:USDC": 6, "sui:SUI": 9, "sui:USDC": 6,
    }  # fmt: skip


async def test_a_wrong_asset_is_another_one_of_the_network_and_as_much_of_it() -> None:
    world = SandboxWorld("ethereum")
    sent = await world.play(world.chain.deposit(1).address, 5_000_000, "wrong_asset", "USDC")
    assert sent.amount.asset.code == "ethereum:ETH"
    assert sent.amount.text == "5.000000000000000000"
    lonely = SandboxWorld("bittensor")
    sent = await lonely.play(lonely.chain.deposit(1).address, 5, "wrong_asset")
    assert sent.amount.asset.code == "bittensor:UNLISTED"


async def test_money_cannot_be_sent_to_what_is_no_address() -> None:
    world = SandboxWorld("ethereum")
    with pytest.raises(InvalidAddress):
        await world.pay("0x1234", 5)
