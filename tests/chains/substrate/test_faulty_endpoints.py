"""Endpoints that die, fall silent, lag and lie: no transfer is lost, and none is invented."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

import pytest

from flamewire_ledger.chains import finality
from flamewire_ledger.chains.chain import ChainUnavailable
from flamewire_ledger.chains.endpoints import EndpointLimits
from flamewire_ledger.chains.follow import Follower, Limits
from flamewire_ledger.chains.networks.endpoint_rules import EndpointRules
from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.domain.transfer import Transfer
from tests.chains.ears import Ears
from tests.chains.substrate.runtimes import Writer
from tests.chains.substrate.scripted_node import (
    Refusal,
    ScriptedBlock,
    ScriptedChain,
    ScriptedNode,
    connect,
    paying,
)

LIMITS: Final = EndpointLimits(
    aside_seconds=0.1,
    aside_seconds_max=0.4,
    lag_blocks_max=3,
    told_seconds_max=30,
    compare_seconds=0.1,
    fork_seconds_max=0.2,
)
WAIT_SECONDS_MAX: Final = 5.0


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not attested is tried again at once."""
    monkeypatch.setattr(finality, "AGAIN_SECONDS", 0.02)
    monkeypatch.setattr(finality, "AGAIN_SECONDS_MAX", 0.05)


def holding(*units: int) -> ScriptedBlock:
    """Payments that no other block holds: an extrinsic is known by its bytes."""
    made = paying(Writer(balance="u64"), *units)
    made.extrinsics = [b"\x18\x04" + each.to_bytes(5, "little") for each in units]
    return made


class Watch:
    """A follower that reads a chain through these endpoints and no other way."""

    def __init__(self, endpoints: int, quorum: int) -> None:
        self.script = ScriptedChain()
        self.script.add()
        self.script.final_height = 1
        self.nodes = [ScriptedNode(self.script) for _ in range(endpoints)]
        rules = EndpointRules(quorum=quorum, above_units={"bittensor:TAO": 0})
        if quorum == 1:
            rules = EndpointRules()
        self.chain = connect(
            self.script, *self.nodes, endpoint_rules=rules, timeout_seconds=0.4, limits=LIMITS
        )
        self.ears = Ears(self.chain.deposit(1).address)
        self.follower = Follower(
            self.chain,
            self.ears,
            MemoryFollowerState(),
            limits=Limits(late_seconds_max=0.0, refused_seconds=0.0),
            start_height=1,
        )
        self.sent: list[int] = []  # units, each another number

    def pay(self, *, blocks: int = 2) -> None:
        """Two transfers in each block."""
        for _ in range(blocks):
            units = [1_000 + len(self.sent), 1_001 + len(self.sent)]
            self.sent += units
            self.script.add(holding(*units))

    def make_final(self) -> None:
        for _ in range(LIMITS.lag_blocks_max + 1):
            self.script.add()
        self.script.final_height = self.script.height

    async def step(self) -> None:
        try:
            await self.follower.step()
        except ChainUnavailable:
            await asyncio.sleep(0.02)

    async def until(self, stage: str) -> None:
        """Until everything that was sent has come so far."""
        began = asyncio.get_running_loop().time()
        while not set(self.sent) <= self.reached(stage):
            await self.step()
            await asyncio.sleep(0.005)
            if asyncio.get_running_loop().time() - began > WAIT_SECONDS_MAX:
                raise AssertionError(
                    f"not {stage}: {set(self.sent) - self.reached(stage)}; {self.chain.endpoints()}"
                )

    def reached(self, stage: str) -> set[int]:
        return {each.amount.units for each in self._heard() if stage in self.ears.stages(each)}

    def _heard(self) -> set[Transfer]:
        return {each.transfer for each in self.ears.heard}

    def is_true(self) -> None:
        """Nothing was confirmed that was not sent, nothing twice, and nothing taken back."""
        for each in self._heard():
            stages = self.ears.stages(each)
            if each.amount.units in self.sent:
                assert stages.count("confirmed") <= 1
                assert "dropped" not in stages
            else:
                assert "confirmed" not in stages, each
        assert self.reached("confirmed") <= set(self.sent)


@asynccontextmanager
async def watching(endpoints: int, quorum: int = 2) -> AsyncIterator[Watch]:
    watch = Watch(endpoints, quorum)
    try:
        yield watch
    finally:
        await watch.chain.aclose()
        for node in watch.nodes:
            node.close()


Fault: TypeAlias = Callable[[ScriptedNode, Watch], None]


def dies(node: ScriptedNode, _: Watch) -> None:
    node.close()


def says_nothing_of_heads(node: ScriptedNode, _: Watch) -> None:
    node.silent_on = "chain_getFinalizedHead"


def says_nothing_of_events(node: ScriptedNode, _: Watch) -> None:
    node.silent_on = "state_getStorage"


