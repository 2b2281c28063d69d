"""A real Ethereum node under a whole ledger, from outside: what a merchant is promised holds through
reorganisations, power cuts and outages of the node; and the guide runs as it stands.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flamewire_ledger.chains.networks import parse_networks
from tests.services.anvil import CHAIN_ID, Anvil
from tests.services.link import Link
from tests.system import ethereum_guide
from tests.system.ethereum_story import Story
from tests.system.kinds_of_payers import HOW_MANY
from tests.system.payers import Payers
from tests.system.running_ledger import RunningLedger, eventually

# One worker runs all of these, one after the other: each keeps a core busy.
pytestmark = [pytest.mark.xdist_group("real-ethereum"), pytest.mark.slow]

TAKEN_BACK_BLOCKS = 5  # fewer than it takes to be final


@pytest.fixture
def chance() -> random.Random:
    """Chance that can be had again: FLAMEWIRE_TEST_SEED."""
    seed = int(os.environ.get("FLAMEWIRE_TEST_SEED") or time.time_ns() % 1_000_000)
    print(f"FLAMEWIRE_TEST_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def payers(anvil: Anvil, chance: random.Random) -> Payers:
    return Payers(anvil, chance)


@pytest.fixture
def link(anvil: Anvil, link_to: Callable[[str], Link]) -> Link:
    """The ledger's line to the node; the payers have another."""
    return link_to(anvil.url)


@pytest.fixture
def ledger(payers: Payers, link: Link, tmp_path: Path) -> Iterator[RunningLedger]:
    """A ledger with the guide's networks file; it is not started yet."""
    networks = tmp_path / "networks.toml"
    networks.write_text(ethereum_guide.local_networks_file(link.url, ("USDC", payers.usdc)))
    running = RunningLedger(tmp_path / "data", {"FLAMEWIRE_NETWORKS_FILE": str(networks)})
    yield running
    running.stop()


@pytest.mark.timeout(300)
def test_two_hundred_payments_through_a_reorganisation_and_two_power_cuts(
    ledger: RunningLedger, payers: Payers, chance: random.Random
):
    ledger.start()
    story = Story(ledger, payers, chance)
    story.ask_for(HOW_MANY)
    before, after = story.in_two("exact", "in_parts", "short", "over", "twice", "wrong_token",
                                 "other_token", "in_vain")  # fmt: skip

    story.pay(before)
    payers.mine(2)
    abandoned = story.pay_what_is_taken_back(TAKEN_BACK_BLOCKS)
    story.wait_until_transfers_are("included", story.of("gone", "back"))

    payers.anvil.reorganise(TAKEN_BACK_BLOCKS)
    ledger.kill()
    came_back_unseen, comes_back_seen = abandoned[:5], abandoned[5:]
    story.send_again(came_back_unseen)
    half = len(after) // 2
    story.pay(after[:half])
    ledger.start()
    payers.mine(2)  # what is in no block is given up when the chain has gone on without it
    story.wait_until_transfers_are("dropped", comes_back_seen)
    story.send_again(comes_back_seen)
    story.pay(after[half:])

    payers.make_final()
    time.sleep(chance.uniform(0, 0.4))
    ledger.kill()  # in the middle of confirming
    ledger.start()

    story.let_time_run_out()
    story.pay(story.of("late"))
    payers.make_final()
    story.is_as_it_should_be()
    story.books_are_what_the_chain_says()
    assert "NOT SO" not in ledger.flamewire("verify").stdout


@pytest.mark.timeout(180)
def test_confirmed_payments_that_the_chain_takes_back_are_reversed_until_they_come_again(
    ledger: RunningLedger, payers: Payers, chance: random.Random, tmp_path: Path
):
    """On a chain without finality, where a number of confirmations was all there is to go by."""
    with (tmp_path / "networks.toml").open("a") as networks:
        networks.write('finality = "confirmations"\nconfirmations = 3\n')
    ledger.start()
    story = Story(ledger, payers, chance)
    story.ask_for({"gone": 3, "back": 3})
    came_back = story.pay_what_is_taken_back(TAKEN_BACK_BLOCKS)
    payers.mine(2)
    story.wait_until_transfers_are("confirmed", story.promises)
    assert story.standing(story.promises) == {("succeeded",)}

    payers.anvil.reorganise(TAKEN_BACK_BLOCKS + 2)
    payers.mine()
    story.wait_until_transfers_are("reorged", story.promises)
    assert story.standing(story.promises) == {("processing", "reorged")}
    story.send_again(came_back)
    payers.mine(2)
    story.wait_until_transfers_are("confirmed", came_back)
    assert story.standing(came_back) == {("succeeded", "reorged")}
    story.books_are_what_the_chain_says()

    ledger.flamewire("sandbox", "advance", "3700")  # nobody waits for the others any more
    eventually(lambda: story.standing(story.of("gone")) == {("requires_action", "reorged")})
    assert "NOT SO" not in ledger.flamewire("verify").stdout


