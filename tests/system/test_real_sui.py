"""Sui under a whole ledger, from outside: SUI and USDC through the public API, power cuts, and the guide.

The chain is a model, for there is no node that could be installed; what is paid was signed by the
chain's own library, and the ledger speaks to it as to any node.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flamewire_ledger.chains.networks import parse_networks
from tests.services.link import Link
from tests.services.sui.__main__ import COUNTER_PORT, Counter
from tests.services.sui.model import Model
from tests.services.sui.server import SuiServer
from tests.services.sui.wallet import Move, Signer, Wallet
from tests.system import sui_guide
from tests.system.running_ledger import (
    RunningLedger,
    create_payment,
    eventually,
    payment_with_status,
)

pytestmark = [pytest.mark.xdist_group("real-sui"), pytest.mark.slow]

USDC = f"0x{'db' * 32}::usdc::USDC"
SHARED = "0x" + "5a" * 32
CHECKPOINT_SECONDS = 0.2


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def node(model: Model) -> Iterator[SuiServer]:
    """A node whose chain makes a checkpoint now and then."""
    server, is_over = SuiServer(model), threading.Event()

    def make() -> None:
        while not is_over.wait(CHECKPOINT_SECONDS):
            model.make_checkpoint()

    making = threading.Thread(target=make, daemon=True)
    making.start()
    yield server
    is_over.set()
    making.join(10)
    server.close()


@pytest.fixture
def wallet(model: Model, sui_signer: Signer) -> Wallet:
    made = Wallet(model, sui_signer)
    made.endow(USDC)
    return made


@pytest.fixture
def addresses(tmp_path: Path) -> Path:
    path = tmp_path / "addresses.txt"
    path.write_text("".join(f"0x{number:064x}\n" for number in range(10_000, 13_000)))
    return path


@pytest.fixture
def link(node: SuiServer, link_to: Callable[[str], Link]) -> Link:
    """The ledger's line to the node; payers need none."""
    return link_to(node.url)


@pytest.fixture
def ledger(link: Link, addresses: Path, tmp_path: Path) -> Iterator[RunningLedger]:
    """A ledger with the guide's networks file; it is not started yet."""
    networks = tmp_path / "networks.toml"
    networks.write_text(sui_guide.local_networks_file(link.url, addresses))
    running = RunningLedger(tmp_path / "data", {"FLAMEWIRE_NETWORKS_FILE": str(networks)})
    yield running
    running.stop()


def ask(ledger: RunningLedger, key: str, asset: str, amount: str = "25.00") -> dict[str, Any]:
    """A payment's way to pay, with the payment's id."""
    with ledger.client() as client:
        payment = create_payment(
            client, key, amount=amount, pay_with=[{"network": "sui", "asset": asset}]
        )
    (option,) = payment["payment_options"]
    return {**option, "id": payment["id"], "units": int(option["amount_minor"])}


def succeeded(ledger: RunningLedger, *asked: dict[str, Any]) -> list[dict[str, Any]]:
    with ledger.client() as client:
        return [payment_with_status(client, each["id"], "succeeded") for each in asked]


def wallet_on_the_books(ledger: RunningLedger) -> dict[str, int]:
    with ledger.client() as client:
        balances = client.get("/v1/balances", params={"account": "assets:wallet"}).json()
        assert client.get("/v1/ledger/trial_balance").json()["is_balanced"]
    return {row["asset"]: int(row["balance_minor"]) for row in balances["data"]}


@pytest.mark.timeout(240)
def test_sui_and_usdc_are_taken_through_two_power_cuts(
    ledger: RunningLedger, wallet: Wallet, model: Model
):
    ledger.start()
    coin, token = ask(ledger, "order-1", "SUI"), ask(ledger, "order-2", "USDC")
    third, short = ask(ledger, "order-3", "SUI"), ask(ledger, "order-4", "USDC")
    assert coin["uri"].startswith(f"sui:{coin['address']}?amount={coin['units']}&")
    wallet.pay(Move(coin["address"], coin["units"]))
    wallet.pay_in_vain(token["address"], 1_000)
    succeeded(ledger, coin)

    wallet.pay(Move(token["address"], token["units"], USDC), Move(short["address"], 1_000, USDC))
    ledger.kill()  # before or after the checkpoint was taken in: it has to be the same
    wallet.pay(Move(third["address"], third["units"]))
    ledger.start()
    ledger.kill()
    ledger.start()
    paid = succeeded(ledger, coin, token, third)
    for payment in paid:
        (transfer,) = payment["transfers"]
        assert transfer["status"] == "confirmed"
    with ledger.client() as client:
        eventually(
            lambda: client.get(f"/v1/payment_intents/{short['id']}").json()["transfers"] != []
        )
        shown = client.get(f"/v1/payment_intents/{short['id']}").json()
    assert shown["status"] == "requires_payment"

    eventually(lambda: wallet_on_the_books(ledger).get("USDC") == token["units"] + 1_000)
    assert wallet_on_the_books(ledger) == {
        "SUI": coin["units"] + third["units"],
        "USDC": token["units"] + 1_000,
    }
    for each, coin_type in ((coin, "sui::SUI"), (token, "usdc::USDC")):
        name = USDC if coin_type == "usdc::USDC" else f"0x{2:064x}::sui::SUI"
        assert model.held(each["address"], name) == each["units"]
    assert "NOT SO" not in ledger.flamewire("verify").stdout


