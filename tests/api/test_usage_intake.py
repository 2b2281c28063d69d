"""What of usage is taken and what is refused: each item for itself, and what is bounded."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from typing import Any

import pytest

from flamewire_ledger.api import meters
from flamewire_ledger.api import usage as ingestion
from flamewire_ledger.domain import usage
from tests.api.test_usage import account, codes, item, meter, sent, used
from tests.api.world import NOON, World


async def test_an_id_that_is_given_twice_counts_once_and_is_no_duplicate(ledger: World):
    await meter(ledger, "sum")
    tom = await account(ledger, external_id="tom")
    ada = await account(ledger)
    await sent(ledger, [item(tom, "a", value=1), item(tom, "b", value=1)])
    later = NOON + timedelta(minutes=1)
    again = await sent(
        ledger,
        [
            item("tom", "a", at=NOON.astimezone(timezone(timedelta(hours=1))), value=1),
            item(tom, "b", value=2),
            item(ada, "a", value=1),
            item(tom, "b", at=later, value=1),
            item(tom, "c", value=4),
            item(ada, "c", value=4),
        ],
    )
    reused = "id_reused"
    assert codes(again) == ["duplicate", reused, reused, reused, "accepted", reused]
    assert [it["quantity"] for it in await used(ledger, tom)] == ["6"]
    assert await used(ledger, ada) == []


async def test_one_object_an_array_and_lines_are_taken_alike(ledger: World):
    await meter(ledger)
    tom = await account(ledger)
    bodies = {
        "application/cloudevents+json": json.dumps(item(tom, "a"), indent=2),
        "application/cloudevents-batch+json": json.dumps([item(tom, "b"), item(tom, "c")]),
        "application/json": json.dumps([item(tom, "d")]),
        "application/x-ndjson": "\n".join(json.dumps(item(tom, it)) for it in ("e", "f")) + "\n",
    }
    taken = 0
    for media_type, body in bodies.items():
        headers = {"Authorization": f"Bearer {ledger.secret}", "Content-Type": media_type}
        answer = await ledger.client.post("/v1/usage", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        taken += answer.json()["accepted"]
    assert taken == 6
    wrong = await ledger.client.post(
        "/v1/usage",
        content="a",
        headers={"Authorization": f"Bearer {ledger.secret}", "Content-Type": "text/csv"},
    )
    assert wrong.status_code == 415


async def test_what_cannot_be_counted_is_refused_for_itself_with_the_reason(ledger: World):
    await meter(ledger, "sum")
    tom = await account(ledger, external_id="tom")
    broken = {**item(tom, "x"), "specversion": "0.3"}
    answer = await sent(
        ledger,
        [
            item("tom", "1", value=2),
            item("nobody", "2", value=2),
            item(tom, "3", kind="other", value=2),
            item(tom, "4", value="two"),
            item(tom, "5", value=-1),
            item(tom, "6", value=1e300),
            item(tom, "7", at=NOON + timedelta(minutes=6), value=1),
            item(tom, "8", at=NOON - timedelta(days=36), value=1),
            broken,
            item("tom", "1", value=2),
            item("tom", "1", value=3),
            item(tom, "9", value="0.5"),
        ],
    )
    assert codes(answer) == [
        "accepted",
        "unknown_subject",
        "unknown_meter",
        "bad_value",
        "bad_value",
        "bad_value",
        "in_the_future",
        "too_old",
        "malformed",
        "duplicate",
        "id_reused",
        "accepted",
    ]
    assert [it["quantity"] for it in await used(ledger, tom)] == ["2.5"]


async def test_more_items_than_are_taken_at_once_are_413(ledger: World):
    answer = await ledger.post("/v1/usage", [item("x", f"{n}") for n in range(10_001)])
    assert (answer.status_code, answer.json()["code"]) == (413, "batch_too_large")


async def test_items_that_count_too_often_at_once_are_413(
    ledger: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ingestion, "COUNTS_MAX", 5)
    for _ in range(2):
        await meter(ledger)
    tom = await account(ledger)
    items = [item(tom, f"{n}") for n in range(3)]
    answer = await ledger.post("/v1/usage", items)
    assert (answer.status_code, answer.json()["code"]) == (413, "batch_too_large")
    assert (await sent(ledger, items[:2]))["accepted"] == 2


async def test_meters_that_make_no_sense_are_refused_with_the_field(ledger: World):
    base = {"name": "m", "event_type": "t"}
    for given, pointer in (
        ({"aggregation": "sum"}, "/value_key"),
        ({"aggregation": "count", "value_key": "v"}, "/value_key"),
        ({"aggregation": "count", "group_by": ["a", "a"]}, "/group_by"),
        (
            {"aggregation": "count", "credit_price": {"model": "standard", "unit_price": "-1"}},
            "/credit_price/unit_price",
        ),
        (
            {
                "aggregation": "max",
                "value_key": "v",
                "credit_price": {"model": "standard", "unit_price": "1"},
            },
            "/credit_price",
        ),
    ):
        answer = await ledger.post("/v1/meters", {**base, **given})
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == pointer


async def test_no_more_meters_are_defined_than_are_looked_at(
    ledger: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(meters, "METERS_MAX", 2)
    first = await meter(ledger)
    await meter(ledger)
    body = {"name": "Calls", "event_type": "rpc.call", "aggregation": "count"}
    refused = await ledger.post("/v1/meters", body)
    assert (refused.status_code, refused.json()["code"]) == (429, "limit_reached")
    await ledger.post(f"/v1/meters/{first}/archive")
    await meter(ledger)


async def test_a_subject_that_means_two_accounts_is_not_guessed(ledger: World):
    await meter(ledger)
    await account(ledger, external_id="twins")
    await account(ledger, external_id="twins")
    assert codes(await sent(ledger, [item("twins", "a")])) == ["ambiguous_subject"]


async def test_what_cannot_be_recorded_is_said_for_itself_and_the_rest_is_taken(
    ledger: World, monkeypatch: pytest.MonkeyPatch
):
    await meter(ledger)
    tom, ada = await account(ledger), await account(ledger)
    decide = usage.decide

    def broken(state: Any, command: Any) -> Any:
        if command.account_id == ada:
            raise RuntimeError("a fault of ours")
        return decide(state, command)

    with monkeypatch.context() as spoilt:
        spoilt.setattr(usage, "decide", broken)
        first = await sent(ledger, [item(tom, "a"), item(ada, "b")])
        again = await sent(ledger, [item(ada, "b"), item(tom, "a"), item(tom, "c")])
    assert codes(first) == ["accepted", "not_recorded_yet"]
    assert codes(again) == ["not_recorded_yet", "duplicate", "accepted"]

    assert codes(await sent(ledger, [item(ada, "b")])) == ["duplicate"]
    assert [it["quantity"] for it in await used(ledger, ada)] == ["1"]