@pytest.mark.timeout(180)
def test_a_node_that_is_down_costs_time_and_no_payment(
    ledger: RunningLedger, payers: Payers, link: Link, chance: random.Random
):
    """Down when the ledger first starts, across a power cut, and once more later on."""
    story = Story(ledger, payers, chance)
    payers.mine(30)
    link.cut()
    ledger.start(wait_until_ready=False)
    with ledger.client() as client:
        answer = client.get("/health/ready")
        assert answer.status_code == 503
        checks = answer.json()["checks"]
        assert [name for name in checks if not checks[name]["ready"]] == ["chain ethereum"]
    story.ask_for({"exact": 6})
    story.pay(story.promises[:3])
    ledger.kill()
    ledger.start(wait_until_ready=False)
    payers.make_final()
    link.restore()
    story.is_as_it_should_be(story.promises[:3])

    link.cut()
    time.sleep(1)  # it has noticed
    story.pay(story.promises[3:])
    payers.make_final()
    link.restore()
    story.is_as_it_should_be()
    story.books_are_what_the_chain_says()


def test_the_guide_runs_as_it_stands(anvil: Anvil, tmp_path: Path):
    start_node, start_ledger, *commands = ethereum_guide.blocks("sh")
    assert start_node == "anvil --slots-in-an-epoch 4\n"  # as the fixture has done
    assert start_ledger == "FLAMEWIRE_NETWORKS_FILE=networks.toml .venv/bin/flamewire up\n"
    networks = tmp_path / "networks.toml"
    networks.write_text(ethereum_guide.local_networks_file(anvil.url))
    ledger = RunningLedger(tmp_path / "data", {"FLAMEWIRE_NETWORKS_FILE": str(networks)})
    ledger.start()
    try:
        done = run_script(ledger, anvil, commands)
        assert done.returncode == 0, done.stdout + done.stderr
        said = done.stdout.replace(": ", ":")
        assert '"status":"succeeded"' in said
        assert '"balance_minor":"7812500000000000"' in said  # 25 dollars at 3200
        assert "fw_live_" in said
    finally:
        ledger.stop()


def run_script(
    ledger: RunningLedger, anvil: Anvil, commands: list[str]
) -> subprocess.CompletedProcess[str]:
    """The guide's commands in one shell, with our addresses, and waiting where it says to wait."""
    script = "\n".join(commands)
    is_paid = f"curl -s $API/payment_intents/$PAYMENT -H 'Authorization: Bearer {ledger.key}' | grep -q succeeded"
    for theirs, ours in {
        "http://127.0.0.1:8700": ledger.url,
        ethereum_guide.NODE_URL: anvil.url,
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


def test_the_guides_file_for_the_main_network_needs_an_xpub_and_no_more():
    text = ethereum_guide.live_networks_file()
    filled_in = text.replace(ethereum_guide.XPUB_PLACE, ethereum_guide.local_xpub())
    (found,) = parse_networks(filled_in)
    assert found.network.livemode
    assert [token.asset.code for token in found.network.tokens] == ["ethereum:ETH", "ethereum:USDC"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("livemode", "livmode"), "network ethereum in the networks file: livemode is missing"),
        (("rpc_urls", "mempol = true\nrpc_urls"), "mempol is not known"),
        (("YOUR-XPUB", f"xprv{'9' * 107}"), "xpub is a private key"),
        (("YOUR-XPUB", "YOUR-XPUB-HERE"), "xpub is no extended public key"),
    ],
)
def test_a_mistake_in_the_networks_file_stops_the_start(
    tmp_path: Path, change: tuple[str, str], sentence: str
):
    """Before anything is started, in one sentence that does not show what may be secret."""
    text = ethereum_guide.live_networks_file()
    assert change[0] in text
    networks = tmp_path / "networks.toml"
    if change[0] != ethereum_guide.XPUB_PLACE:
        text = text.replace(ethereum_guide.XPUB_PLACE, ethereum_guide.local_xpub())
    networks.write_text(text.replace(*change, 1))
    ledger = RunningLedger(tmp_path / "data", {"FLAMEWIRE_NETWORKS_FILE": str(networks)})
    done = ledger.flamewire("up", "--port", "0", check=False)
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "9" * 20 not in done.stderr
    assert "YOUR-NODE" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_node_of_another_chain_stops_the_start(anvil: Anvil, ledger_url: str, tmp_path: Path):
    text = ethereum_guide.local_networks_file(anvil.url)
    networks = tmp_path / "networks.toml"
    networks.write_text(text.replace(f"chain_id = {CHAIN_ID}", "chain_id = 11155111"))
    environment = {"FLAMEWIRE_NETWORKS_FILE": str(networks), "FLAMEWIRE_DATABASE_URL": ledger_url}
    done = RunningLedger(tmp_path / "data", environment).flamewire("up", "--port", "0", check=False)
    assert done.returncode == 2, done.stderr
    assert "is of chain 0x7a69, not 11155111" in done.stderr
    assert "Traceback" not in done.stderr
