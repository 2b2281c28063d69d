"""Of three endpoints one dies, falls silent, lags or lies: no transfer is lost, and none is invented."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

import pytest
from grpclib.const import Status
from pysui.sui.sui_grpc.suimsgs.sui.rpc import v2

from flamewire_ledger.chains.chain import ChainUnavailable
from flamewire_ledger.chains.endpoints import EndpointLimits
from flamewire_ledger.chains.follow import Follower, Limits
from flamewire_ledger.chains.networks.endpoint_rules import EndpointRules
from flamewire_ledger.chains.progress import MemoryFollowerState
from flamewire_ledger.domain.transfer import Transfer
from tests.chains.ears import Ears
from tests.chains.sui.sui_world import ADDRESSES, SuiWorld
from tests.services.sui.server import SuiServer

SHOP = ADDRESSES[1]
LIE = "4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi"
WAIT_SECONDS_MAX = 20.0
SOON = EndpointLimits(aside_seconds=0.1, aside_seconds_max=0.4, fork_seconds_max=0.2)
Fault: TypeAlias = Callable[[SuiServer, SuiWorld], None]


def dies(node: SuiServer, _: SuiWorld) -> None:
    node.stop()


def stalls(node: SuiServer, _: SuiWorld) -> None:
    node.is_stalled = True


def breaks(node: SuiServer, _: SuiWorld) -> None:
    node.status = Status.UNAVAILABLE


def throttles(node: SuiServer, _: SuiWorld) -> None:
    node.status = Status.RESOURCE_EXHAUSTED


def says_nonsense(node: SuiServer, _: SuiWorld) -> None:
    node.answers = b"\xff" * 64


def forgets(node: SuiServer, world: SuiWorld) -> None:
    node.lowest = world.model.height + 1


def lags(node: SuiServer, _: SuiWorld) -> None:
    node.behind = 2


def forks(node: SuiServer, world: SuiWorld) -> None:
    node.lies[world.model.height] = LIE


def hides(node: SuiServer, _: SuiWorld) -> None:
    def hide(told: v2.Checkpoint) -> None:
        told.transactions.clear()

    node.spoils = hide


def invents(node: SuiServer, _: SuiWorld) -> None:
    def invent(told: v2.Checkpoint) -> None:
        for each in told.transactions:
            each.balance_changes.append(
                v2.BalanceChange(address=SHOP, coin_type="0x2::sui::SUI", amount="5000")
            )

    node.spoils = invent


def raises_amounts(node: SuiServer, _: SuiWorld) -> None:
    def lift(told: v2.Checkpoint) -> None:
        for each in told.transactions:
            for change in each.balance_changes:
                if change.address == SHOP:
                    change.amount = str(1_000_000 + int(change.amount or "0"))

    node.spoils = lift


FAULTS: list[Fault] = [
    dies, stalls, breaks, throttles, says_nonsense, forgets, lags, forks, hides, invents,
    raises_amounts,
]  # fmt: skip


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is withheld is not borne for long."""
    monkeypatch.setattr(EndpointLimits, "for_blocks_of", lambda _: SOON)


@pytest.mark.parametrize("subscribes", [False, True])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_of_three_endpoints_one_may_do_whatever_it_likes(
    world: SuiWorld, fault: Fault, subscribes: bool
) -> None:
    """The preferred one: all is confirmed by the word of the other two."""
    others = [SuiServer(world.model) for _ in range(2)]
    for each in (world.server, *others):
        each.subscribes = subscribes
    rules = EndpointRules(quorum=2, above_units={"sui:SUI": 0, "sui:USDC": 0})
    chain = world.connect(world.server, *others, endpoint_rules=rules, timeout_seconds=1.0)
    ears = Ears(SHOP)
    follower = Follower(
        chain, ears, MemoryFollowerState(), limits=Limits(late_seconds_max=0.0), start_height=0
    )
    sent = [await world.pay(SHOP, 11)]
    world.model.make_checkpoint()
    await until_confirmed(follower, ears, sent)
    sent += [await world.pay(SHOP, 12), await world.pay(SHOP, 13, "USDC")]
    world.model.make_checkpoint()
    fault(world.server, world)
    sent.append(await world.pay(SHOP, 14))
    world.model.make_checkpoint(3)
    await until_confirmed(follower, ears, sent)
    for transfer in {each.transfer for each in ears.heard}:
        stages = ears.said(transfer)
        assert "dropped" not in stages
        assert (transfer in sent) == ("confirmed" in stages), transfer
        assert stages.count("confirmed") <= 1
    await chain.aclose()
    for each in others:
        each.close()


async def until_confirmed(follower: Follower, ears: Ears, sent: list[Transfer]) -> None:
    began = asyncio.get_running_loop().time()
    while not all("confirmed" in ears.said(each) for each in sent):
        try:
            await follower.step()
        except ChainUnavailable:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.005)
        assert asyncio.get_running_loop().time() - began < WAIT_SECONDS_MAX, "it takes too long"
