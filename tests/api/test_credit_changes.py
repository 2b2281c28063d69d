"""Refunds, transfers, allowances and recurring grants over HTTP; what is read is what was folded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flamewire_ledger.processes.deadlines import Deadlines
from tests.api.test_credit_accounts import account, granted
from tests.api.world import World


async def agreed(ledger: World, path: str) -> dict[str, Any]:
    """The account by its read model, once that says what the account's own events say."""
    read = (await ledger.get(path)).json()
    told = (await ledger.get(path, as_of=len(await ledger.events()))).json()
    explained = (await ledger.get(f"{path}/explain", limit=100)).json()
    assert read["balance"] == told["balance"] == explained["balance"]
    assert read["grants"] == told["grants"]
    assert read["overage_max"] == told["overage_max"]
    sums = {it["id"]: it["available"] for it in explained["grants"]}
    assert all(sums[grant["id"]] == grant["remaining"] for grant in read["grants"])
    return read


async def consumed(ledger: World, path: str, amount: str, reference: str = "call") -> dict:
    response = await ledger.post(f"{path}/consume", {"amount": amount, "reference": reference})
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_refund_goes_to_the_grants_that_were_burnt_the_last_first(ledger: World):
    path = await account(ledger)
    first = await granted(ledger, path, "5", priority=1)
    second = await granted(ledger, path, "5", priority=2)
    burnt = await consumed(ledger, path, "7")
    await granted(ledger, path, "9", priority=0)  # would burn first today

    refund = await ledger.post(
        f"{path}/refunds", {"entry": str(burnt["position"]), "amount": "3", "reason": "outage"}
    )

    assert refund.status_code == 201, refund.text
    assert [(it["grant_id"], it["amount"]) for it in refund.json()["slices"]] == [
        (second["id"], "2.000000"),
        (first["id"], "1.000000"),
    ]
    assert (await agreed(ledger, path))["balance"]["consumed"] == "4.000000"


async def test_no_more_is_refunded_than_was_consumed(ledger: World):
    path = await account(ledger)
    await granted(ledger, path, "5")
    burnt = await consumed(ledger, path, "4")
    body = {"entry": str(burnt["position"])}
    assert (await ledger.post(f"{path}/refunds", {**body, "amount": "3"})).status_code == 201
    too_much = await ledger.post(f"{path}/refunds", {**body, "amount": "1.000001"})
    assert too_much.status_code == 409
    rest = await ledger.post(f"{path}/refunds", body)
    assert rest.json()["amount"] == "1.000000"
    assert (await ledger.post(f"{path}/refunds", body)).status_code == 409
    assert (await agreed(ledger, path))["balance"]["available"] == "5.000000"


async def test_the_same_refund_twice_is_one(ledger: World):
    path = await account(ledger)
    await granted(ledger, path, "5")
    body = {"entry": str((await consumed(ledger, path, "4"))["position"]), "amount": "1"}
    first = await ledger.post(f"{path}/refunds", body, once="twice")
    again = await ledger.post(f"{path}/refunds", body, once="twice")
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await agreed(ledger, path))["balance"]["consumed"] == "3.000000"


async def test_a_consumption_is_found_by_its_reference_when_it_is_the_only_one(ledger: World):
    path = await account(ledger)
    await granted(ledger, path, "5")
    await consumed(ledger, path, "1", "one")
    await consumed(ledger, path, "1", "two")
    await consumed(ledger, path, "1", "two")
    refunds = f"{path}/refunds"
    assert (await ledger.post(refunds, {"reference": "one"})).status_code == 201
    assert (await ledger.post(refunds, {"reference": "two"})).status_code == 409
    assert (await ledger.post(refunds, {"reference": "three"})).status_code == 404
    assert (await ledger.post(refunds, {})).status_code == 422


async def test_what_belongs_to_another_account_is_no_entry_of_this_one(ledger: World):
    path, other = await account(ledger), await account(ledger)
    await granted(ledger, other, "5")
    burnt = await consumed(ledger, other, "1")
    body = {"entry": str(burnt["position"])}
    assert (await ledger.post(f"{path}/refunds", body)).status_code == 404


