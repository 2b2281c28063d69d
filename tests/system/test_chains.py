"""How chains do, and blocks read again, from outside; and docs/guides/add-a-chain.md as it stands."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from flamewire_ledger.store.migrate import migrate
from tests.services.anvil import ACCOUNTS, CHAIN_ID, Anvil
from tests.services.substrate import Substrate
from tests.system import ethereum_guide
from tests.system.running_ledger import (
    RunningLedger,
    create_payment,
    eventually,
    payment_with_status,
)

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "add-a-chain.md"
EVM_SECTION, SUBSTRATE_SECTION = "Another EVM chain", "Another Substrate chain"
pytestmark = pytest.mark.slow


@pytest.fixture
def on_ethereum(anvil: Anvil, database_url: str, tmp_path: Path) -> Iterator[RunningLedger]:
    """A ledger in a database of ours, with a real node; it is not started yet."""
    anvil.mine(3)
    networks = tmp_path / "networks.toml"
    networks.write_text(ethereum_guide.local_networks_file(anvil.url))
    environment = {
        "FLAMEWIRE_NETWORKS_FILE": str(networks), "FLAMEWIRE_DATABASE_URL": database_url
    }  # fmt: skip
    running = RunningLedger(tmp_path / "data", environment)
    yield running
    running.stop()


def statuses(ledger: RunningLedger, *, code: int) -> dict[str, dict[str, Any]] | None:
    """By name; None while the command ends with another exit code, as on a machine that is busy."""
    done = ledger.flamewire("chains", "status", "--json", check=False)
    if done.returncode != code:
        print(done.returncode, done.stdout, done.stderr)
        return None
    return {row["name"]: row for row in json.loads(done.stdout)}


def is_followed(ledger: RunningLedger) -> bool:
    """Whether the follower of Ethereum is where its head is."""
    found = statuses(ledger, code=0)
    return found is not None and found["ethereum"]["lag_blocks"] == 0


def rescan(ledger: RunningLedger, first: int, last: int) -> dict[str, int]:
    heights = ("--from", str(first), "--to", str(last))
    (row,) = json.loads(ledger.flamewire("chains", "rescan", "ethereum", *heights, "--json").stdout)
    return dict(row)


def ask_for_ether(client: httpx.Client, key: str) -> tuple[str, str, int]:
    """A payment, where it is to be sent, and how many wei."""
    made = create_payment(client, key, pay_with=[{"network": "ethereum", "asset": "ETH"}])
    (option,) = made["payment_options"]
    return made["id"], option["address"], int(option["amount_minor"])


def pay(anvil: Anvil, address: str, wei: int) -> int:
    """The height of the block that holds it, which is final."""
    wish = {"from": ACCOUNTS[0][0], "to": address, "value": hex(wei)}
    sent = anvil.rpc("eth_sendTransaction", wish)
    # The node answers before the block is there.
    receipt = eventually(lambda: anvil.rpc("eth_getTransactionReceipt", sent))
    anvil.mine(12)
    return int(receipt["blockNumber"], 16)


def test_every_chain_has_a_row_with_who_follows_it(ledger: RunningLedger):
    found = eventually(lambda: statuses(ledger, code=0))
    assert list(found) == ["bittensor", "ethereum", "sui"]
    for row in found.values():
        assert row["followed_by"]
        assert row["reason"] is None
        assert row["head_height"] >= row["finalized_height"] > 0
        assert row["lag_blocks"] <= 2
    table = ledger.flamewire("chains", "status").stdout.splitlines()
    assert len(table) == 4
    assert table[0].split()[:5] == ["name", "chain_id", "mode", "followed", "head"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere", "--from", "1", "--to", "2"), "no network is called nowhere"),
        (("ethereum", "--from", "2", "--to", "1"), "give the lower first"),
        (("ethereum", "--from", "1", "--to", "999999999"), "blocks are too many at once"),
        (("sandbox:sui", "--from", "1", "--to", "900000"), "is final up to"),
        (("sui", "--from", "1"), "see `flamewire chains rescan --help`"),
    ],
)
def test_a_rescan_of_what_cannot_be_read_is_one_sentence(
    ledger: RunningLedger, arguments: tuple[str, ...], says: str
):
    done = ledger.flamewire("chains", "rescan", *arguments, check=False)
    assert done.returncode == 2
    assert says in done.stderr
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)


@pytest.mark.timeout(180)
def test_what_the_follower_never_saw_is_booked_by_a_rescan_beside_it(
    on_ethereum: RunningLedger, anvil: Anvil, database_url: str
):
    ledger = on_ethereum
    ledger.start()
    with ledger.client() as client:
        payment_id, address, wei = ask_for_ether(client, "unseen")
    ledger.stop()
    height = pay(anvil, address, wei)
    _skip_to(database_url, f"eip155:{CHAIN_ID}", int(anvil.rpc("eth_blockNumber"), 16))
    ledger.start()
    with ledger.client() as client:
        eventually(lambda: is_followed(ledger))
        assert client.get(f"/v1/payment_intents/{payment_id}").json()["transfers"] == []

        told = rescan(ledger, height - 1, height + 1)
        assert (told["blocks"], told["found"], told["new"]) == (3, 1, 1)
        payment_with_status(client, payment_id, "succeeded")
        told = rescan(ledger, height - 1, height + 1)
        assert (told["found"], told["new"], told["known"]) == (1, 0, 1)

        seen_id, address, wei = ask_for_ether(client, "seen")
        height = pay(anvil, address, wei)
        payment_with_status(client, seen_id, "succeeded")
        told = rescan(ledger, height, height)
        assert (told["found"], told["new"], told["known"]) == (1, 0, 1)
    assert "NOT SO" not in ledger.flamewire("verify").stdout


@pytest.mark.timeout(180)
def test_lag_head_and_finality_are_shown_through_all_processes(
    on_ethereum: RunningLedger, anvil: Anvil
):
    ledger = on_ethereum
    ledger.start()
    anvil.mine(20)
    head = int(anvil.rpc("eth_blockNumber"), 16)
    labels = f'{{chain_id="eip155:{CHAIN_ID}",network="ethereum"}}'
    with ledger.client() as client:

        def shown() -> bool:
            check = client.get("/health/ready").json()["checks"]["chain ethereum"]
            return bool(check.get("head") == check["height"] == head)

        eventually(shown)
        check = client.get("/health/ready").json()["checks"]["chain ethereum"]
        assert check["ready"]
        assert check["finalized"] < head
        assert [(each["number"], each["state"]) for each in check["endpoints"]] == [(1, "in use")]
        # A process tells its figures now and then, one after the other.
        told = [f"flamewire_chain_{it}{labels} {head}.0" for it in ("head", "followed")]
        eventually(lambda: all(it in client.get("/metrics").text for it in told))
        text = client.get("/metrics").text
        assert f"flamewire_chain_lag_blocks{labels} 0.0" in text
        assert f"flamewire_chain_finalized{labels} {check['finalized']}.0" in text
        assert re.search(r'chain_endpoints\{.*state="in use"\} 1.0', text)


@pytest.mark.timeout(180)
def test_a_chain_that_does_not_answer_is_a_row_with_a_reason(
    on_ethereum: RunningLedger, anvil: Anvil
):
    ledger = on_ethereum
    ledger.start()
    eventually(lambda: is_followed(ledger))
    anvil.kill()
    found = eventually(lambda: statuses(ledger, code=1))
    row = found["ethereum"]
    assert row["reason"]
    assert row["head_height"] is None
    assert row["followed_height"] is not None
    (endpoint,) = row["endpoints"]
    assert (endpoint["state"], endpoint["number"]) == ("set aside", 1)
    assert "127.0.0.1" not in json.dumps(found)
    assert found["sui"]["reason"] is None


def test_nobody_follows_where_no_ledger_runs(on_ethereum: RunningLedger, database_url: str):
    asyncio.run(migrate(database_url))
    found = statuses(on_ethereum, code=1)
    assert found is not None
    assert found["ethereum"]["followed_by"] is None
    assert found["ethereum"]["followed_height"] is None
    assert found["ethereum"]["head_height"] == 3


def _skip_to(database_url: str, chain_id: str, height: int) -> None:
    """As if the follower had been there, and had seen nothing."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM chain_blocks WHERE chain_id = %s", (chain_id,))
        connection.execute(
            "UPDATE chain_cursors SET height = %s, hash = NULL WHERE chain_id = %s",
            (height, chain_id),
        )


