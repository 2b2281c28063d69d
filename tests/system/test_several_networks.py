"""One payment that is payable on several networks at once, over HTTP and the sandbox chains."""

from __future__ import annotations

from typing import Any

import httpx

from tests.system.running_ledger import (
    RunningLedger,
    create_payment,
    eventually,
    payment_with_status,
)

WAYS = [
    {"network": "bittensor", "asset": "TAO"},
    {"network": "ethereum", "asset": "ETH"},
    {"network": "sui", "asset": "SUI"},
]


def pay(client: httpx.Client, payment_id: str, key: str, **how: Any) -> dict[str, Any]:
    body = {"payment_intent_id": payment_id, **how}
    answer = client.post("/v1/sandbox/transfers", json=body, headers={"Idempotency-Key": key})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def confirmed(client: httpx.Client, payment_id: str, networks: set[str]) -> dict[str, Any]:
    """The payment once a transfer is final on each of these networks."""

    def look() -> dict[str, Any] | None:
        body = client.get(f"/v1/payment_intents/{payment_id}").json()
        final = {it["network"] for it in body["transfers"] if it["status"] == "confirmed"}
        return body if final == networks else None

    return eventually(look)  # type: ignore[return-value]


def test_a_payment_on_two_networks_at_once_is_used_once(ledger: RunningLedger):
    with ledger.client() as client:
        before = client.get("/v1/portfolio").json()
        payment = create_payment(client, "twice", pay_with=WAYS)
        for network in ("bittensor", "sui"):
            pay(client, payment["id"], f"twice-{network}", network=network)
        paid = confirmed(client, payment["id"], {"bittensor", "sui"})
        assert (paid["status"], paid["labels"]) == ("succeeded", ["multiple"])
        assert (paid["amounts"]["confirmed"], paid["amounts"]["excess"]) == ("50.00", "25.00")
        after = client.get("/v1/portfolio", params={"min_position": paid["position"]}).json()
    assert grown(before, after) == {"settled": 25, "unapplied": 25}


def test_parts_on_two_networks_add_up(ledger: RunningLedger):
    with ledger.client() as client:
        payment = create_payment(client, "parts", pay_with=WAYS)
        dues = {it["network"]: it["amount_minor"] for it in payment["payment_options"]}
        half = {"bittensor": 9, "ethereum": 18}
        for network, decimals in half.items():
            units = -(-int(dues[network]) // 2)
            amount = f"{units // 10**decimals}.{units % 10**decimals:0{decimals}d}"
            pay(client, payment["id"], f"parts-{network}", network=network, amount=amount)
        paid = payment_with_status(client, payment["id"], "succeeded")
    assert {it["network"] for it in paid["transfers"]} == {"bittensor", "ethereum"}
    assert "underpaid" not in paid["labels"]


def test_when_the_chain_takes_the_winner_back_the_other_pays(ledger: RunningLedger):
    with ledger.client() as client:
        account = client.post("/v1/credit_accounts", json={"external_id": "two-networks"}).json()
        payment = create_payment(
            client, "taken-back", pay_with=WAYS, credit_account_id=account["id"]
        )
        pay(client, payment["id"], "back-first", network="ethereum", behaviour="reorg")
        payment_with_status(client, payment["id"], "succeeded")
        pay(client, payment["id"], "back-second", network="sui")
        paid = confirmed(client, payment["id"], {"sui"})
        assert paid["status"] == "succeeded"
        assert "reorged" in paid["labels"]
        # Bought once: what followed from the winner is undone, what follows from the other is there.
        eventually(lambda: receipts(client, payment["id"]) == ["paid", "void"])
        eventually(lambda: available(client, account["id"]) == "25.000000")
    assert "NOT SO" not in ledger.flamewire("verify").stdout


def receipts(client: httpx.Client, payment_id: str) -> list[str]:
    found = client.get("/v1/invoices", params={"payment_intent_id": payment_id}).json()["data"]
    return sorted(it["status"] for it in found)


def available(client: httpx.Client, account_id: str) -> str:
    balance = client.get(f"/v1/credit_accounts/{account_id}").json()["balance"]
    return str(balance["available"])


def grown(before: dict[str, Any], after: dict[str, Any]) -> dict[str, int]:
    """By how many dollars each part of the portfolio grew, to the nearest."""
    parts = ("settled", "unapplied")

    def dollars(shown: dict[str, Any], part: str) -> float:
        priced = [it for it in shown["holdings"] if it["price"] is not None]
        return sum(float(it[part]) * float(it["price"]["price"]) for it in priced)

    return {part: round(dollars(after, part) - dollars(before, part)) for part in parts}
