"""Usage over HTTP: items count once, add up exactly, burn credits, and can be proved."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from flamewire_ledger.billing.pricing import total
from flamewire_ledger.billing.rating import adjust, price_list_from_data, rate
from flamewire_ledger.domain.money import Asset
from flamewire_ledger.queries.usage import usage_of_period
from flamewire_ledger.store.merkle import leaf_hash, root_from_path
from tests.api.world import NOON, World

SOURCE = "gateway-1"
USD = Asset("USD", 2)


async def account(ledger: World, credits_: str | None = None, **given: object) -> str:
    made = (await ledger.post("/v1/credit_accounts", given)).json()["id"]
    if credits_:
        body = {"amount": credits_, "source": "granted"}
        assert (await ledger.post(f"/v1/credit_accounts/{made}/grants", body)).status_code == 201
    return made


async def meter(ledger: World, aggregation: str = "count", **given: object) -> str:
    body = {"name": "Calls", "event_type": "rpc.call", "aggregation": aggregation, **given}
    if aggregation != "count":
        body.setdefault("value_key", "value")
    response = await ledger.post("/v1/meters", body)
    assert response.status_code == 201, response.text
    return response.json()["id"]


def item(
    subject: str, id_: str, *, at: datetime = NOON, kind: str = "rpc.call", **data: Any
) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": id_,
        "source": SOURCE,
        "type": kind,
        "subject": subject,
        "time": at.isoformat().replace("+00:00", "Z"),
        "data": data,
    }


async def sent(ledger: World, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    response = await ledger.post("/v1/usage", list(items))
    assert response.status_code == 200, response.text
    return response.json()


async def used(ledger: World, account_id: str, **query: str) -> list[dict[str, Any]]:
    january = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
    asked = {"account": account_id, "granularity": "none", **january, **query}
    response = await ledger.get("/v1/usage", **asked)
    assert response.status_code == 200, response.text
    return response.json()["data"]


def codes(answer: dict[str, Any]) -> list[str]:
    return [it if isinstance(it, str) else it["code"] for it in answer["items"]]


async def test_items_of_one_account_become_one_event_and_count_once(ledger: World):
    calls = await meter(ledger, group_by=["method"])
    tom = await account(ledger)
    items = [item(tom, f"c{n}", method="eth_call" if n % 3 else "eth_getLogs") for n in range(9)]
    first = await sent(ledger, items)
    assert codes(first) == ["accepted"] * 9
    again = await sent(ledger, [*items[3:], item(tom, "new", method="eth_call")])
    assert codes(again) == [*["duplicate"] * 6, "accepted"]
    assert (again["accepted"], again["duplicates"], again["rejected"]) == (1, 6, 0)
    assert (await ledger.types()).count("usage.recorded.v1") == 2
    lines = await used(ledger, tom, group_by="method")
    assert [(it["meter_id"], it["group"], it["quantity"]) for it in lines] == [
        (calls, {"method": "eth_call"}, "7"),
        (calls, {"method": "eth_getLogs"}, "3"),
    ]


async def test_every_aggregation_adds_up_its_own_way(ledger: World):
    tom = await account(ledger)
    names = ("count", "sum", "max", "min", "average", "unique", "latest", "weighted_sum")
    meters = {await meter(ledger, name, name=name): name for name in names}
    items = [
        item(tom, "a", at=NOON - timedelta(hours=2), value="0.1"),
        item(tom, "b", at=NOON - timedelta(hours=1), value=0.2),
        item(tom, "c", at=NOON - timedelta(minutes=30), value=0.2),
    ]
    await sent(ledger, items[1:])
    await sent(ledger, items[:1])  # came last, happened first
    found = {meters[it["meter_id"]]: it["quantity"] for it in await used(ledger, tom)}
    assert found == {
        "count": "3",
        "sum": "0.5",
        "max": "0.2",
        "min": "0.1",
        "average": "0.166666666666666667",
        "unique": "2",
        "latest": "0.2",
        "weighted_sum": "1080",  # 0.1 × 3600 s + 0.2 × 3600 s, until noon
    }


async def test_usage_burns_credits_in_the_same_append(ledger: World):
    await meter(ledger, credit_price={"model": "standard", "unit_price": "0.5"})
    tom = await account(ledger, "10")
    answer = await sent(ledger, [item(tom, f"{n}") for n in range(4)])
    assert answer["accepted"] == 4
    read = (await ledger.get(f"/v1/credit_accounts/{tom}")).json()
    assert read["balance"]["available"] == "8.000000"
    events = (await ledger.events())[-2:]
    assert [it.type for it in events] == ["credit_account.consumed.v1", "usage.recorded.v1"]
    assert events[0].command_id == events[1].command_id
    assert answer["position"] == events[1].position


async def test_what_credits_do_not_cover_goes_by_the_policy_of_its_meter(ledger: World):
    price = {"model": "standard", "unit_price": "1"}
    for policy in ("reject", "overage", "record_unpaid"):
        await meter(ledger, event_type=policy, credit_price=price, on_insufficient=policy)
    tom = await account(ledger, "2", overage_max="1")
    refused = await sent(ledger, [item(tom, f"r{n}", kind="reject") for n in range(3)])
    assert codes(refused) == ["insufficient_credits"] * 3
    over = await sent(ledger, [item(tom, f"o{n}", kind="overage") for n in range(3)])
    assert over["accepted"] == 3
    unpaid = await sent(ledger, [item(tom, f"u{n}", kind="record_unpaid") for n in range(3)])
    assert unpaid["accepted"] == 3
    read = (await ledger.get(f"/v1/credit_accounts/{tom}")).json()
    assert (read["balance"]["available"], read["balance"]["owed"]) == ("0.000000", "1.000000")
    assert json.loads((await ledger.events())[-1].data)["unpaid"]["units"] == "3000000"


async def test_what_was_refused_can_be_sent_again_when_there_are_credits(ledger: World):
    await meter(ledger, credit_price={"model": "standard", "unit_price": "1"})
    tom = await account(ledger)
    items = [item(tom, f"{n}") for n in range(2)]
    assert codes(await sent(ledger, items)) == ["insufficient_credits"] * 2
    body = {"amount": "5", "source": "granted"}
    await ledger.post(f"/v1/credit_accounts/{tom}/grants", body)
    assert codes(await sent(ledger, items)) == ["accepted"] * 2


async def test_what_others_claim_and_are_refused_all_the_time_is_no_duplicate(
    ledger: World, monkeypatch: pytest.MonkeyPatch
):
    """Whoever is told so sends it no more, and it would count for nobody."""
    await meter(ledger)
    tom = await account(ledger)
    items, others = ledger.parts.usage_items, iter(range(9))
    claim = items.claim
    quarrels = 2

    async def claimed_by_others(merchant_id: str, at: datetime, meters: Any, batches: Any) -> Any:
        number = next(others)
        if number >= quarrels:
            return await claim(merchant_id, at, meters, batches)
        (batch,) = batches
        theirs = replace(batch, batch_id=UUID(int=number))
        await claim(merchant_id, at, meters, [theirs])
        taken = await claim(merchant_id, at, meters, batches)
        await items.settle({theirs.batch_id: 0}, theirs.keys)
        return taken

    monkeypatch.setattr(items, "claim", claimed_by_others)
    assert codes(await sent(ledger, [item(tom, "one")])) == ["accepted"]
    quarrels = 9
    response = await ledger.post("/v1/usage", [item(tom, "two")])
    assert response.status_code == 503, "send it again"


async def test_the_last_of_a_grant_is_said(ledger: World):
    await meter(ledger, credit_price={"model": "standard", "unit_price": "1"})
    tom = await account(ledger, "2")
    await sent(ledger, [item(tom, f"{n}") for n in range(2)])
    assert (await ledger.types()).count("usage.grant_used_up.v1") == 1


async def test_an_item_can_be_proved_from_what_was_sent(ledger: World):
    await meter(ledger)
    tom = await account(ledger)
    items = [item(tom, f"i{n}") for n in range(7)]
    headers = {"Authorization": f"Bearer {ledger.secret}", "Content-Type": "application/x-ndjson"}
    lines = [json.dumps(it) for it in items]
    await ledger.client.post("/v1/usage", content="\n".join(lines), headers=headers)
    for number in (0, 4, 6):
        proof = (await ledger.get(f"/v1/usage/proofs/{SOURCE}/i{number}")).json()
        leaf = leaf_hash(lines[number].encode())
        path = [bytes.fromhex(each) for each in proof["path"]]
        root = root_from_path(leaf, proof["index"], proof["leaves"], path).hex()
        recorded = (await ledger.events())[proof["position"] - 1]
        assert recorded.type == "usage.recorded.v1"
        (bundle,) = json.loads(recorded.data)["bundles"]
        assert root == proof["root"] == bundle["root"]
    asked = await ledger.get("/v1/usage/proofs", source=SOURCE, id="i6")
    assert asked.json() == proof
    assert (await ledger.get(f"/v1/usage/proofs/{SOURCE}/nobody")).status_code == 404


async def test_a_hard_limit_refuses_and_thresholds_are_said_once_a_period(ledger: World):
    calls = await meter(ledger)
    tom = await account(ledger)
    path = f"/v1/credit_accounts/{tom}/usage_limits"
    body = {"meter_id": calls, "period": "day", "hard": "10", "soft": "4"}
    assert (await ledger.post(path, body)).status_code == 200
    await sent(ledger, [item(tom, f"a{n}") for n in range(5)])
    over = await sent(ledger, [item(tom, f"b{n}") for n in range(6)])
    assert codes(over) == ["limit_reached"] * 6
    await sent(ledger, [item(tom, f"c{n}") for n in range(5)])
    told = (await ledger.get(path)).json()
    said = [(it["bound"], it["percent"]) for it in reversed(told["thresholds"])]
    assert sorted(said) == sorted(
        [(bound, percent) for bound in ("soft", "hard") for percent in (50, 80, 100)]
    )
    ledger.clock.turn(days=1)
    tomorrow = NOON + timedelta(days=1)
    await sent(ledger, [item(tom, f"d{n}", at=tomorrow) for n in range(2)])
    told = (await ledger.get(path)).json()
    assert len(told["thresholds"]) == 7
    assert (await ledger.post(f"{path}/remove", {"meter_id": calls, "period": "day"})).json()[
        "hard"
    ] is None
    assert (await ledger.get(path)).json()["data"] == []


async def test_late_usage_belongs_to_its_time_and_is_told_apart(ledger: World):
    await meter(ledger)
    tom = await account(ledger)
    await sent(ledger, [item(tom, "a"), item(tom, "b")])
    ledger.clock.turn(days=2)
    await sent(ledger, [item(tom, "late")])
    (line,) = await used(ledger, tom)
    assert (line["quantity"], line["late_quantity"], line["late_items"]) == ("3", "1", 1)
    (then,) = await used(ledger, tom, recorded_to="2026-02-01T00:00:00Z")
    assert then["quantity"] == "2"


async def test_an_archived_meter_counts_nothing_more(ledger: World):
    calls = await meter(ledger)
    tom = await account(ledger)
    assert (await sent(ledger, [item(tom, "a")]))["accepted"] == 1
    archived = (await ledger.post(f"/v1/meters/{calls}/archive")).json()
    assert archived["status"] == "archived"
    assert codes(await sent(ledger, [item(tom, "b")])) == ["unknown_meter"]
    assert (await ledger.get(f"/v1/meters/{calls}")).json()["status"] == "archived"
    assert [it["id"] for it in (await ledger.get("/v1/meters")).json()["data"]] == [calls]


async def test_another_merchants_accounts_and_meters_are_none(ledger: World):
    calls = await meter(ledger)
    tom = await account(ledger)
    other = ledger.key(await ledger.merchant("other"))
    answer = await ledger.post("/v1/usage", [item(tom, "a")], key=other)
    assert codes(answer.json()) == ["unknown_subject"]
    assert (await ledger.get(f"/v1/meters/{calls}", key=other)).status_code == 404
    assert (await ledger.get("/v1/usage", key=other, account=tom)).status_code == 404


async def test_a_period_is_rated_into_lines_by_one_question_and_late_usage_is_a_difference(
    ledger: World,
):
    calls = await meter(ledger, group_by=["method"])
    tom = await account(ledger)
    await sent(ledger, [item(tom, f"a{n}", method="eth_call") for n in range(150)])
    prices = price_list_from_data(
        {
            "entries": [
                {
                    "meter_id": calls,
                    "name": "calls",
                    "price": {
                        "model": "graduated",
                        "tiers": [
                            {"up_to": "100", "unit_price": "0.10"},
                            {"unit_price": "0.05"},
                        ],
                    },
                }
            ]
        },
        USD,
    )
    period = (NOON.replace(day=1, hour=0), datetime(2026, 2, 1, tzinfo=NOON.tzinfo))
    await ledger.get("/v1/usage", account=tom)  # waits for the read model
    asked = 0
    ask = ledger.reads.ask

    async def counted(*given: Any) -> Any:
        nonlocal asked
        asked += 1
        return await ask(*given)

    ledger.reads.ask = counted
    billed = await usage_of_period(ledger.reads, ledger.merchant_id, tom, *period)
    assert asked == 1
    assert total(rate(billed, prices, USD), USD).text == "12.50"
    ledger.clock.turn(days=2)
    await sent(ledger, [item(tom, f"late{n}", method="eth_call") for n in range(10)])
    await ledger.get("/v1/usage", account=tom)
    before = await usage_of_period(
        ledger.reads, ledger.merchant_id, tom, *period, recorded_before=period[1]
    )
    after = await usage_of_period(ledger.reads, ledger.merchant_id, tom, *period)
    assert before == billed
    assert total(adjust(before, after, prices, USD).owed, USD).text == "0.50"
