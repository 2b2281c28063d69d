"""A real Substrate node under a whole ledger, from outside: transfers, batches and remarks of people
with wallets, power cuts and reorganisations in between; and the guide runs as it stands.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from flamewire_ledger.chains.networks import parse_networks
from tests.chains.substrate.payers import Payers
from tests.chains.substrate.proxy import Proxy
from tests.services.fixtures import or_skip
from tests.services.substrate import ALICE, BOB, Substrate
from tests.system import substrate_guide
from tests.system.running_ledger import RunningLedger, eventually
from tests.system.substrate_shop import ROC, SETTLED_SECONDS_MAX, Shop

# One worker runs all of these, one after the other: each keeps a core busy.
pytestmark = [pytest.mark.xdist_group("real-substrate"), pytest.mark.slow]

FINAL_AFTER_BLOCKS = 3
NOBODY = "5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM"  # the account of zeros


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Substrate]:
    made = Substrate(tmp_path_factory.mktemp("substrate"))
    with or_skip("substrate"):
        made.start()
    yield made
    made.stop()


@pytest.fixture
def payers(node: Substrate) -> Iterator[Payers]:
    made = Payers(node)
    yield made
    made.close()


@pytest.fixture
def proxy(node: Substrate) -> Iterator[Proxy]:
    """The ledger's line to the node, with a finality that lags."""
    made = Proxy(node.url, FINAL_AFTER_BLOCKS)
    yield made
    made.close()


@pytest.fixture
def shop(
    request: pytest.FixtureRequest, payers: Payers, proxy: Proxy, tmp_path: Path
) -> Iterator[Shop]:
    """With the guide's networks file, and the lines that a test adds; it has not been started."""
    more = getattr(request, "param", ())
    networks = tmp_path / "networks.toml"
    networks.write_text(substrate_guide.local_networks_file(proxy.url, *more))
    ledger = RunningLedger(tmp_path / "data", {"FLAMEWIRE_NETWORKS_FILE": str(networks)})
    yield Shop(ledger, payers)
    ledger.stop()


