"""Credits in a running ledger: topped up by a rule, granted again and again, and explained."""

from __future__ import annotations

import json
from typing import Any

import httpx

from flamewire_ledger.cli.commands import run
from tests.system.running_ledger import RunningLedger, eventually


def post(client: httpx.Client, path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
    response = client.post(path, json=body, headers={"Idempotency-Key": key})
    assert response.is_success, response.text
    found: dict[str, Any] = response.json()
    return found


def test_a_rule_asks_for_a_payment_and_its_credits_are_explained(ledger: RunningLedger):
    with ledger.client() as client:
        account = client.post("/v1/credit_accounts", json={"overage_max": "5"}).json()["id"]
        path = f"/v1/credit_accounts/{account}"
        rule = {"threshold": "10", "target": "25", "cooldown_seconds": 86_400}
        post(client, f"{path}/top_up", rule, "rule")

        def intent() -> str | None:
            found: str | None = client.get(f"{path}/top_up").json()["payment_intent_id"]
            return found

        ledger.flamewire("sandbox", "pay", eventually(intent))
        outcomes = eventually(
            lambda: [
                it["outcome"]
                for it in client.get(f"{path}/top_up").json()["requests"]
                if it["outcome"]
            ]
        )
        assert outcomes == ["paid"]
        recurring = {"amount": "7", "every": "month"}
        post(client, f"{path}/recurring_grants", recurring, "recurring")
        eventually(lambda: client.get(path).json()["balance"]["available"] == "32.000000")
        burnt = post(client, f"{path}/consume", {"amount": "30"}, "consume")
        post(client, f"{path}/refunds", {"entry": str(burnt["position"]), "amount": "3"}, "refund")
        balance = client.get(path).json()["balance"]

    told = json.loads(ledger.flamewire("credits", "explain", account, "--json").stdout)
    assert told["balance"] == balance
    table = ledger.flamewire("credits", "explain", account).stdout
    assert "refunded" in table
    assert "5.000000" in table
    early = json.loads(
        ledger.flamewire(
            "credits", "explain", account, "--as-of", str(burnt["position"]), "--json"
        ).stdout
    )
    assert early["balance"]["consumed"] == "30.000000"
    assert "NOT SO" not in ledger.flamewire("verify").stdout


def test_what_is_no_account_is_said_in_a_sentence(ledger: RunningLedger):
    assert run(["credits", "explain", "nobody"]) == 2
    unknown = ledger.flamewire("credits", "explain", "ca_01kayv3m8se0p9q7r2t4w6x8za", check=False)
    assert unknown.returncode == 1
    assert "There is no credit account" in unknown.stderr