# The guide.


def blocks(section: str, language: str) -> list[str]:
    """The fenced blocks of a section, in their order."""
    (text,) = re.findall(
        rf"^## {section}.*?\n(.*?)(?=^## )", GUIDE.read_text(), re.DOTALL | re.MULTILINE
    )
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.timeout(180)
def test_an_evm_chain_is_added_as_the_guide_says(tmp_path: Path):
    start_node, ask_node, start_ledger, see, first_payment = blocks(EVM_SECTION, "sh")
    assert start_node == "anvil --chain-id 84531 --port 8546 --slots-in-an-epoch 4\n"
    assert start_ledger == "FLAMEWIRE_NETWORKS_FILE=networks.toml .venv/bin/flamewire up\n"
    (networks,) = blocks(EVM_SECTION, "toml")
    node = Anvil(tmp_path / "node", "--chain-id", "84531")
    node.start()
    file = tmp_path / "networks.toml"
    file.write_text(networks.replace("http://127.0.0.1:8546", node.url))
    ledger = RunningLedger(tmp_path / "data", {"FLAMEWIRE_NETWORKS_FILE": str(file)})
    try:
        ledger.start()
        said = _run(ledger, {"http://127.0.0.1:8546": node.url},
                    tmp_path, ask_node, see, first_payment)  # fmt: skip
        assert '"result":"0x14a33"' in said.replace(" ", "")
        assert re.search(r"^base +eip155:84531 +test .* 1 in use at \d+", said, re.MULTILINE)
        assert '"status":"succeeded"' in said.replace(": ", ":")
    finally:
        ledger.stop()
        node.stop()