@pytest.mark.timeout(400)
def test_transfers_and_batches_through_power_cuts_and_a_reorganisation(shop: Shop, payers: Payers):
    shop.ledger.start()
    plain, parts, over, first, second, lucky, unlucky, gone, back = (
        shop.ask(amount) for amount in ("2.5", "3", "1.25", "4", "5", "6", "7", "1", "1.5")
    )
    payers.send(shop.transfer(plain))
    payers.send(shop.transfer(parts, 40))
    batch = payers.send(payers.batch([shop.transfer(first), shop.transfer(second)]))
    shop.mine()
    shop.becomes(plain, "processing")
    assert shop.transfers(second) == [(batch.hash, 1, 5 * ROC, "included")]

    # Taken back before it is final: one of the two comes again, in another block, with the same name.
    taken_back = payers.send(shop.transfer(gone), "//Bob")
    comes_back = payers.send(shop.transfer(back), "//Charlie")
    shop.mine()
    shop.becomes(gone, "processing")
    payers.node.set_head(payers.height - 1)
    payers.send_again(comes_back)
    shop.mine(2)
    # Given up one block after it was missed, and both of these may have been read before it was.
    shop.is_followed()
    shop.mine()
    shop.becomes(gone, "requires_payment")
    assert shop.transfers(gone) == [(taken_back.hash, 0, ROC, "dropped")]

    shop.ledger.kill()
    half_fails = payers.send(
        payers.batch(
            [shop.transfer(lucky), payers.transfer(BOB, 10**30), shop.transfer(unlucky)], "batch"
        )
    )
    payers.send(shop.transfer(parts, 60))
    payers.send(shop.transfer(over, 120))
    shop.mine()
    shop.ledger.start()
    shop.mine(FINAL_AFTER_BLOCKS)
    time.sleep(0.2)
    shop.ledger.kill()  # in the middle of confirming
    shop.ledger.start()
    shop.mine()

    for payment in (plain, first, second, lucky, back):
        shop.becomes(payment, "succeeded")
    shop.becomes(parts, "succeeded")
    shop.becomes(over, "succeeded", "overpaid")
    assert shop.transfers(lucky) == [(half_fails.hash, 0, 6 * ROC, "confirmed")]
    assert shop.transfers(back) == [(comes_back.hash, 0, 15 * ROC // 10, "confirmed")]
    assert shop.seen(unlucky)["status"] == "requires_payment"
    assert shop.transfers(unlucky) == []
    shop.books_are_what_the_chain_says()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("shop", [('identifies_by = "mark"',)], indirect=True)
def test_remarks_tell_payments_to_one_address_apart(shop: Shop, payers: Payers):
    shop.ledger.start()
    one, two, unpaid = (shop.ask("2") for _ in range(3))
    (address,) = {option["address"] for option in shop.options.values()}
    before = payers.free(address)
    sent = payers.send(payers.batch([shop.transfer(one), shop.remark(one)]))
    payers.send(payers.batch([shop.remark(two), shop.transfer(two, 50)]))
    unmarked = payers.send(shop.transfer(unpaid))  # without its remark
    shop.mine()
    shop.becomes(one, "processing")
    shop.ledger.kill()
    payers.send(payers.batch([shop.transfer(two, 50), shop.remark(two)]))
    mistyped = payers.send(payers.batch([shop.transfer(unpaid), payers.remark("7-slip")]))
    shop.mine(FINAL_AFTER_BLOCKS + 1)
    shop.ledger.start()
    shop.becomes(one, "succeeded")
    shop.becomes(two, "succeeded")
    assert shop.transfers(one) == [(sent.hash, 0, 2 * ROC, "confirmed")]
    assert shop.seen(unpaid)["status"] == "requires_payment"
    assert shop.balance() == 4 * ROC
    assert payers.free(address) - before == 8 * ROC

    held = unclaimed(shop, unmarked.hash, mistyped.hash)
    assert [each["why"] for each in held] == ["no_mark", "unknown_mark"]
    assert sum(int(each["amount_minor"]) for each in held) == 4 * ROC
    assert "NOT SO" not in shop.ledger.flamewire("verify").stdout


@pytest.mark.timeout(300)
@pytest.mark.parametrize("shop", [('identifies_by = "amount"',)], indirect=True)
def test_amounts_tell_payments_to_one_address_apart(shop: Shop, payers: Payers):
    shop.ledger.start()
    one, two, unpaid = (shop.ask("2") for _ in range(3))
    assert len({option["amount_minor"] for option in shop.options.values()}) == 3
    assert len({option["address"] for option in shop.options.values()}) == 1
    calls = [shop.transfer(two), shop.transfer(unpaid, 50), shop.transfer(one)]
    sent = payers.send(payers.batch(calls))
    shop.mine(FINAL_AFTER_BLOCKS + 1)
    shop.becomes(one, "succeeded")
    shop.becomes(two, "succeeded")
    assert shop.seen(unpaid)["status"] == "requires_payment"
    (held,) = unclaimed(shop, sent.hash)
    assert held["why"] == "unknown_amount"
    paid = [int(shop.options[each]["amount_minor"]) for each in (one, two)]
    assert shop.balance() == sum(paid)


def unclaimed(shop: Shop, *transactions: str) -> list[dict[str, Any]]:
    """What these transactions brought that is nobody's, one each and in their order, once it is
    confirmed; the operator sees it. What others sent to the same address before is there as well.
    """
    key = shop.ledger.flamewire("keys", "create", "--name", "operator").stdout.strip()
    with httpx.Client(
        base_url=shop.ledger.url, headers={"Authorization": f"Bearer {key}"}
    ) as client:

        def confirmed() -> list[dict[str, Any]]:
            found = client.get("/v1/unclaimed_transfers").json()["data"]
            by_transaction = {
                each["transaction_id"]: each for each in found if each["status"] == "confirmed"
            }
            held = [by_transaction.get(each) for each in transactions]
            return [each for each in held if each] if all(held) else []

        return eventually(confirmed, seconds=SETTLED_SECONDS_MAX)


def test_less_than_an_account_begins_with_is_not_asked_for(shop: Shop):
    shop.ledger.start()
    body = {"currency": "ROC", "pay_with": [{"network": "rococo", "asset": "ROC"}]}
    with shop.ledger.client() as client:
        answers = [
            client.post(
                "/v1/payment_intents",
                json={**body, "amount": amount},
                headers={"Idempotency-Key": amount},
            )
            for amount in ("0.000003333332", "0.000003333333")
        ]
    assert [answer.status_code for answer in answers] == [422, 201]
    assert "begins with 0.000003333333" in answers[0].json()["detail"]


def test_the_guide_runs_as_it_stands(node: Substrate, tmp_path: Path):
    start_node, start_ledger, *commands = substrate_guide.blocks("sh")
    (written,) = [line for line in start_node.replace(",\n  ", ", ").splitlines() if "{" in line]
    configured = json.loads(written.partition("'")[2].rpartition("'")[0].replace("'$PWD'", ""))
    used = json.loads((node._folder / "chopsticks.json").read_text())  # as the fixture has done
    assert configured.keys() == used.keys()
    assert configured["build-block-mode"] == used["build-block-mode"]
    assert (
        configured["import-storage"]["System"]["Account"][0]
        == used["import-storage"]["System"]["Account"][0]
    )
    assert start_ledger == "FLAMEWIRE_NETWORKS_FILE=networks.toml .venv/bin/flamewire up\n"
    networks = tmp_path / "networks.toml"
    networks.write_text(substrate_guide.local_networks_file(node.url))
    ledger = RunningLedger(tmp_path / "data", {"FLAMEWIRE_NETWORKS_FILE": str(networks)})
    ledger.start()
    try:
        done = run_script(ledger, node, commands)
        assert done.returncode == 0, done.stdout + done.stderr
        said = done.stdout.replace(": ", ":")
        assert '"status":"succeeded"' in said
        assert '"balance_minor":"2500000000000"' in said
        assert "fw_live_" in said
    finally:
        ledger.stop()


def run_script(
    ledger: RunningLedger, node: Substrate, commands: list[str]
) -> subprocess.CompletedProcess[str]:
    """The guide's commands in one shell, with our addresses, and waiting where it says to wait."""
    script = "\n".join(commands)
    is_paid = f"curl -s $API/payment_intents/$PAYMENT -H 'Authorization: Bearer {ledger.key}' | grep -q succeeded"
    for theirs, ours in {
        "http://127.0.0.1:8700": ledger.url,
        substrate_guide.NODE_URL: node.url,
        ".venv/bin/flamewire": f"{sys.executable} -m flamewire_ledger",
        ".venv/bin/python - ": f"{sys.executable} - ",
        "sleep 2": f"for _ in $(seq 150); do {is_paid} && break; sleep 0.2; done",
    }.items():
        assert theirs in script
        script = script.replace(theirs, ours)
    environment = {**os.environ, "KEY": ledger.key, "FLAMEWIRE_DATA_DIR": str(ledger.data_dir)}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=environment, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip


def test_the_guides_file_for_bittensor_needs_an_account_and_no_more():
    text = substrate_guide.live_networks_file()
    (found,) = parse_networks(text.replace(substrate_guide.ACCOUNT_PLACE, ALICE))
    assert found.network.livemode
    assert [token.asset.code for token in found.network.tokens] == ["bittensor:TAO"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("livemode", "livmode"), "network bittensor in the networks file: livemode is missing"),
        (("polkadot:2f05", "polkadot:2g05"), "chain_id is polkadot: and the first 32"),
        (("YOUR-ACCOUNT", ALICE[:-1] + "Z"), "account is no address: the SS58 address is mistyped"),
        (("YOUR-ACCOUNT", "bottom drive obey lake"), "account may be a secret"),
        (("YOUR-ACCOUNT", "0x" + "99" * 32), "account may be a secret"),
        (
            ("YOUR-ACCOUNT", "5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM"),
            "network bittensor in the networks file: account is all zeros",
        ),
    ],
)
def test_a_mistake_in_the_networks_file_stops_the_start(
    tmp_path: Path, change: tuple[str, str], sentence: str
):
    """Before anything is started, in one sentence that does not show what may be secret."""
    text = substrate_guide.live_networks_file()
    assert change[0] in text
    networks = tmp_path / "networks.toml"
    networks.write_text(text.replace(*change, 1).replace(substrate_guide.ACCOUNT_PLACE, ALICE))
    ledger = RunningLedger(tmp_path / "data", {"FLAMEWIRE_NETWORKS_FILE": str(networks)})
    done = ledger.flamewire("up", "--port", "0", check=False)
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "9" * 20 not in done.stderr
    assert "obey" not in done.stderr
    assert "YOUR-NODE" not in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("polkadot:4545", "polkadot:4646"), "endpoint 1 is of polkadot:45454545"),
        (("= 3333333", "= 3333332"), "an account begins with 3333333 units, not 3333332"),
        (('"ROC", decimals = 12', '"ROC", decimals = 9'), "whose coin is ROC with 12 decimals"),
    ],
)
def test_a_node_of_another_chain_stops_the_start(
    node: Substrate, ledger_url: str, tmp_path: Path, change: tuple[str, str], sentence: str
):
    text = substrate_guide.local_networks_file(node.url)
    assert change[0] in text
    networks = tmp_path / "networks.toml"
    networks.write_text(text.replace(*change))
    environment = {"FLAMEWIRE_NETWORKS_FILE": str(networks), "FLAMEWIRE_DATABASE_URL": ledger_url}
    done = RunningLedger(tmp_path / "data", environment).flamewire("up", "--port", "0", check=False)
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
