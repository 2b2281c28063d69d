"""Endpoints that die, stall, lag and lie before a real node: no transfer is lost, and none invented."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime

import pytest

from flamewire_ledger.chains import finality
from flamewire_ledger.chains.chain import ChainUnavailable
from flamewire_ledger.chains.endpoints import EndpointLimits
from flamewire_ledger.chains.ethereum.chain import EthereumChain
from flamewire_ledger.chains.follow import Follower, Limits
from flamewire_ledger.chains.networks.endpoint_rules import EndpointRules
from flamewire_ledger.chains.networks.ethereum import EthereumSettings
from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.domain.transfer import Transfer
from tests.chains.ears import Ears
from tests.chains.ethereum import lies
from tests.chains.ethereum.anvil_world import AnvilWorld
from tests.chains.ethereum.endpoint import Endpoint, endpoint
from tests.services.anvil import CHAIN_ID

LIMITS = EndpointLimits(
    aside_seconds=0.1,
    aside_seconds_max=0.4,
    lag_blocks_max=3,
    told_seconds_max=30,
    compare_seconds=0.1,
    fork_seconds_max=0.2,
)
WAIT_SECONDS_MAX = 60.0
Fault = Callable[[Endpoint, "Watch"], None]


class Watch:
    """A follower that reads the chain through these endpoints and no other way."""

    def __init__(self, world: AnvilWorld, endpoints: list[Endpoint], quorum: int) -> None:
        self.world = world
        self.endpoints = endpoints
        network = world.chain.network
        settings = EthereumSettings(
            evm_chain_id=CHAIN_ID,
            rpc_urls=tuple(each.url for each in endpoints),
            xpub=world.xpub,
            timeout_seconds=0.5,
            endpoint_rules=EndpointRules(
                None, quorum, {token.asset.code: 0 for token in network.tokens}
            ),
        )
        self.chain = EthereumChain(network, settings, lambda: datetime.now(UTC), LIMITS)
        self.address = world.chain.deposit(1).address
        self.ears = Ears(self.address)
        self.state = MemoryFollowerState()
        self.follower = Follower(
            self.chain,
            self.ears,
            self.state,
            limits=Limits(late_seconds_max=0),
            start_height=self.height + 1,
        )
        self.sent: list[Transfer] = []

    @property
    def height(self) -> int:
        return int(self.world.anvil.rpc("eth_blockNumber"), 16)

    async def pay(self, *, blocks: int = 2) -> None:
        """One transfer of ETH and one of a token in each block."""
        for _ in range(blocks):
            for symbol in ("ETH", "TUSD"):
                units = 1000 + len(self.sent)
                self.sent.append(await self.world.pay(self.address, units, symbol))
            await self.world.mine()

    async def follow(self, steps: int = 10) -> None:
        for _ in range(steps):
            try:
                await self.follower.step()
            except ChainUnavailable:
                await asyncio.sleep(0.02)

    async def until(self, stage: str) -> None:
        """Until everything that was sent has come so far."""
        began = asyncio.get_running_loop().time()
        while not all(stage in self.ears.stages(each) for each in self.sent):
            await self.follow(1)
            await asyncio.sleep(0.02)
            if asyncio.get_running_loop().time() - began > WAIT_SECONDS_MAX:
                missing = [each for each in self.sent if stage not in self.ears.stages(each)]
                raise AssertionError(f"not {stage}: {missing}; {self.chain.endpoints()}")

    def is_true(self) -> None:
        """Nothing was confirmed that was not sent, nothing twice, and nothing taken back."""
        sent = {each.key: each for each in self.sent}
        for each in self.ears.heard:
            if self.ears.stages(each.transfer)[-1] == "confirmed":
                assert sent.get(each.transfer.key) == each.transfer
        for transfer in self.sent:
            stages = self.ears.stages(transfer)
            assert stages.count("confirmed") <= 1
            assert "dropped" not in stages

    async def is_mixed(self, real: list[str]) -> bool:
        """Whether a true block stands on a false one in what was taken in."""
        _, rows, _ = await self.state.load(self.world.chain.network.chain_id)
        are_true = [digest == real[height] for height, digest in sorted(rows)]
        return any(above and not below for below, above in itertools.pairwise(are_true))

    @property
    def aside(self) -> set[int]:
        return {each.number for each in self.chain.endpoints() if each.state == "set aside"}


@asynccontextmanager
async def watching(world: AnvilWorld, endpoints: int, quorum: int = 2) -> AsyncIterator[Watch]:
    with ExitStack() as opened:
        made = [opened.enter_context(endpoint(world)) for _ in range(endpoints)]
        watch = Watch(world, made, quorum)
        await watch.follow(2)
        yield watch
        await watch.chain.aclose()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not attested is tried again at once."""
    monkeypatch.setattr(finality, "AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(finality, "AGAIN_SECONDS_MAX", 0.1)


def dies(node: Endpoint, _: Watch) -> None:
    node.kill()


def stalls(node: Endpoint, _: Watch) -> None:
    node.stall()


def refuses(node: Endpoint, _: Watch) -> None:
    node.status, node.headers = 429, {"Retry-After": "1"}


def breaks(node: Endpoint, _: Watch) -> None:
    node.status = 503


def drops(node: Endpoint, _: Watch) -> None:
    node.drops_answers = True


def lags(node: Endpoint, watch: Watch) -> None:
    node.head_max = watch.height


def goes_back(node: Endpoint, watch: Watch) -> None:
    node.head_max = watch.height - 4


def forks(node: Endpoint, watch: Watch) -> None:
    node.lie = lies.forked_from(watch.height + 1)


def forks_the_past(node: Endpoint, watch: Watch) -> None:
    node.lie = lies.forked_from(watch.height - 1)


def hides(node: Endpoint, _: Watch) -> None:
    node.lie = lies.hiding_everything


def invents(node: Endpoint, watch: Watch) -> None:
    node.lie = lies.inventing(watch.height + 1, watch.address, 10**18)


def raises_amounts(node: Endpoint, _: Watch) -> None:
    node.lie = lies.raising_amounts


def withholds(node: Endpoint, _: Watch) -> None:
    node.has_blocks = False


def is_too_early(node: Endpoint, _: Watch) -> None:
    node.calls_the_head_final = True


FAULTS: list[Fault] = [
    dies, stalls, refuses, breaks, drops, lags, goes_back, forks, forks_the_past, hides, invents,
    raises_amounts, withholds, is_too_early,
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_of_three_endpoints_one_may_do_whatever_it_likes(
    world: AnvilWorld, fault: Fault
) -> None:
    """The preferred one, and it goes on with it: all is confirmed by the word of the other two."""
    async with watching(world, 3) as watch:
        await watch.pay(blocks=1)
        await watch.until("included")
        fault(watch.endpoints[0], watch)
        await watch.pay()
        await world.make_final()
        await watch.until("confirmed")
        watch.is_true()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_of_two_endpoints_a_faulty_one_delays_and_falsifies_nothing(
    world: AnvilWorld, fault: Fault
) -> None:
    async with watching(world, 2) as watch:
        await watch.pay(blocks=1)
        await watch.until("included")
        fault(watch.endpoints[0], watch)
        await watch.pay()
        await world.make_final()
        await watch.follow(20)
        watch.is_true()
        if fault is not is_too_early:  # it is right by now
            later = [stage for each in watch.sent[2:] for stage in watch.ears.stages(each)]
            assert "confirmed" not in later, "one endpoint is no quorum of two"
        watch.endpoints[0].mend()
        watch.endpoints[0].revive()
        await watch.until("confirmed")
        watch.is_true()


@pytest.mark.parametrize("fault", [dies, stalls, refuses, breaks, drops, lags, goes_back])
async def test_without_a_quorum_a_second_endpoint_is_enough_against_weakness(
    world: AnvilWorld, fault: Fault
) -> None:
    async with watching(world, 2, quorum=1) as watch:
        await watch.pay(blocks=1)
        await watch.until("included")
        fault(watch.endpoints[0], watch)
        await watch.pay(blocks=4)
        await world.make_final()
        await watch.until("confirmed")
        watch.is_true()


async def test_no_block_of_one_endpoint_is_final_by_the_word_of_another(
    world: AnvilWorld,
) -> None:
    """The first knows what is final and has forgotten the blocks; the second is stuck on a branch
    that was abandoned, where there is a transfer, and nothing is final.
    """
    async with watching(world, 2, quorum=1) as watch:
        base = watch.height
        watch.endpoints[0].has_blocks = False
        watch.endpoints[1].lie = lies.all_of(
            lies.finality_stuck_at(base),
            lies.forked_from(base + 1),
            lies.inventing(base + 2, watch.address, 10**18),
        )
        await world.mine(10)
        await world.make_final()
        await watch.follow(20)
        assert "included" in watch.ears.stages(), "the branch has been read"
        assert "confirmed" not in watch.ears.stages()
        watch.endpoints[1].lie = None
        await world.mine(2)
        await watch.pay()
        await world.make_final()
        await watch.until("confirmed")
        for _ in range(2):
            await world.mine()
            await watch.follow(5)
        first = watch.ears.heard[0].transfer
        assert first.transaction_id == lies.made_up_at(base + 2)
        assert watch.ears.stages(first) == ["included", "dropped"]


async def test_blocks_of_two_histories_are_never_linked(world: AnvilWorld) -> None:
    """Two endpoints of which one is on a fork take turns in the middle of a range."""
    async with watching(world, 2, quorum=1) as watch:
        await watch.pay(blocks=1)
        await watch.until("included")
        watch.endpoints[1].lie = lies.forked_from(watch.height + 3)
        await watch.pay(blocks=6)
        real = [world.anvil.rpc("eth_getBlockByNumber", hex(height), False)["hash"]
                for height in range(watch.height + 1)]  # fmt: skip
        for _ in range(30):
            watch.endpoints[0].status = 503 if watch.endpoints[0].status == 200 else 200
            await watch.follow(1)
            assert not await watch.is_mixed(real)
        watch.endpoints[0].status = 200
        watch.endpoints[1].lie = None
        await world.make_final()
        await watch.until("confirmed")
        watch.is_true()


async def test_who_is_of_another_chain_is_put_aside_and_reported(world: AnvilWorld) -> None:
    async with watching(world, 2, quorum=1) as watch:
        watch.endpoints[0].kill()
        await watch.follow(2)
        watch.endpoints[0].lie = lies.of_another_chain
        watch.endpoints[0].revive()
        await watch.pay()
        await world.make_final()
        await watch.until("confirmed")
        reports = await watch.chain.look_at_endpoints()
        assert reports[0].state == "set aside"
        assert "is of chain 0x1" in str(reports[0].reason)
        assert reports[1].state == "in use"
        watch.is_true()


async def test_what_is_not_attested_is_seen_and_told(world: AnvilWorld) -> None:
    async with watching(world, 2) as watch:
        await watch.pay()
        await watch.until("included")
        watch.endpoints[1].kill()
        await world.make_final()
        await watch.follow(5)
        assert [each.transfer for each in watch.follower.unattested] == watch.sent
        assert watch.aside == {2}
        watch.endpoints[1].revive()
        await watch.until("confirmed")
        assert watch.follower.unattested == []


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_to_one_endpoint_at_a_time(world: AnvilWorld, seed: int) -> None:
    """Of three, another one each time, and all of it mixed with reorganisations."""
    chance = random.Random(seed)
    print(f"seed {seed}")
    async with watching(world, 3) as watch:
        for _ in range(8):
            victim = chance.choice(watch.endpoints)
            fault = chance.choice(FAULTS)
            fault(victim, watch)
            await watch.pay(blocks=chance.randint(1, 2))
            await watch.follow(chance.randint(0, 6))
            await world.mine(chance.randint(0, 6))
            await watch.follow(chance.randint(0, 6))
            watch.is_true()
            victim.mend()
            victim.revive()
        await world.make_final()
        await watch.until("confirmed")
        watch.is_true()
