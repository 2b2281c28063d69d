"""One ledger on two EVM chains at once, each a real node: what is paid where, and where it is booked.

The second chain is configuration only. Its deposits are forwarders, swept at the end by calls that
the ledger plans and a payer's account sends.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from flamewire_ledger.chains.forwarders import factory_of
from flamewire_ledger.chains.networks import parse_networks
from tests.chains.ethereum.hands import Hands, call
from tests.services.anvil import ACCOUNTS, Anvil
from tests.services.fixtures import or_skip
from tests.system import ethereum_guide, evm_guides
from tests.system.payers import Payers
from tests.system.running_ledger import RunningLedger, create_payment, eventually

pytestmark = [pytest.mark.xdist_group("real-ethereum"), pytest.mark.slow]

NETWORKS = ("ethereum", "base")
SETTLED_SECONDS_MAX = 60


@pytest.fixture
def base_node(tmp_path: Path) -> Iterator[Anvil]:
    """A second node, of another chain, beside the one of `anvil`."""
    node = Anvil(tmp_path / "base", "--chain-id", str(evm_guides.CHAIN_ID))
    with or_skip("anvil"):
        node.start()
    yield node
    node.stop()


@pytest.fixture
def payers(anvil: Anvil, base_node: Anvil) -> dict[str, Payers]:
    return {
        "ethereum": Payers(anvil, random.Random(1)),
        "base": Payers(base_node, random.Random(2)),
    }


@pytest.fixture
def ledger(payers: dict[str, Payers], tmp_path: Path) -> Iterator[RunningLedger]:
    ethereum, base = payers["ethereum"], payers["base"]
    networks = tmp_path / "networks.toml"
    networks.write_text(
        ethereum_guide.local_networks_file(ethereum.anvil.url, ("USDC", ethereum.usdc))
        + evm_guides.network_with_forwarders(base.anvil.url, factory_of(evm_guides.treasury()))
        + evm_guides.tokens(USDC=base.usdc)
    )
    running = RunningLedger(tmp_path / "data", {"FLAMEWIRE_NETWORKS_FILE": str(networks)})
    yield running
    running.stop()


class Till:
    """Asks for payments, has them paid on the chains, and looks at what became of them."""

    def __init__(self, ledger: RunningLedger, payers: dict[str, Payers]) -> None:
        self.ledger = ledger
        self.payers = payers
        self.arrived: dict[str, Counter[str]] = {name: Counter() for name in payers}
        self._orders = 0

    def ask(self, *ways: tuple[str, str]) -> dict[str, Any]:
        """A payment of 25 dollars that may be paid in these (network, asset)."""
        self._orders += 1
        pay_with = [{"network": network, "asset": asset} for network, asset in ways]
        with self.ledger.client() as client:
            return create_payment(client, f"order-{self._orders}", pay_with=pay_with)

    def pay(
        self,
        payment: dict[str, Any],
        way: int = 0,
        *,
        parts: int = 1,
        network: str | None = None,
        less: int = 0,
    ) -> None:
        """Pay the whole of one of its options, or a part of it, on its network unless another is said."""
        option = payment["payment_options"][way]
        network = network or option["network"]
        units = int(option["amount_minor"]) // parts - less
        self.payers[network].pay(option["address"], option["asset"], units)
        self.arrived[network][option["asset"]] += units

    def make_final(self) -> None:
        for each in self.payers.values():
            each.make_final()

    def look(self, payment: dict[str, Any]) -> dict[str, Any]:
        with self.ledger.client() as client:
            answer = client.get(f"/v1/payment_intents/{payment['id']}")
        if answer.status_code != 200:
            raise httpx.TransportError(answer.text)
        return dict(answer.json())

    def becomes(self, payment: dict[str, Any], status: str, *labels: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            seen = self.look(payment)
            is_so = seen["status"] == status and set(labels) == set(seen["labels"])
            return seen if is_so else None

        try:
            return eventually(look, seconds=SETTLED_SECONDS_MAX)  # type: ignore[return-value]
        except AssertionError:
            raise AssertionError(self.look(payment)) from None

    def booked(self, network: str) -> Counter[str]:
        account = {"account": f"assets:wallet:{network}"}
        with self.ledger.client() as client:
            rows = client.get("/v1/balances", params=account).json()["data"]
        return Counter({row["asset"]: int(row["balance_minor"]) for row in rows})

    def unseen(self, network: str) -> list[dict[str, Any]]:
        done = self.ledger.flamewire("chains", "unseen", network, "--json", check=False)
        found = list(json.loads(done.stdout)["unseen"])
        assert done.returncode == (1 if found else 0), done.stderr
        return found

    def plan(self, *arguments: str) -> dict[str, Any]:
        done = self.ledger.flamewire("chains", "sweep", "base", *arguments, "--json")
        return dict(json.loads(done.stdout))


@pytest.fixture
def till(ledger: RunningLedger, payers: dict[str, Payers]) -> Till:
    ledger.start()
    return Till(ledger, payers)


@pytest.mark.timeout(240)
def test_payments_on_two_chains_at_once_through_a_power_cut_and_into_the_treasury(
    till: Till, ledger: RunningLedger
):
    ways = [(network, asset) for network in NETWORKS for asset in ("ETH", "USDC")]
    plain = [till.ask(way) for way in ways for _ in range(2)]
    either = till.ask(("ethereum", "ETH"), ("base", "USDC"))
    in_parts = till.ask(("ethereum", "USDC"), ("base", "ETH"))
    astray = till.ask(("ethereum", "USDC"))
    addresses = [each["address"] for it in (*plain, either) for each in it["payment_options"]]
    assert len(set(addresses)) == len(addresses)  # of no two payments, on whichever network

    for payment in plain[::2]:
        till.pay(payment)
    till.pay(in_parts, 0, parts=2)
    for network in NETWORKS:
        till.payers[network].mine()
    ledger.kill()
    for payment in plain[1::2]:
        till.pay(payment)
    till.pay(either, 1)
    till.pay(in_parts, 1, parts=2, less=-1)  # the half that was rounded down, and one more
    till.pay(astray, network="base")
    till.make_final()
    ledger.start()

    for payment in plain:
        seen = till.becomes(payment, "succeeded")
        (transfer,) = seen["transfers"]
        assert transfer["network"] == payment["payment_options"][0]["network"]
    assert till.becomes(either, "succeeded")["transfers"][0]["network"] == "base"
    parts = eventually(lambda: _both(till.look(in_parts)), seconds=SETTLED_SECONDS_MAX)
    assert parts == {"ethereum": "USDC", "base": "ETH"}
    (lost,) = till.becomes(astray, "requires_action", "wrong_network")["transfers"]
    assert (lost["network"], lost["status"]) == ("base", "confirmed")
    for network in NETWORKS:
        assert till.booked(network) == till.arrived[network]
    assert "NOT SO" not in ledger.flamewire("verify").stdout

    sweep_all(till)
    swept = till.arrived["base"] - Counter({"USDC": int(lost["amount_minor"])})
    assert till.payers["base"].held_at(evm_guides.treasury()) == dict(swept)
    assert till.booked("base") == till.arrived["base"]  # a sweep is no income and no loss


def _both(seen: dict[str, Any]) -> dict[str, str] | None:
    if seen["status"] != "succeeded" or len(seen["transfers"]) != 2:
        return None
    return {transfer["network"]: transfer["asset"] for transfer in seen["transfers"]}


def sweep_all(till: Till) -> None:
    """Create the factory, which nobody needed before, and sweep: a payer's account sends it all."""
    payers = till.payers["base"]
    before = till.plan()
    assert before["needs_factory"]
    assert before["unseen"] == before["stuck"] == []
    for _ in range(2):  # the factory, then the sweep
        for each in till.plan()["calls"]:
            sender = {"from": payers.accounts[0]}
            payers.anvil.rpc("eth_sendTransaction", {**sender, **each["transaction"]})
            payers.mine()
    after = till.plan()
    assert not after["needs_factory"]
    assert after["calls"] == after["sweeps"] == []


