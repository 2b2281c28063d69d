"""The guide to metered usage: what it shows is asked and answered so."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.api.test_usage import item
from tests.api.world import World

PAGE = (Path(__file__).parents[2] / "docs/guides/meter-usage.md").read_text()
SHOWN = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


async def told(ledger: World) -> list[object]:
    """Everything that the guide shows, asked and answered now."""
    opened = {"external_id": "tom"}
    account = (await ledger.post("/v1/credit_accounts", opened, once="account-1")).json()["id"]
    grants = f"/v1/credit_accounts/{account}/grants"
    await ledger.post(grants, {"amount": "100", "source": "granted"}, once="grant-1")
    meter = {
        "name": "RPC calls",
        "event_type": "rpc.call",
        "aggregation": "count",
        "group_by": ["method"],
        "credit_price": {"model": "standard", "unit_price": "0.5"},
        "on_insufficient": "reject",
    }
    defined = (await ledger.post("/v1/meters", meter, once="meter-1")).json()
    tiered = SHOWN[2]
    items = [item("tom", f"call-{n}", method="eth_call") for n in (1, 2)]
    items.append(item("tom", "call-1", method="eth_call"))
    items.append(item("ada", "call-3", method="eth_call"))
    taken = (await ledger.post("/v1/usage", items)).json()
    period = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
    asked = {"account": account, "granularity": "month", "group_by": "method", **period}
    used = (await ledger.get("/v1/usage", **asked)).json()
    proof = (await ledger.get("/v1/usage/proofs/gateway-1/call-2")).json()
    limit = {"meter_id": defined["id"], "period": "month", "soft": "800", "hard": "1000"}
    limits = f"/v1/credit_accounts/{account}/usage_limits"
    limited = (await ledger.post(limits, limit, once="limit-1")).json()
    feature = {
        "feature": "rpc",
        "kind": "quantity",
        "meter_id": defined["id"],
        "limit": "1000",
        "period": "month",
    }
    entitlements = f"/v1/credit_accounts/{account}/entitlements"
    granted = (await ledger.post(entitlements, feature, once="feature-1")).json()
    checked = (await ledger.get(f"/v1/entitlements/{account}/rpc")).json()
    return [
        meter,
        defined,
        tiered,
        items,
        taken,
        used,
        proof,
        limit,
        limited,
        feature,
        granted,
        checked,
    ]


async def test_the_meter_with_tiers_is_taken_as_it_is_shown(ledger: World):
    answer = await ledger.post("/v1/meters", SHOWN[2])
    assert answer.status_code == 201, answer.text
    logs = {"chain": "ethereum", "method": "eth_getLogs"}
    await ledger.post("/v1/credit_accounts", {"external_id": "tom"})
    taken = await ledger.post("/v1/usage", [item("tom", "call-1", **logs)])
    assert taken.json()["items"][0]["code"] == "insufficient_credits"  # it counts, and costs
    taken = await ledger.post("/v1/usage", [item("tom", "call-2", method="eth_getLogs")])
    assert taken.json()["items"][0]["code"] == "unknown_meter"


async def test_the_guide_shows_what_is_answered(ledger: World):
    assert await told(ledger) == SHOWN