def _run(ledger: RunningLedger, addresses: dict[str, str], folder: Path, *commands: str) -> str:
    """The guide's commands in one shell, with our addresses, and waiting where it says to wait."""
    script = "\n".join(commands)
    is_paid = f"curl -s $API/payment_intents/$PAYMENT -H 'Authorization: Bearer {ledger.key}' | grep -q succeeded"
    for theirs, ours in {
        "http://127.0.0.1:8700": ledger.url,
        **addresses,
        ".venv/bin/flamewire": f"{sys.executable} -m flamewire_ledger",
        "sleep 2": f"for _ in $(seq 150); do {is_paid} && break; sleep 0.2; done",
    }.items():
        script = script.replace(theirs, ours)
    assert not re.search(r"127\.0\.0\.1:(8700|8546|8000)", script)
    environment = {**os.environ, "KEY": ledger.key, "FLAMEWIRE_DATA_DIR": str(ledger.data_dir)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(240)
def test_a_substrate_chain_is_added_as_the_guide_says(substrate: Substrate, tmp_path: Path):
    start_node, ask_node, start_ledger, see = blocks(SUBSTRATE_SECTION, "sh")
    assert "chopsticks.cjs --config" in start_node  # as the fixture has done
    assert start_ledger == "FLAMEWIRE_NETWORKS_FILE=networks.toml .venv/bin/flamewire up\n"
    (networks,) = blocks(SUBSTRATE_SECTION, "toml")
    assert "ws://127.0.0.1:8000" in networks
    file = tmp_path / "networks.toml"
    file.write_text(networks.replace("ws://127.0.0.1:8000", substrate.url))
    ledger = RunningLedger(tmp_path / "data", {"FLAMEWIRE_NETWORKS_FILE": str(file)})
    try:
        ledger.start()
        said = _run(ledger, {"http://127.0.0.1:8000": substrate.url.replace("ws:", "http:")},
                    tmp_path, ask_node, see)  # fmt: skip
        assert '"result":"0x45454545' in said
        assert '"tokenSymbol":"ROC"' in said
        assert re.search(
            r"^asset-hub +polkadot:4545\d+ +test .* 1 in use at \d+", said, re.MULTILINE
        )
    finally:
        ledger.stop()