async def test_what_expired_meanwhile_lapses_at_once(ledger: World):
    path = await account(ledger)
    await granted(ledger, path, "5", expires_at="2026-02-01T00:00:00Z")
    burnt = await consumed(ledger, path, "4")
    ledger.clock.turn(days=2)
    refund = await ledger.post(f"{path}/refunds", {"entry": str(burnt["position"])})
    assert (refund.json()["amount"], refund.json()["lapsed"]) == ("4.000000", "4.000000")
    balance = (await ledger.get(path)).json()["balance"]
    assert (balance["available"], balance["expired"]) == ("0.000000", "5.000000")


async def test_what_was_owed_is_owed_no_more_or_goes_to_who_settled_it(ledger: World):
    path = await account(ledger, overage_max="10")
    burnt = await consumed(ledger, path, "6")
    later = await granted(ledger, path, "4")  # settles four of six
    refund = await ledger.post(f"{path}/refunds", {"entry": str(burnt["position"])})
    said = refund.json()
    assert said["no_longer_owed"] == "2.000000"
    assert [(it["grant_id"], it["amount"]) for it in said["settled"]] == [(later["id"], "4.000000")]
    balance = (await agreed(ledger, path))["balance"]
    assert (balance["available"], balance["owed"]) == ("4.000000", "0.000000")


async def test_a_transfer_keeps_what_was_promised_of_the_grants(ledger: World):
    path, other = await account(ledger), await account(ledger)
    terms = {"expires_at": "2026-03-01T00:00:00Z", "priority": 7}
    first = await granted(ledger, path, "5", source="promotion", **terms)
    await granted(ledger, path, "5", source="granted")
    held = await ledger.post(f"{path}/holds", {"amount": "1"})
    to = other.rpartition("/")[2]

    moved = await ledger.post(f"{path}/transfers", {"to": to, "amount": "6", "reference": "team"})

    assert moved.status_code == 201, moved.text
    assert [
        (it["from_grant_id"] == first["id"], it["amount"]) for it in moved.json()["grants"]
    ] == [
        (True, "4.000000"),
        (False, "2.000000"),
    ]
    kept = (await agreed(ledger, other))["grants"][0]
    assert (kept["source"], kept["priority"], kept["expires_at"]) == (
        "promotion",
        7,
        terms["expires_at"],
    )
    left = (await agreed(ledger, path))["balance"]
    assert (left["available"], left["held"], left["transferred_out"]) == (
        "3.000000",
        "1.000000",
        "6.000000",
    )
    assert held.json()["balance"]["held"] == left["held"]
    line = (await ledger.get(f"{other}/entries")).json()["data"][0]
    assert (line["kind"], line["available"]) == ("transferred_in", "6.000000")
    books = (await ledger.get("/v1/balances", account=f"credits:available:{to}")).json()
    assert books["data"][0]["balance"] == "6.000000"


async def test_a_transfer_that_cannot_be_is_refused(door: World):
    path, other = await account(door), await account(door)
    await granted(door, path, "5")
    to = other.rpartition("/")[2]
    transfers = f"{path}/transfers"
    assert (await door.post(transfers, {"to": to, "amount": "6"})).status_code == 402
    same = {"to": path.rpartition("/")[2], "amount": "1"}
    assert (await door.post(transfers, same)).status_code == 422
    stranger = await door.merchant("other")
    key = door.key(stranger)
    assert (await door.post(transfers, {"to": to, "amount": "1"}, key=key)).status_code == 404
    assert "credit_account.transferred_out.v1" not in await door.types()


async def test_an_allowance_is_changed_and_said(ledger: World):
    path = await account(ledger)
    assert (await ledger.post(f"{path}/consume", {"amount": "1"})).status_code == 402
    changed = await ledger.post(f"{path}/overage", {"overage_max": "2", "reason": "trusted"})
    assert changed.json()["overage_max"] == "2.000000"
    await consumed(ledger, path, "1.5")
    await ledger.post(f"{path}/overage", {"overage_max": "1"})
    assert (await ledger.post(f"{path}/consume", {"amount": "0.1"})).status_code == 402
    assert (await agreed(ledger, path))["balance"]["owed"] == "1.500000"


