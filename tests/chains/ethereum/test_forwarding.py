"""Forwarders on a real node: where they are, what they take, and that all of it comes to the treasury."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import pytest

from flamewire_ledger.chains.chain import Network, Token
from flamewire_ledger.chains.ethereum import sweep
from flamewire_ledger.chains.ethereum.chain import EthereumChain
from flamewire_ledger.chains.ethereum.sweep import NothingToSweepWith
from flamewire_ledger.chains.forwarders import (
    DEPLOYER,
    Forwarders,
    deployment_of,
    factory_of,
    salt_of,
    sweep_many,
)
from flamewire_ledger.chains.networks.ethereum import EthereumSettings
from flamewire_ledger.domain.money import Asset
from tests.chains.ethereum import forwarder_contracts
from tests.chains.ethereum.hands import Hands, call
from tests.services.anvil import ACCOUNTS, CHAIN_ID, Anvil

TREASURY = "0x8626f6940E2eb28930eFb4CeF49B2d1F2C9C1199"  # has nothing at first
STRANGER = ACCOUNTS[1][0]
SUPPLY = 10**15
ETHER = 10**18


def test_what_is_committed_is_what_the_source_compiles_to() -> None:
    """If not: python -m tests.chains.ethereum.forwarder_contracts, and every address is another."""
    assert json.loads(forwarder_contracts.ARTIFACT.read_text()) == forwarder_contracts.artifact()


class Shop:
    """A factory of a treasury on a chain, and payers."""

    def __init__(self, anvil: Anvil, treasury: str = TREASURY) -> None:
        self.hands = Hands(anvil)
        self.forwarders = Forwarders(factory_of(treasury), treasury)
        self.chains: list[EthereumChain] = []

    def create_factory(self) -> None:
        self.hands.done(DEPLOYER, "0x" + deployment_of(self.forwarders.treasury).hex())

    def address(self, index: int) -> str:
        return self.forwarders.deposit(index).address

    def pay(self, index: int, units: int, token: str | None = None) -> None:
        if token is None:
            self.hands.done(self.address(index), value=units)
        else:
            self.hands.done(token, call("transfer(address,uint256)", self.address(index), units))

    def sweep(
        self, indexes: Sequence[int], tokens: Sequence[str] = (), *, sender: str = STRANGER
    ) -> bool:
        """Whether it is done. A stranger does it, unless said otherwise."""
        data = "0x" + sweep_many([salt_of(index) for index in indexes], tokens).hex()
        receipt = self.hands.send(self.forwarders.factory, data, sender=sender)
        return bool(receipt["status"] == "0x1")

    def chain(self, **tokens: str) -> EthereumChain:
        """A connection of a ledger with these tokens, by their symbols, of 18 decimals."""
        settings = EthereumSettings(CHAIN_ID, (self.hands.anvil.url,), forwarders=self.forwarders)
        listed = tuple(
            Token(Asset(f"base:{symbol}", 18), f"eip155:{CHAIN_ID}/erc20:{contract}", contract)
            for symbol, contract in tokens.items()
        )
        coin = Token(Asset("base:ETH", 18), f"eip155:{CHAIN_ID}/slip44:60")
        network = Network("base", f"eip155:{CHAIN_ID}", False, (coin, *listed), 2, 3)
        self.chains.append(EthereumChain(network, settings, lambda: datetime.now(UTC)))
        return self.chains[-1]


@pytest.fixture
async def shop(anvil: Anvil) -> AsyncIterator[Shop]:
    made = Shop(anvil)
    yield made
    for chain in made.chains:
        await chain.aclose()


# Addresses.


def test_the_factory_is_where_its_treasury_says_and_knows_where_its_forwarders_will_be(
    shop: Shop,
) -> None:
    shop.create_factory()
    factory = shop.forwarders.factory
    assert shop.hands.has_code(factory)
    assert shop.hands.asked(factory, "treasury()") == int(TREASURY, 16)
    for index in (0, 1, 255, 256, 2**40):
        said = shop.hands.asked(factory, "forwarderOf(bytes32)", index)
        assert said == int(shop.address(index), 16)


def test_a_forwarder_is_created_where_it_was_said_to_be(shop: Shop) -> None:
    shop.create_factory()
    assert not shop.hands.has_code(shop.address(7))
    assert shop.sweep([7])
    assert shop.hands.has_code(shop.address(7))
    assert not shop.hands.has_code(shop.address(8))


def test_a_factory_without_a_treasury_is_not_created(shop: Shop) -> None:
    nobody = "0x" + "00" * 20
    receipt = shop.hands.send(DEPLOYER, "0x" + deployment_of(nobody).hex())
    assert receipt["status"] == "0x0"


# Money.


def test_what_came_before_anything_was_there_comes_to_the_treasury(shop: Shop) -> None:
    token = shop.hands.odd("SaysNothing", SUPPLY)
    shop.pay(1, 3 * ETHER)
    shop.pay(1, 500, token)
    shop.pay(2, 70, token)
    shop.pay(3, 1)
    shop.create_factory()
    assert shop.sweep([1, 2, 3], [token])
    assert shop.hands.coins(TREASURY) == 3 * ETHER + 1
    assert shop.hands.tokens(token, TREASURY) == 570
    for index in (1, 2, 3):
        assert shop.hands.coins(shop.address(index)) == 0
        assert shop.hands.tokens(token, shop.address(index)) == 0


def test_a_forwarder_is_swept_again_and_again(shop: Shop) -> None:
    token = shop.hands.odd("SaysNothing", SUPPLY)
    shop.create_factory()
    for round_ in range(1, 4):
        shop.pay(1, 10)
        shop.pay(1, 5, token)
        assert shop.sweep([1, 1], [token])  # the second time there is nothing
        assert shop.hands.coins(TREASURY) == 10 * round_
        assert shop.hands.tokens(token, TREASURY) == 5 * round_


def test_whoever_sweeps_gets_nothing(shop: Shop) -> None:
    token = shop.hands.odd("SaysNothing", SUPPLY)
    shop.create_factory()
    shop.pay(1, ETHER)
    shop.pay(1, 9, token)
    before = shop.hands.coins(STRANGER)
    assert shop.sweep([1], [token], sender=STRANGER)
    assert shop.hands.coins(STRANGER) < before  # it paid for the gas
    assert shop.hands.tokens(token, STRANGER) == 0
    assert shop.hands.coins(TREASURY) == ETHER


@pytest.mark.parametrize(
    "function",
    [
        "transfer(address,uint256)",
        "execute(address,uint256)",
        "sweeper()",
        "treasury()",
        "transferOwnership(address)",
        "upgradeTo(address)",
    ],
)
def test_a_forwarder_knows_nothing_but_to_be_swept(shop: Shop, function: str) -> None:
    shop.create_factory()
    assert shop.sweep([1])
    shop.pay(1, ETHER)
    receipt = shop.hands.send(shop.address(1), call(function, STRANGER, 1), sender=STRANGER)
    assert receipt["status"] == "0x0"
    assert shop.hands.coins(shop.address(1)) == ETHER


def test_a_forwarder_may_be_swept_directly(shop: Shop) -> None:
    shop.create_factory()
    assert shop.sweep([1])
    shop.pay(1, ETHER)
    nothing = call("sweep(address[])", 0x20, 0)
    assert shop.hands.send(shop.address(1), nothing, sender=STRANGER)["status"] == "0x1"
    assert shop.hands.coins(TREASURY) == ETHER


def test_contracts_that_allow_little_gas_can_pay_before_and_after_the_first_sweep(
    shop: Shop,
) -> None:
    purse = shop.hands.odd("Purse")
    shop.hands.done(purse, value=10)
    shop.create_factory()
    for _ in range(2):
        shop.hands.done(purse, call("payMeanly(address,uint256)", shop.address(1), 2))
        assert shop.sweep([1])
    assert shop.hands.coins(TREASURY) == 4


def test_whatever_is_paid_and_swept_in_whatever_order_nothing_is_lost(shop: Shop) -> None:
    """Each step is chance; every unit is at the treasury or still where it was paid to."""
    seed = int(os.environ.get("FLAMEWIRE_TEST_SEED") or time.time_ns() % 1_000_000)
    print(f"FLAMEWIRE_TEST_SEED={seed}")
    chance = random.Random(seed)
    token = shop.hands.odd("SaysNothing", SUPPLY)
    shop.create_factory()
    coins = tokens = 0
    for _ in range(60):
        indexes = chance.choices(range(6), k=chance.randint(1, 4))  # some of them twice
        units = chance.randint(1, 1_000)
        match chance.choice(["coin", "token", "sweep coin", "sweep"]):
            case "coin":
                shop.pay(indexes[0], units)
                coins += units
            case "token":
                shop.pay(indexes[0], units, token)
                tokens += units
            case "sweep coin":
                assert shop.sweep(indexes)
            case _:
                assert shop.sweep(indexes, [token])
                assert all(shop.hands.tokens(token, shop.address(each)) == 0 for each in indexes)
    places = [TREASURY, *(shop.address(index) for index in range(6))]
    assert sum(shop.hands.coins(place) for place in places) == coins
    assert sum(shop.hands.tokens(token, place) for place in places) == tokens
    assert shop.sweep(range(6), [token])
    assert shop.hands.coins(TREASURY) == coins
    assert shop.hands.tokens(token, TREASURY) == tokens


# Tokens and treasuries that are not as the standard has them.


def test_a_token_that_says_false_moves_nothing_and_neither_does_anything_else(shop: Shop) -> None:
    token = shop.hands.odd("SaysNo", SUPPLY)
    shop.create_factory()
    shop.pay(1, ETHER)
    shop.pay(1, 5, token)
    shop.hands.done(token, call("blockAddress(address)", shop.address(1)))
    assert not shop.sweep([1], [token])
    assert shop.hands.coins(shop.address(1)) == ETHER
    assert shop.sweep([1])
    assert shop.hands.coins(TREASURY) == ETHER
    assert shop.hands.tokens(token, shop.address(1)) == 5


def test_a_token_may_keep_a_fee(shop: Shop) -> None:
    token = shop.hands.odd("TakesAFee", SUPPLY)
    shop.create_factory()
    shop.pay(1, 1000, token)
    assert shop.sweep([1], [token])
    assert shop.hands.tokens(token, TREASURY) == 810


def test_a_token_that_sweeps_in_between_changes_nothing(shop: Shop) -> None:
    shop.create_factory()
    token = shop.hands.odd("Reenters", SUPPLY, shop.forwarders.factory)
    shop.pay(1, 30, token)
    shop.pay(2, 12, token)
    shop.pay(2, ETHER)
    assert shop.sweep([1, 2], [token])
    assert shop.hands.asked(token, "times()") > 0
    assert shop.hands.tokens(token, TREASURY) == 42
    assert shop.hands.coins(TREASURY) == ETHER


@pytest.mark.parametrize("there", [True, False])
def test_an_address_that_is_no_token_undoes_the_sweep(shop: Shop, there: bool) -> None:
    shop.create_factory()
    shop.pay(1, ETHER)
    no_token = shop.forwarders.factory if there else STRANGER
    assert not shop.sweep([1], [no_token])
    assert shop.hands.coins(shop.address(1)) == ETHER


def test_a_treasury_that_sweeps_when_it_is_paid_is_paid_all_of_it(anvil: Anvil) -> None:
    treasury = Hands(anvil).odd("GreedyTreasury")
    shop = Shop(anvil, treasury)
    shop.create_factory()
    shop.hands.done(treasury, call("know(address)", shop.forwarders.factory))
    shop.pay(1, 3)
    shop.pay(2, 4)
    assert shop.sweep([1, 2])
    assert shop.hands.coins(treasury) == 7


def test_a_treasury_that_takes_no_coin_leaves_it_where_it_is(anvil: Anvil) -> None:
    shop = Shop(anvil, Hands(anvil).odd("ShutTreasury"))
    shop.create_factory()
    shop.pay(1, 3)
    assert not shop.sweep([1])
    assert shop.hands.coins(shop.address(1)) == 3


# Plans.


async def test_a_plan_sweeps_what_there_is_and_tells_how_much(shop: Shop) -> None:
    token, other = shop.hands.odd("SaysNo", SUPPLY), shop.hands.odd("SaysNo", SUPPLY)
    shop.create_factory()
    shop.pay(3, 2 * ETHER)
    shop.pay(5, 500, token)
    shop.pay(5, 1)
    chain = shop.chain(USDX=token, USDY=other)
    plan = await chain.plan_sweep(range(10))
    assert [held.index for held in plan.swept] == [3, 5]
    assert [a.units for held in plan.swept for a in held.amounts] == [2 * ETHER, 1, 500]
    assert not any(held.was_emptied for held in plan.swept)
    (one,) = plan.calls
    assert other[2:].lower() not in one.data  # nobody paid with it
    gas = shop.hands.send_signed_off(one.transaction(CHAIN_ID), STRANGER)
    assert gas <= one.gas
    assert shop.hands.coins(TREASURY) == 2 * ETHER + 1
    assert shop.hands.tokens(token, TREASURY) == 500
    after = await chain.plan_sweep(range(10))
    assert after.calls == after.swept == ()


async def test_before_there_is_a_factory_the_plan_is_to_create_it(shop: Shop) -> None:
    shop.pay(3, ETHER)
    chain = shop.chain()
    plan = await chain.plan_sweep([3])
    assert plan.needs_factory
    assert [held.index for held in plan.swept] == [3]
    (one,) = plan.calls
    assert shop.hands.send_signed_off(one.transaction(CHAIN_ID), STRANGER) <= one.gas
    plan = await chain.plan_sweep([3])
    assert not plan.needs_factory
    for each in plan.calls:
        shop.hands.send_signed_off(each.transaction(CHAIN_ID), STRANGER)
    assert shop.hands.coins(TREASURY) == ETHER


async def test_what_does_not_move_is_named_and_stops_nothing_else(shop: Shop) -> None:
    token = shop.hands.odd("SaysNo", SUPPLY)
    shop.create_factory()
    for index in (1, 2, 3):
        shop.pay(index, 10, token)
    shop.hands.done(token, call("blockAddress(address)", shop.address(2)))
    plan = await shop.chain(USDX=token).plan_sweep([1, 2, 3])
    assert [held.index for held in plan.swept] == [1, 3]
    assert [(held.index, symbol) for held, symbol in plan.stuck] == [(2, "USDX")]
    (one,) = plan.calls
    shop.hands.send_signed_off(one.transaction(CHAIN_ID))
    assert shop.hands.tokens(token, TREASURY) == 20


async def test_many_addresses_are_several_calls_that_each_fit_into_a_block(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "FORWARDERS_A_CALL_MAX", 4)
    shop.create_factory()
    for index in range(9):
        shop.pay(index, 1)
    plan = await shop.chain().plan_sweep(range(20))
    assert len(plan.calls) == 3
    for each in plan.calls:
        shop.hands.send_signed_off(each.transaction(CHAIN_ID))
    assert shop.hands.coins(TREASURY) == 9


async def test_a_full_call_takes_less_gas_than_a_transaction_may(shop: Shop) -> None:
    """EIP-7825: 2^24. Each address has the coin and two tokens, and none was swept before."""
    one, two = shop.hands.odd("SaysNo", SUPPLY), shop.hands.odd("SaysNo", SUPPLY)
    shop.create_factory()
    some = 8
    for index in range(some):
        shop.pay(index, 1)
        shop.pay(index, 1, one)
        shop.pay(index, 1, two)
    plan = await shop.chain(USDX=one, USDY=two).plan_sweep(range(some))
    (each,) = plan.calls
    assert each.gas / some * sweep.FORWARDERS_A_CALL_MAX < 2**24


async def test_a_network_with_an_xpub_is_swept_by_its_wallet(shop: Shop) -> None:
    chain = shop.chain()
    chain._settings = EthereumSettings(CHAIN_ID, (shop.hands.anvil.url,), xpub="xpub")
    with pytest.raises(NothingToSweepWith, match="addresses of your wallet"):
        await chain.plan_sweep([1])


async def test_a_chain_without_the_deployer_is_named(shop: Shop) -> None:
    shop.pay(1, 1)
    shop.hands.anvil.rpc("anvil_setCode", DEPLOYER, "0x")
    with pytest.raises(NothingToSweepWith, match="no deterministic deployer"):
        await shop.chain().plan_sweep([1])
