"""The README's promise: an intent, a payment, credits, a receipt, balanced books, all of it proved."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.running_ledger import (
    RunningLedger,
    create_payment,
    eventually,
    payment_with_status,
)

README = Path(__file__).parents[2] / "README.md"


def test_a_payment_becomes_credits_a_receipt_and_balanced_books(ledger: RunningLedger):
    with ledger.client() as client:
        account = client.post("/v1/credit_accounts", json={"external_id": "customer-9"}).json()
        payment = create_payment(client, "order-9", credit_account_id=account["id"])
        assert {(o["network"], o["asset"]) for o in payment["payment_options"]} >= {
            ("bittensor", "TAO"),
            ("ethereum", "ETH"),
            ("ethereum", "USDC"),
            ("sui", "SUI"),
        }

        ledger.flamewire("sandbox", "pay", payment["id"])

        paid = payment_with_status(client, payment["id"], "succeeded")
        assert paid["labels"] == []
        eventually(
            lambda: (
                client.get(f"/v1/credit_accounts/{account['id']}").json()["balance"]["available"]
                == "25.000000"
            )
        )
        invoices = eventually(lambda: client.get("/v1/invoices").json()["data"])
        assert invoices[0]["number"].endswith("-000001")
        pdf = client.get(f"/v1/invoices/{invoices[0]['id']}.pdf")
        assert pdf.content.startswith(b"%PDF-")
    assert "NOT SO" not in ledger.flamewire("verify").stdout


@pytest.mark.parametrize(
    ("options", "status", "labels"),
    [
        (["--under", "10%"], "requires_payment", []),
        (["--over", "10%"], "succeeded", ["overpaid"]),
        (["--late"], "requires_action", ["late", "stale_price"]),
        (["--wrong-asset"], "requires_action", ["wrong_asset"]),
        (["--drop"], "requires_payment", []),
        (["--reorg"], "requires_payment", []),
    ],
)
def test_the_payer_misbehaves(
    ledger: RunningLedger, options: list[str], status: str, labels: list[str]
):
    with ledger.client() as client:
        payment = create_payment(client, "order" + "".join(options))
        ledger.flamewire("sandbox", "pay", payment["id"], *options, check=False)
        body = client.get(f"/v1/payment_intents/{payment['id']}").json()
        if options == ["--reorg"]:  # the payer's money may come back in another block
            assert body["status"] in {"requires_payment", "processing", "succeeded"}
            return
        assert body["status"] == status
        assert set(labels) <= set(body["labels"])


def test_what_a_payer_really_sent_is_said(ledger: RunningLedger):
    with ledger.client() as client:
        payment = create_payment(client, "order-other")
    played = ledger.flamewire("sandbox", "pay", payment["id"], "--wrong-asset", "--json")
    assert json.loads(played.stdout)["asset"] == "UNLISTED"


def test_the_readme_runs_as_it_stands(ledger: RunningLedger):
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
    script = "\n".join(block for block in blocks if not block.startswith("scripts/"))
    assert "sandbox pay" in script
    script = script.replace("http://127.0.0.1:8700", ledger.url)
    script = script.replace(".venv/bin/flamewire", f"{sys.executable} -m flamewire_ledger")
    environment = {**os.environ, "KEY": ledger.key, "FLAMEWIRE_DATA_DIR": str(ledger.data_dir)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"status":"succeeded"' in done.stdout.replace(": ", ":")
    assert '"available":"25.000000"' in done.stdout.replace(": ", ":")