@pytest.mark.timeout(120)
def test_coin_that_a_contract_passed_on_is_found_at_its_address(till: Till):
    """No transaction and no log tells of it; its balance does, of a wallet's address as of a forwarder's."""
    payments = {network: till.ask((network, "ETH")) for network in NETWORKS}
    for network, payment in payments.items():
        (option,) = payment["payment_options"]
        hands = Hands(till.payers[network].anvil)
        purse = hands.odd("Purse")
        hands.done(purse, value=10**18)
        units = int(option["amount_minor"])
        hands.done(purse, call("pay(address,uint256)", option["address"], units))
    till.make_final()
    for network, payment in payments.items():
        (option,) = payment["payment_options"]
        (unseen,) = eventually(lambda at=network: till.unseen(at), seconds=SETTLED_SECONDS_MAX)
        assert unseen["payment_intent_id"] == payment["id"]
        assert unseen["address"] == option["address"]
        assert unseen["amounts"] == {"ETH": option["amount"]}
    assert [each["payment_intent_id"] for each in till.plan()["unseen"]] == [payments["base"]["id"]]


# Networks files that would take money to nowhere.


@pytest.mark.parametrize(
    ("decimals", "is_there", "sentence"),
    [
        (18, True, "token USDC on base has 6 decimals, not 18: correct its decimals"),
        (6, False, "there is no contract at 0x7099"),
    ],
)
def test_a_token_that_is_not_what_the_chain_has_stops_the_start(
    base_node: Anvil,
    ledger_url: str,
    tmp_path: Path,
    decimals: int,
    is_there: bool,
    sentence: str,
):
    contract = Payers(base_node, random.Random(3)).usdc if is_there else ACCOUNTS[1][0]
    tokens = evm_guides.tokens(USDC=contract).replace("decimals = 6", f"decimals = {decimals}")
    networks = tmp_path / "networks.toml"
    networks.write_text(evm_guides.network_with_an_xpub(base_node.url) + tokens)
    environment = {"FLAMEWIRE_NETWORKS_FILE": str(networks), "FLAMEWIRE_DATABASE_URL": ledger_url}
    done = RunningLedger(tmp_path / "data", environment).flamewire("up", "--port", "0", check=False)
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_treasury_that_is_mistyped_stops_the_start(tmp_path: Path):
    text = evm_guides.network_with_forwarders("http://127.0.0.1:1", factory_of(ACCOUNTS[1][0]))
    networks = tmp_path / "networks.toml"
    networks.write_text(text)
    ledger = RunningLedger(tmp_path / "data", {"FLAMEWIRE_NETWORKS_FILE": str(networks)})
    done = ledger.flamewire("up", "--port", "0", check=False)
    assert done.returncode == 2, done.stderr
    assert "factory is not the factory of this treasury" in done.stderr
    assert len(done.stderr.splitlines()) == 1