def chatters(node: ScriptedNode, _: Watch) -> None:
    node.silent_on, node.chatters = "chain_getBlock", True


def breaks(node: ScriptedNode, _: Watch) -> None:
    def refuse(*_: Any) -> Any:
        raise Refusal(-32603, "internal error")

    node.spoils = refuse


def throttles(node: ScriptedNode, _: Watch) -> None:
    def refuse(*_: Any) -> Any:
        raise Refusal(-32005, "too many requests")

    node.spoils = refuse


def lags(node: ScriptedNode, watch: Watch) -> None:
    node.chain = copy.deepcopy(watch.script)
    del node.chain.blocks[-1]
    node.chain.final_height = 1


def goes_back(node: ScriptedNode, watch: Watch) -> None:
    node.chain = copy.deepcopy(watch.script)
    del node.chain.blocks[2:]


def forks(node: ScriptedNode, watch: Watch) -> None:
    node.chain = copy.deepcopy(watch.script)
    node.chain.fork(watch.script.height - 1, "rival")
    node.chain.add(holding(7), salt="rival")
    node.chain.final_height = node.chain.height


def forks_the_past(node: ScriptedNode, watch: Watch) -> None:
    node.chain = copy.deepcopy(watch.script)
    node.chain.fork(1, "rival")
    node.chain.final_height = node.chain.height


def with_other_contents(node: ScriptedNode, watch: Watch, *units: int) -> None:
    """The same blocks by their hashes, with something else in them."""
    node.chain = copy.deepcopy(watch.script)
    node.chain.blocks = [
        (digest, holding(*(10 * number + each for each in units)) if number > 2 else block)
        for number, (digest, block) in enumerate(node.chain.blocks)
    ]


def hides(node: ScriptedNode, watch: Watch) -> None:
    with_other_contents(node, watch)


def invents(node: ScriptedNode, watch: Watch) -> None:
    with_other_contents(node, watch, 10**9)


def raises_amounts(node: ScriptedNode, watch: Watch) -> None:
    with_other_contents(node, watch, 10**6, 10**6 + 1)


def withholds(node: ScriptedNode, watch: Watch) -> None:
    """It tells of its head, and of no block from here on."""
    height = watch.script.height

    def withhold(method: str, params: list[Any], result: Any) -> Any:
        is_above = method == "chain_getBlockHash" and params and params[0] >= height
        return None if is_above else result

    node.spoils = withhold


def is_too_early(node: ScriptedNode, watch: Watch) -> None:
    node.chain = copy.deepcopy(watch.script)
    node.chain.final_height = node.chain.height


def is_of_another_chain(node: ScriptedNode, _: Watch) -> None:
    node.chain = ScriptedChain("another")
    node.chain.add(ScriptedBlock())


WEAK: list[Fault] = [
    dies,
    says_nothing_of_heads,
    says_nothing_of_events,
    chatters,
    breaks,
    throttles,
]
FAULTS: list[Fault] = [
    *WEAK, lags, goes_back, forks, forks_the_past, hides, invents, raises_amounts, withholds,
    is_too_early, is_of_another_chain,
]  # fmt: skip


def mended(node: ScriptedNode, watch: Watch) -> None:
    node.chain, node.spoils, node.silent_on, node.chatters = watch.script, None, None, False


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_of_three_endpoints_one_may_do_whatever_it_likes(fault: Fault) -> None:
    """The preferred one, and it goes on with it: all is confirmed by the word of the other two."""
    async with watching(3) as watch:
        watch.pay(blocks=1)
        await watch.until("included")
        watch.pay()
        fault(watch.nodes[0], watch)
        watch.make_final()
        await watch.until("confirmed")
        watch.is_true()


@pytest.mark.parametrize(
    "fault", [each for each in FAULTS if each is not dies], ids=lambda fault: fault.__name__
)
async def test_of_two_endpoints_a_faulty_one_delays_and_falsifies_nothing(fault: Fault) -> None:
    async with watching(2) as watch:
        watch.pay(blocks=1)
        await watch.until("included")
        watch.pay()
        fault(watch.nodes[0], watch)
        watch.make_final()
        for _ in range(10):
            await watch.step()
        watch.is_true()
        mended(watch.nodes[0], watch)
        await watch.until("confirmed")
        watch.is_true()


@pytest.mark.parametrize("fault", WEAK, ids=lambda fault: fault.__name__)
async def test_without_a_quorum_a_second_endpoint_is_enough_against_weakness(fault: Fault) -> None:
    async with watching(2, quorum=1) as watch:
        watch.pay(blocks=1)
        await watch.until("included")
        fault(watch.nodes[0], watch)
        watch.pay()
        watch.make_final()
        await watch.until("confirmed")
        watch.is_true()
