"""Which addresses a sweep is planned for, and what of what they hold nobody saw come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from flamewire_ledger.chains.chain import Network, Token
from flamewire_ledger.chains.ethereum.chain import EthereumChain
from flamewire_ledger.chains.ethereum.sweep import Held, NothingToSweepWith, SweepPlan
from flamewire_ledger.chains.forwarders import Forwarders, factory_of
from flamewire_ledger.chains.networks.ethereum import EthereumSettings
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.wiring import Ledger, sweeping
from flamewire_ledger.wiring.rescans import UnknownNetwork
from flamewire_ledger.wiring.sweeping import planned_sweep, unseen_at
from tests.system import ethereum_guide

TREASURY = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
FORWARDERS = Forwarders(factory_of(TREASURY), TREASURY)
OTHERS = Forwarders(factory_of(FORWARDERS.factory), FORWARDERS.factory)
ETH = Asset("base:ETH", 18)
Row = dict[str, Any]
XPUB = ethereum_guide.local_xpub()


class PlannedChain(EthereumChain):
    """A chain whose forwarders hold what a test says; it remembers what it was asked to sweep."""

    def __init__(self, name: str, number: int, forwarders: Forwarders | None, *held: Held) -> None:
        chain_id = f"eip155:{number}"
        coin = Token(Asset(f"{name}:ETH", 18), f"{chain_id}/slip44:60")
        network = Network(name, chain_id, True, (coin,), 2, 12)
        xpub = XPUB if forwarders is None else None
        settings = EthereumSettings(number, (), xpub=xpub, forwarders=forwarders)
        super().__init__(network, settings, lambda: datetime.now(UTC))
        self.holds = held
        self.asked: Sequence[int] = ()

    async def held(self, indexes: Sequence[int]) -> Sequence[Held]:  # type: ignore[override]
        self.asked = indexes
        return self.holds

    async def plan_sweep(self, indexes: Sequence[int], *, sender: str | None = None) -> SweepPlan:
        self.asked = indexes
        return SweepPlan((), self.holds, (), needs_factory=False)


class Reads:
    """The read models: addresses by network, and payments."""

    def __init__(self, deposits: Mapping[str, Sequence[Row]], payments: Mapping[str, Row]) -> None:
        self.deposits = deposits
        self.payments = payments

    async def deposits_after(self, network: str, position: int, *, limit: int) -> list[Row]:
        return [row for row in self.deposits[network] if row["position"] > position][:limit]

    async def deposits_at(self, network: str, addresses: Sequence[str], *, limit: int) -> list[Row]:
        found = [row for row in self.deposits[network] if row["address"] in addresses]
        assert len(found) <= limit
        return found

    async def payment(self, merchant_id: str, payment_id: str) -> Row | None:
        assert merchant_id == "mer_one"
        return self.payments.get(payment_id)


def deposit(index: int, position: int, forwarders: Forwarders = FORWARDERS) -> Row:
    given = forwarders.deposit(index)
    return {
        "address": given.address, "derivation": given.derivation, "position": position,
        "merchant_id": "mer_one", "payment_id": f"pi_{index}",
    }  # fmt: skip


def held(index: int, units: int, *, was_emptied: bool = False) -> Held:
    address = FORWARDERS.deposit(index).address
    return Held(index, address, (Amount(ETH, units),), was_emptied)


def transfer(index: int, units: int, status: str = "confirmed", network: str = "base") -> Row:
    return {
        "network": network, "address": FORWARDERS.deposit(index).address, "status": status,
        "asset": f"{network}:ETH", "units": str(units),
    }  # fmt: skip


def ledger(
    *chains: PlannedChain,
    deposits: Mapping[str, Sequence[Row]] | None = None,
    payments: Mapping[str, Row] | None = None,
) -> Ledger:
    given: dict[str, Sequence[Row]] = {chain.network.name: () for chain in chains}
    reads = Reads({**given, **(deposits or {})}, payments or {})
    return cast("Ledger", SimpleNamespace(chains=chains, reads=reads))


async def test_all_addresses_of_the_factory_are_planned_for_whichever_network_they_were_given_on() -> (
    None
):
    """A payer may have taken the wrong network, and the address is the same."""
    base, polygon = (
        PlannedChain(name, number, FORWARDERS)
        for name, number in (("base", 8453), ("polygon", 137))
    )
    other = PlannedChain("other", 10, OTHERS)
    given = {
        "base": [deposit(4, 1), deposit(4, 1), deposit(6, 2), deposit(9, 3, OTHERS)],
        "polygon": [deposit(5, 4), {**deposit(1, 5), "derivation": None}],
        "other": [deposit(8, 6, OTHERS)],
    }
    await planned_sweep(ledger(base, polygon, other, deposits=given), "base", (), None)
    assert sorted(base.asked) == [4, 5, 6]


async def test_numbers_that_are_named_are_all_that_is_planned_for() -> None:
    base = PlannedChain("base", 8453, FORWARDERS)
    given = {"base": [deposit(4, 1)]}
    await planned_sweep(ledger(base, deposits=given), "eip155:8453", [7], None)
    assert base.asked == [7]


@pytest.mark.parametrize("page_rows", [1, 2, 3, 4, 100])
async def test_no_address_is_lost_between_two_pages(
    monkeypatch: pytest.MonkeyPatch, page_rows: int
) -> None:
    """A payment with two addresses of a network has two rows at one position."""
    monkeypatch.setattr(sweeping, "_PAGE_ROWS", page_rows)
    base = PlannedChain("base", 8453, FORWARDERS)
    rows = [deposit(index, index // 2 if page_rows > 1 else index + 1) for index in range(2, 9)]
    await planned_sweep(ledger(base, deposits={"base": rows}), "base", (), None)
    assert list(base.asked) == list(range(2, 9))


async def test_what_no_transfer_told_of_is_unseen() -> None:
    base = PlannedChain("base", 8453, FORWARDERS, held(1, 50), held(2, 70), held(3, 9))
    rows = [deposit(1, 1), deposit(2, 2)]
    payments = {
        "pi_1": {"transfers": [transfer(1, 30), transfer(1, 20, "included")]},
        "pi_2": {"transfers": [transfer(2, 30), transfer(2, 40, "dropped")]},
    }
    found = await planned_sweep(
        ledger(base, deposits={"base": rows}, payments=payments), "base", (), None
    )
    assert [(each.index, each.payment_id, each.amount.units) for each in found.unseen] == [
        (2, "pi_2", 40),
        (3, None, 9),  # nobody was ever sent there
    ]


async def test_what_came_on_another_network_is_not_here() -> None:
    base = PlannedChain("base", 8453, FORWARDERS, held(1, 50))
    polygon = PlannedChain("polygon", 137, FORWARDERS)
    payments = {"pi_1": {"transfers": [transfer(1, 50, network="polygon")]}}
    given = {"polygon": [deposit(1, 1)]}
    found = await planned_sweep(
        ledger(base, polygon, deposits=given, payments=payments), "base", (), None
    )
    assert [(each.payment_id, each.amount.units) for each in found.unseen] == [("pi_1", 50)]


async def test_an_address_that_was_emptied_before_says_nothing_of_what_came() -> None:
    base = PlannedChain("base", 8453, FORWARDERS, held(1, 50, was_emptied=True))
    found = await planned_sweep(ledger(base, deposits={"base": [deposit(1, 1)]}), "base", (), None)
    assert found.unseen == ()


async def test_a_network_with_an_xpub_or_none_at_all_is_refused() -> None:
    wallet = PlannedChain("ethereum", 1, None)
    with pytest.raises(NothingToSweepWith, match="addresses of your wallet"):
        await planned_sweep(ledger(wallet), "ethereum", (), None)
    with pytest.raises(UnknownNetwork, match="no network is called base"):
        await planned_sweep(ledger(wallet), "base", (), None)


async def test_addresses_of_a_wallet_are_looked_at_too() -> None:
    """Another wallet's derivations are not ours, and a merchant's own address has none."""
    wallet, other = PlannedChain("ethereum", 1, None), PlannedChain("base", 8453, None)
    given = [wallet.deposit(index) for index in (4, 7)]
    rows = [
        {**deposit(0, position), "address": one.address, "derivation": one.derivation}
        for position, one in enumerate(given, start=1)
    ]
    strange = [
        {**deposit(1, 5), "derivation": derivation}
        for derivation in (None, "12345678/0/4", f"create2:{TREASURY}/4", "x/0/one")
    ]
    wallet.holds = (Held(7, given[1].address, (Amount(Asset("ethereum:ETH", 18), 5),), False),)
    deposits = {"ethereum": [rows[0], *strange], "base": [rows[1]]}
    name, found = await unseen_at(ledger(wallet, other, deposits=deposits), "eip155:1", ())
    assert name == "ethereum"
    assert sorted(wallet.asked) == [4, 7]  # 7 was given out on a network with the same addresses
    assert [(each.index, each.amount.units) for each in found] == [(7, 5)]
