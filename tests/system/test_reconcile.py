"""Reconciliation of a running ledger: what is planted on a sandbox chain is found, and then mended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flamewire_ledger.cli.session import visit
from flamewire_ledger.wiring import Ledger
from flamewire_ledger.wiring.reconciliation import operators_scope, reconciling, record_run
from flamewire_ledger.wiring.rescans import chain_called
from tests.system.reconciling import tell_a_lie
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
    with ledger.client() as client:  # a chain that nobody pays on makes a block a minute
        more = create_payment(client, "more", pay_with=TAO)
        pay(client, more["id"], "more-pay")
        payment_with_status(client, more["id"], "succeeded")
    again = reconciled(ledger)
    assert again["first_block"] == report["block"] + 1
    assert again["assets"][0]["chain"]["opening"] == due
    assert again["matched"] == 1
    with ledger.client() as client:
        own = client.post("/v1/reconciliations", json={"network": "bittensor"})
        assert own.status_code == 201, own.text
        assert own.json()["matched"] == 2
        kept = client.get(f"/v1/reconciliations/{own.json()['id']}")
        assert kept.content == own.content
        listed = client.get("/v1/reconciliations").json()["data"]
        assert [it["id"] for it in listed] == [own.json()["id"]]
        pdf = client.get(f"/v1/reconciliations/{own.json()['id']}.pdf")
        assert pdf.content.startswith(b"%PDF")


def test_an_exception_is_settled_by_a_person_and_the_report_stays_what_it_was(
    paid: tuple[RunningLedger, dict[str, Any]],
) -> None:
    ledger, payment = paid
    with ledger.client() as client:
        other = create_payment(client, "false", pay_with=TAO)
        lie = visit(lambda it: tell_a_lie(it, payment["id"], other["id"]), data_dir=ledger.data_dir)
        found = client.post("/v1/reconciliations", json={"network": "bittensor"}).json()
        (exception,) = found["exceptions"]
        assert (exception["kind"], exception["subject"]) == ("not_on_chain", lie)
        resolve = f"/v1/reconciliation_exceptions/{exception['id']}/resolve"
        body = {"settled": "ignored", "reason": "a test told it"}
        settled = client.post(resolve, json=body, headers={"Idempotency-Key": "settle"})
        assert settled.status_code == 200, settled.text
        assert settled.json()["status"] == "settled"
        twice = client.post(resolve, json=body, headers={"Idempotency-Key": "again"})
        assert twice.status_code == 409
        listed = client.get("/v1/reconciliation_exceptions", params={"status": "open"}).json()
        assert listed["data"] == []

        before = client.get(f"/v1/reconciliations/{found['id']}").content
        assert json.loads(before) == found
        for name in ("wallet_transfers", "deposit_addresses", "reconciliations"):
            ledger.flamewire("projection", "rebuild", name)
        assert client.get(f"/v1/reconciliations/{found['id']}").content == before


async def derive_twice(ledger: Ledger) -> tuple[Any, Any]:
    chain = chain_called(ledger, "sandbox:bittensor")
    run = reconciling(ledger, chain, operators_scope(ledger, chain))
    pins = await run.pins(None, None)
    first = await run.derive(pins)
    async with ledger.writing() as writer:  # what is recorded later is not in it
        await record_run(ledger, writer, chain, operators_scope(ledger, chain), "test", None, None)
    return first, await run.derive(pins)


def test_the_same_pins_give_the_same_run(paid: tuple[RunningLedger, dict[str, Any]]) -> None:
    first, second = visit(derive_twice, data_dir=paid[0].data_dir)
    assert first.command.completed.matched == 1
    assert first == second
