"""Reconciliation of a running ledger: what is planted on a sandbox chain is found, and then mended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.system.running_ledger import RunningLedger, create_payment, payment_with_status
from tests.system.test_several_networks import pay

TAO = [{"network": "bittensor", "asset": "TAO"}]


def reconciled(ledger: RunningLedger, *options: str, code: int = 0) -> dict[str, Any]:
    done = ledger.flamewire("reconcile", "bittensor", "--format", "json", *options, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture
def paid(own_ledger: RunningLedger) -> tuple[RunningLedger, dict[str, Any]]:
    with own_ledger.client() as client:
        payment = create_payment(client, "paid", pay_with=TAO)
        pay(client, payment["id"], "paid-pay")
        return own_ledger, payment_with_status(client, payment["id"], "succeeded")


def test_what_agrees_has_no_exception_and_the_next_run_goes_on_from_there(
    paid: tuple[RunningLedger, dict[str, Any]],
) -> None:
    ledger, payment = paid
    report = reconciled(ledger)
    assert (report["matched"], report["exceptions"], report["has_drift"]) == (1, [], False)
    assert report["payments"] == {"posted_automatic": 1}
    (asset,) = report["assets"]
    due = payment["payment_options"][0]["amount"]
    assert asset["chain"]["closing"] == asset["ledger"]["closing"] == due
    again = reconciled(ledger)
    assert again["first_block"] == report["block"] + 1
    assert again["assets"][0]["chain"]["opening"] == due
    assert again["matched"] == 0
    with ledger.client() as client:
        own = client.post("/v1/reconciliations", json={"network": "bittensor"})
        assert own.status_code == 201, own.text
        assert own.json()["matched"] == 1
        kept = client.get(f"/v1/reconciliations/{own.json()['id']}")
        assert kept.content == own.content
        listed = client.get("/v1/reconciliations").json()["data"]
        assert [it["id"] for it in listed] == [own.json()["id"]]
        pdf = client.get(f"/v1/reconciliations/{own.json()['id']}.pdf")
        assert pdf.content.startswith(b"%PDF")