# The guides.


def test_the_tables_of_other_chains_need_nodes_and_an_xpub_and_no_more():
    text = evm_guides.blocks(evm_guides.ANOTHER_CHAIN, "toml")[0]
    found = parse_networks(text.replace("YOUR-XPUB", ethereum_guide.local_xpub()))
    coins = {each.network.chain_id: each.network.tokens[0].asset.code for each in found}
    assert coins["eip155:137"] == "polygon:POL"
    assert coins["eip155:56"] == "bnb:BNB"
    assert all(each.network.token("USDC") for each in found)


@pytest.mark.timeout(180)
def test_the_guides_run_as_they_stand(base_node: Anvil, tmp_path: Path):
    """A network with an xpub first; then the same network with forwarders, into a fresh ledger."""
    node, start, *commands = evm_guides.blocks(evm_guides.ANOTHER_CHAIN, "sh")
    assert (node, start) == (evm_guides.NODE, evm_guides.START)
    networks = tmp_path / "networks.toml"
    networks.write_text(evm_guides.network_with_an_xpub(base_node.url))
    said = _follow(tmp_path / "first", networks, base_node, commands)
    assert '"status":"succeeded"' in said
    assert '"balance_minor":"7812500000000000"' in said  # 25 dollars at 3200

    name_factory, *sweep = evm_guides.blocks(evm_guides.WITHOUT_KEYS, "sh")
    ledger = RunningLedger(tmp_path / "none", {"FLAMEWIRE_NETWORKS_FILE": str(networks)})
    line = evm_guides.run(ledger, tmp_path, [name_factory], {}).strip()
    text = evm_guides.network_with_forwarders(base_node.url, factory_of(evm_guides.treasury()))
    assert line in text
    networks.write_text(text)
    said = _follow(tmp_path / "second", networks, base_node, [*commands, *sweep])
    assert '"status":"succeeded"' in said
    assert "create the factory" in said
    assert f"sweep 1 addresses to {evm_guides.treasury()}" in said
    held = base_node.rpc("eth_getBalance", evm_guides.treasury(), "latest")
    assert int(held, 16) == 7_812_500_000_000_000


def _follow(data_dir: Path, networks: Path, node: Anvil, commands: list[str]) -> str:
    """What a guide's commands print, without spaces behind colons."""
    ledger = RunningLedger(data_dir, {"FLAMEWIRE_NETWORKS_FILE": str(networks)})
    ledger.start()
    try:
        is_paid = f"curl -s $API/payment_intents/$PAYMENT -H 'Authorization: Bearer {ledger.key}' | grep -q succeeded"
        places = {
            evm_guides.API_URL: ledger.url,
            evm_guides.NODE_URL: node.url,
            "sleep 2": f"for _ in $(seq 150); do {is_paid} && break; sleep 0.2; done",
        }
        said = evm_guides.run(ledger, data_dir.parent, commands, places)
        return said.replace('": ', '":')
    finally:
        ledger.stop()