@pytest.mark.timeout(240)
def test_payments_to_one_address_are_told_apart_by_their_nonces(
    link: Link, wallet: Wallet, tmp_path: Path
):
    networks = tmp_path / "networks.toml"
    networks.write_text(sui_guide.shared_networks_file(link.url, SHARED))
    ledger = RunningLedger(tmp_path / "data", {"FLAMEWIRE_NETWORKS_FILE": str(networks)})
    ledger.start()
    try:
        one, two = ask(ledger, "order-1", "USDC"), ask(ledger, "order-2", "USDC")
        assert one["address"] == two["address"] == SHARED
        assert one["memo"] != two["memo"]
        assert one["uri"].startswith(f"sui:pay?receiver={SHARED}&amount={one['units']}&")
        assert one["uri"].endswith(f"&nonce={one['memo']}")
        wallet.pay(
            Move(SHARED, 77, USDC),  # nobody's: no receipt tells whose
            *(Move(SHARED, each["units"], USDC, nonce=each["memo"]) for each in (one, two)),
        )
        for payment, asked in zip(succeeded(ledger, one, two), (one, two), strict=True):
            (transfer,) = payment["transfers"]
            assert int(transfer["amount_minor"]) == asked["units"]
            assert payment["labels"] == []
    finally:
        ledger.stop()


@pytest.mark.timeout(180)
def test_a_node_that_is_down_costs_time_and_no_payment(
    ledger: RunningLedger, wallet: Wallet, link: Link
):
    link.cut()
    ledger.start(wait_until_ready=False)
    asked = ask(ledger, "order-1", "SUI")
    wallet.pay(Move(asked["address"], asked["units"]))
    with ledger.client() as client:
        assert client.get("/health/ready").status_code == 503
    link.restore()
    succeeded(ledger, asked)
    link.cut()
    later = ask(ledger, "order-2", "SUI")
    wallet.pay(Move(later["address"], later["units"]))
    link.restore()
    succeeded(ledger, later)


def test_a_node_of_another_chain_stops_the_start(
    node: SuiServer, addresses: Path, ledger_url: str, tmp_path: Path
):
    text = sui_guide.live_networks_file(addresses)
    networks = tmp_path / "networks.toml"
    networks.write_text(
        text.replace("https://YOUR-NODE", node.url).replace("livemode = true", "livemode = false")
    )
    environment = {"FLAMEWIRE_NETWORKS_FILE": str(networks), "FLAMEWIRE_DATABASE_URL": ledger_url}
    done = RunningLedger(tmp_path / "data", environment).flamewire("up", "--port", "0", check=False)
    assert done.returncode == 2, done.stderr
    assert "not sui:35834a8a: correct grpc_urls or chain_id" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_guides_file_for_the_main_network_is_right(addresses: Path):
    (found,) = parse_networks(sui_guide.live_networks_file(addresses))
    assert found.network.livemode
    assert [token.asset.code for token in found.network.tokens] == ["sui:SUI", "sui:USDC"]


@pytest.mark.timeout(180)
def test_the_guide_runs_as_it_stands(
    node: SuiServer, wallet: Wallet, addresses: Path, tmp_path: Path
):
    start_node, make_addresses, start_ledger, *commands = sui_guide.blocks("sh")
    assert start_node == ".venv/bin/python -m tests.services.sui\n"  # as the fixtures have done
    assert "sui-addresses.txt" in make_addresses
    assert start_ledger == "FLAMEWIRE_NETWORKS_FILE=networks.toml .venv/bin/flamewire up\n"
    networks = tmp_path / "networks.toml"
    networks.write_text(sui_guide.local_networks_file(node.url, addresses))
    ledger = RunningLedger(tmp_path / "data", {"FLAMEWIRE_NETWORKS_FILE": str(networks)})
    counter = Counter(wallet)
    ledger.start()
    try:
        done = run_script(ledger, counter, commands)
        assert done.returncode == 0, done.stdout + done.stderr
        assert '"status":"succeeded"' in done.stdout.replace(": ", ":")
        assert "fw_live_" in done.stdout
    finally:
        counter.close()
        ledger.stop()


def run_script(
    ledger: RunningLedger, counter: Counter, commands: list[str]
) -> subprocess.CompletedProcess[str]:
    """The guide's commands in one shell, with our addresses, and waiting where it says to wait."""
    script = "\n".join(commands)
    is_paid = f"curl -s $API/payment_intents/$PAYMENT -H 'Authorization: Bearer {ledger.key}' | grep -q succeeded"
    for theirs, ours in {
        "http://127.0.0.1:8700": ledger.url,
        f"http://127.0.0.1:{COUNTER_PORT}": counter.url,
        ".venv/bin/flamewire": f"{sys.executable} -m flamewire_ledger",
        "sleep 2": f"for _ in $(seq 150); do {is_paid} && break; sleep 0.2; done",
    }.items():
        assert theirs in script
        script = script.replace(theirs, ours)
    environment = {**os.environ, "KEY": ledger.key, "FLAMEWIRE_DATA_DIR": str(ledger.data_dir)}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=environment, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
