"""Reconciliation on a real Ethereum node: what came while nobody followed, and what only the books know."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flamewire_ledger.cli.session import visit
from tests.services.anvil import Anvil
from tests.system import ethereum_guide
from tests.system.payers import Payers
from tests.system.reconciling import tell_a_lie
from tests.system.running_ledger import (
    RunningLedger,
    create_payment,
    eventually,
    payment_with_status,
)

pytestmark = [pytest.mark.xdist_group("real-ethereum"), pytest.mark.slow]
USDC = [{"network": "ethereum", "asset": "USDC"}]


@pytest.fixture
def payers(anvil: Anvil) -> Payers:
    return Payers(anvil, random.Random(1))


@pytest.fixture
def ledger(
    payers: Payers, anvil: Anvil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningLedger]:
    networks = tmp_path / "networks.toml"
    networks.write_text(ethereum_guide.local_networks_file(anvil.url, ("USDC", payers.usdc)))
    monkeypatch.setenv("FLAMEWIRE_NETWORKS_FILE", str(networks))
    running = RunningLedger(tmp_path / "data")
    running.start()
    yield running
    running.stop()


def reconciled(ledger: RunningLedger, code: int, *options: str) -> dict[str, Any]:
    done = ledger.flamewire("reconcile", "ethereum", "--format", "json", *options, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def asked(ledger: RunningLedger, key: str) -> tuple[str, str, int]:
    """A payment, its address and what is due there."""
    with ledger.client() as client:
        payment = create_payment(client, key, amount="25.00", pay_with=USDC)
    option = payment["payment_options"][0]
    return payment["id"], option["address"], int(option["amount_minor"])


def kinds(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(it["kind"], it["subject"]) for it in report["exceptions"]]


def test_what_came_while_nobody_followed_is_missing_until_it_is_booked(
    ledger: RunningLedger, payers: Payers
) -> None:
    payment_id, address, due = asked(ledger, "away")
    ledger.stop()
    sent = payers.pay(address, "USDC", due)
    payers.mine()
    payers.make_final()
    report = reconciled(ledger, 1)
    assert [kind for kind, _ in kinds(report)] == ["missing_on_books"]
    (exception,) = report["exceptions"]
    assert sent in exception["subject"]
    assert (exception["expected_minor"], exception["found_minor"]) == (str(due), "0")
    (usdc,) = (it for it in report["assets"] if it["asset"] == "USDC")
    assert (usdc["drift_minor"], usdc["chain"]["held_minor"]) == (str(-due), str(due))

    ledger.start()  # its follower books what it has not seen yet
    with ledger.client() as client:
        payment_with_status(client, payment_id, "succeeded")
        payers.make_final()
        after = eventually(lambda: reconciled(ledger, 0))
        assert (after["settled"], after["exceptions"], after["has_drift"]) == (1, [], False)


def test_what_only_the_books_know_is_found_and_a_person_settles_it(
    ledger: RunningLedger, payers: Payers
) -> None:
    payment_id, address, due = asked(ledger, "true")
    payers.pay(address, "USDC", due)
    payers.mine()
    payers.make_final()
    with ledger.client() as client:
        payment_with_status(client, payment_id, "succeeded")
    other_id, _, _ = asked(ledger, "false")
    false = visit(lambda it: tell_a_lie(it, payment_id, other_id), data_dir=ledger.data_dir)
    payers.make_final()
    report = reconciled(ledger, 1)
    assert kinds(report) == [("not_on_chain", false)]
    assert report["matched"] == 1
    assert [it["drift_minor"] for it in report["assets"] if it["asset"] == "USDC"] == [str(due)]


def test_what_left_an_address_and_nobody_told_of_is_a_drift_until_it_is_told(
    ledger: RunningLedger, payers: Payers
) -> None:
    payment_id, address, due = asked(ledger, "moved")
    payers.pay(address, "USDC", due)
    payers.mine()
    payers.make_final()
    with ledger.client() as client:
        payment_with_status(client, payment_id, "succeeded")
    payers.move_on(address, payers.someone(), "USDC", due)
    payers.make_final()
    report = reconciled(ledger, 1)
    assert kinds(report) == [("left_untold", "ethereum:USDC")]
    (usdc,) = (it for it in report["assets"] if it["asset"] == "USDC")
    assert (usdc["drift_minor"], usdc["left_untold_minor"]) == (str(due), str(due))
    assert (usdc["chain"]["out_minor"], usdc["chain"]["held_minor"]) == (str(due), "0")
    told = ("disposals", "record", "withdrawal", str(due / 10**6), "USDC")
    ledger.flamewire(*told, "--network", "ethereum", "--once", "a", "--at", report["block_at"])
    payers.make_final()
    mended = reconciled(ledger, 0)
    assert (mended["settled"], mended["exceptions"], mended["has_drift"]) == (1, [], False)