async def swept(ledger: World) -> list[str]:
    """What the deadlines have done by now."""
    before = len(await ledger.events())
    await ledger.get("/v1/credit_accounts", min_position=before)
    clocks = {False: ledger.clock}
    await Deadlines(ledger.reads, ledger.writer, clocks).sweep(livemode=False)
    events = (await ledger.events())[before:]
    return [event.type.split(".")[1] for event in events]


async def test_a_rule_grants_each_period_once_also_behind_an_outage(ledger: World):
    path = await account(ledger)
    rule = (await ledger.post(f"{path}/recurring_grants", {"amount": "10", "every": "day"})).json()
    assert await swept(ledger) == ["granted"]
    assert await swept(ledger) == []
    ledger.clock.turn(days=3, hours=1)
    assert await swept(ledger) == ["granted"] * 3
    assert (await agreed(ledger, path))["balance"]["available"] == "40.000000"
    listed = (await ledger.get(f"{path}/recurring_grants")).json()["data"]
    assert [it["next_at"] for it in listed] == ["2026-02-04T12:00:00Z"]
    canceled = await ledger.post(f"{path}/recurring_grants/{rule['id']}/cancel", {})
    assert canceled.json()["status"] == "canceled"
    ledger.clock.turn(days=3)
    assert await swept(ledger) == []
    listed = (await ledger.get(f"{path}/recurring_grants")).json()["data"]
    assert [it["status"] for it in listed] == ["canceled"]


async def test_periods_that_have_lapsed_meanwhile_are_skipped(ledger: World):
    path = await account(ledger)
    body = {"amount": "10", "every": "day", "expires_after_seconds": 86_400}
    await ledger.post(f"{path}/recurring_grants", body)
    assert await swept(ledger) == ["granted"]
    ledger.clock.turn(days=5, hours=1)
    assert sorted(await swept(ledger)) == ["grant_expired", "granted", "recurring_grant_skipped"]
    assert (await agreed(ledger, path))["balance"]["available"] == "10.000000"


async def test_warnings_come_once_each_and_only_the_nearest_behind_an_outage(ledger: World):
    path = await account(ledger)
    await granted(ledger, path, "10", expires_at="2026-03-31T12:00:00Z")
    empty = await granted(ledger, path, "1", expires_at="2026-03-30T12:00:00Z")
    await consumed(ledger, path, "1")
    assert await swept(ledger) == []
    ledger.clock.turn(days=29, minutes=1)  # 30 days before
    assert await swept(ledger) == ["expiry_warned"]
    assert await swept(ledger) == []
    ledger.clock.turn(days=29)  # both others are past; a day is left
    assert await swept(ledger) == ["expiry_warned"]
    assert await swept(ledger) == []
    warned = [it for it in await ledger.events() if it.type.endswith("expiry_warned.v1")]
    facts = [ledger.codec.decode(it) for it in warned]
    assert [fact.days for fact in facts] == [30, 1]
    assert empty["id"] not in {fact.grant_id for fact in facts}


@pytest.mark.parametrize("command", ["refund_credits", "transfer_credits"])
async def test_refunds_and_transfers_come_in_batches_too(ledger: World, command: str):
    path, other = await account(ledger), await account(ledger)
    await granted(ledger, path, "5")
    burnt = await consumed(ledger, path, "4")
    params = {
        "refund_credits": {"entry": str(burnt["position"])},
        "transfer_credits": {"to": other.rpartition("/")[2], "amount": "1"},
    }[command]
    line = {
        "id": "line-1",
        "command": command,
        "params": {"credit_account_id": path.rpartition("/")[2], **params},
    }
    response = await ledger.client.post(
        "/v1/batch",
        content=json.dumps(line),
        headers={
            "Authorization": f"Bearer {ledger.secret}",
            "Content-Type": "application/x-ndjson",
        },
    )
    assert json.loads(response.text)["status"] == "ok", response.text
    await agreed(ledger, path)
