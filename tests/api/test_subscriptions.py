"""Subscriptions over HTTP, through months of the sandbox clock."""

from __future__ import annotations

import pytest

from tests.api.subscribing import DAY, PRO, Shop
from tests.api.world import World

BY_BANK = {"out_of_band": True, "reason": "by bank"}


@pytest.fixture
async def shop(ledger: World) -> Shop:
    return Shop(ledger)


async def test_a_subscription_begins_with_an_invoice_for_its_first_month(shop: Shop):
    await shop.plan()
    made = await shop.subscribe(quantity=2, reference="customer-1")
    assert (made["status"], made["plan"]["code"], made["plan"]["version"]) == ("active", "pro", 1)
    assert made["current_period"] == {
        "number": 1,
        "start": "2026-01-31T12:00:00Z",
        "end": "2026-02-28T12:00:00Z",
    }
    (invoice,) = await shop.invoices()
    assert (invoice["status"], invoice["total"]) == ("open", "60.00")
    assert invoice["credit_account_id"] == shop.account
    assert await shop.look(made) == {**made, "position": made["position"]}


async def test_three_months_at_once_are_three_invoices_in_order(shop: Shop):
    await shop.plan()
    made = await shop.subscribe()
    await shop.until("2026-04-30T12:00:00+00:00")
    invoices = await shop.invoices()
    starts = [it["lines"][0]["period"]["start"] for it in invoices]
    assert starts == [
        "2026-01-31T12:00:00Z",
        "2026-02-28T12:00:00Z",
        "2026-03-31T12:00:00Z",
        "2026-04-30T12:00:00Z",
    ]
    assert (await shop.look(made))["current_period"]["number"] == 4


async def test_a_trial_is_free_and_then_paid_for(shop: Shop):
    await shop.plan(
        trial_days=14, trial_credits="5", included_credits={"amount": "100"}, due_days=3
    )
    made = await shop.subscribe()
    assert (made["status"], made["trial_ends_at"]) == ("trialing", "2026-02-14T12:00:00Z")
    assert await shop.invoices() == []
    assert (await shop.balance())["available"] == "5.000000"
    seen = await shop.upcoming(made)
    await shop.later(14 * DAY)
    found = await shop.look(made)
    assert (found["status"], found["current_period"]["start"]) == ("active", "2026-02-14T12:00:00Z")
    (invoice,) = await shop.invoices()
    assert (invoice["id"], invoice["total"]) == (seen["invoice_id"], seen["total"])
    assert invoice["due_at"] == "2026-02-17T12:00:00Z"
    assert (await shop.balance())["available"] == "100.000000", "those of the trial have lapsed"


async def test_a_trial_that_is_canceled_in_time_costs_nothing(shop: Shop):
    await shop.plan(trial_days=14)
    made = await shop.subscribe()
    canceled = await shop.act(made, "cancel")
    assert canceled["cancel_at_period_end"]
    await shop.later(90 * DAY)
    assert (await shop.look(made))["status"] == "canceled"
    assert await shop.invoices() == []


async def test_an_upgrade_in_the_middle_is_billed_to_the_last_unit(shop: Shop):
    await shop.plan()
    await shop.plan(code="max", fixed_prices=[{"name": "Max plan", "amount": "99.99"}])
    made = await shop.subscribe()
    await shop.later(7 * DAY)  # a quarter of 28 days
    changed = await shop.act(made, "change_plan", plan="max")
    assert changed["plan"]["code"] == "max"
    _, invoice = await shop.invoices()
    assert [(it["description"], it["amount"], it["is_credit"]) for it in invoice["lines"]] == [
        ("Pro plan: not used", "22.50", True),
        ("Max plan", "75.00", False),  # 74.9925, and what is owed rounds up
    ]
    assert invoice["total"] == "52.50"
    await shop.until("2026-02-28T12:00:00+00:00")
    assert (await shop.invoices())[2]["total"] == "99.99"


async def test_a_change_may_wait_for_the_end_of_the_period(shop: Shop):
    await shop.plan()
    await shop.plan(code="mini", fixed_prices=[{"name": "Mini plan", "amount": "5"}])
    made = await shop.subscribe()
    later = await shop.act(made, "change_plan", plan="mini", quantity=3, when="period_end")
    assert (later["plan"]["code"], later["scheduled_change"]["plan"]["code"]) == ("pro", "mini")
    assert (await shop.look(made))["scheduled_change"]["quantity"] == 3
    await shop.until("2026-02-28T12:00:00+00:00")
    found = await shop.look(made)
    assert (found["plan"]["code"], found["quantity"]) == ("mini", 3)
    assert found["scheduled_change"] is None
    assert (await shop.invoices())[1]["total"] == "15.00"


async def test_subscribers_stay_on_the_version_they_have(shop: Shop):
    plan = await shop.plan()
    made = await shop.subscribe()
    terms = {name: value for name, value in PRO.items() if name != "code"}
    dearer = {**terms, "fixed_prices": [{"name": "Pro plan", "amount": "40"}]}
    revised = await shop.ledger.post(f"/v1/plans/{plan['id']}/revise", dearer)
    assert (revised.status_code, revised.json()["version"]) == (200, 2)
    await shop.until("2026-02-28T12:00:00+00:00")
    assert [it["total"] for it in await shop.invoices()] == ["30.00", "30.00"]
    await shop.act(made, "change_plan", plan="pro", when="period_end")
    await shop.until("2026-03-31T12:00:00+00:00")
    assert (await shop.invoices())[2]["total"] == "40.00"
    assert (await shop.ledger.get(f"/v1/plans/{plan['id']}")).json()["version"] == 2


async def test_an_archived_plan_is_sold_no_more_and_goes_on(shop: Shop):
    plan = await shop.plan()
    await shop.subscribe()
    archived = await shop.ledger.post(f"/v1/plans/{plan['id']}/archive")
    assert archived.json()["status"] == "archived"
    body = {"credit_account_id": shop.account, "plan": "pro"}
    assert (await shop.ledger.post("/v1/subscriptions", body)).status_code == 409
    await shop.until("2026-02-28T12:00:00+00:00")
    assert len(await shop.invoices()) == 2


async def test_an_annual_plan_gives_its_credits_every_month(shop: Shop):
    await shop.plan(
        code="year",
        interval={"unit": "year"},
        fixed_prices=[{"name": "Year", "amount": "360"}],
        included_credits={"amount": "10", "every": {"unit": "month"}},
    )
    await shop.subscribe("year")
    for moment in ("2026-02-28T12:00:00+00:00", "2026-03-31T12:00:00+00:00"):
        await shop.until(moment)
        balance = await shop.balance()
        assert balance["available"] == "10.000000", "what was left of the month before has lapsed"
    assert balance["granted"] == "30.000000"
    assert len(await shop.invoices()) == 1
    await shop.until("2027-01-31T12:00:00+00:00")
    assert [it["total"] for it in await shop.invoices()] == ["360.00", "360.00"]


async def test_enterprise_terms_commitment_and_net_days(shop: Shop):
    await shop.plan(
        code="big",
        interval={"unit": "month", "count": 3},
        commitment="5000",
        due_days=60,
        tax_rate="19",
    )
    made = await shop.subscribe("big")
    seen = await shop.upcoming(made)
    assert [it["description"] for it in seen["lines"]] == ["Commitment", "Pro plan"]
    assert (seen["net"], seen["tax"], seen["total"]) == ("5000.00", "950.00", "5950.00")
    await shop.until("2026-04-30T12:00:00+00:00")
    _, invoice = await shop.invoices()
    assert invoice["total"] == "5950.00"
    assert invoice["due_at"] == "2026-06-29T12:00:00Z"


async def test_an_unpaid_invoice_makes_it_past_due_and_then_pauses_it(shop: Shop):
    await shop.plan(due_days=3, unpaid_days=5, entitlements=[{"feature": "archive"}])
    made = await shop.subscribe()
    await shop.later(3 * DAY + 1)
    found = await shop.look(made)
    assert (found["status"], found["next_at"][:10]) == ("past_due", "2026-02-08")
    await shop.later(5 * DAY)
    assert (await shop.look(made))["status"] == "paused"
    assert not await entitled(shop, "archive")
    await shop.later(60 * DAY)
    (invoice,) = await shop.invoices()  # nothing is asked for while it is paused
    paid = await shop.ledger.post(f"/v1/invoices/{invoice['id']}/pay", BY_BANK)
    assert paid.status_code == 200, paid.text
    await shop.settle()
    found = await shop.look(made)
    assert (found["status"], found["past_due_at"]) == ("active", None)
    assert await entitled(shop, "archive")
    assert found["current_period"]["end"] > "2026-04", "what was left of the month is still to come"


async def test_an_unpaid_subscription_may_be_canceled_instead(shop: Shop):
    await shop.plan(due_days=3, unpaid_days=5, when_unpaid="cancel")
    made = await shop.subscribe()
    await shop.later(4 * DAY)
    await shop.later(5 * DAY)
    assert (await shop.look(made))["status"] == "canceled"
    await shop.later(90 * DAY)
    (invoice,) = await shop.invoices()
    assert invoice["amount_credited"] == "20.35", "19 of 28 days were left, rounded down"


async def test_what_is_paused_costs_nothing_and_resumes_by_itself(shop: Shop):
    await shop.plan()
    made = await shop.subscribe()
    await shop.later(7 * DAY)
    paused = await shop.act(made, "pause", resume_at="2026-03-07T12:00:00Z")
    assert paused["status"] == "paused"
    await shop.until("2026-03-20T12:00:00+00:00")
    found = await shop.look(made)
    assert (found["status"], found["current_period"]["end"]) == ("active", "2026-03-28T12:00:00Z")
    assert len(await shop.invoices()) == 1


async def test_canceling_now_gives_back_what_was_not_used(shop: Shop):
    await shop.plan()
    made = await shop.subscribe()
    (invoice,) = await shop.invoices()
    await shop.ledger.post(f"/v1/invoices/{invoice['id']}/pay", BY_BANK)
    await shop.later(7 * DAY)
    canceled = await shop.act(made, "cancel", when="now")
    assert canceled["status"] == "canceled"
    found = (await shop.ledger.get(f"/v1/invoices/{invoice['id']}")).json()
    assert found["amount_credited"] == "22.50"
    await shop.later(60 * DAY)
    assert len(await shop.invoices()) == 1
    again = await shop.ledger.post(f"/v1/subscriptions/{made['id']}/cancel", {"when": "now"})
    assert again.status_code == 200


async def test_what_a_person_gave_back_before_it_ends_is_not_given_back_again(shop: Shop):
    await shop.plan()
    made = await shop.subscribe()
    (invoice,) = await shop.invoices()
    gift = {"reason": "a gift", "lines": [{"line": 1, "amount": "20.00"}]}
    given = await shop.ledger.post(f"/v1/invoices/{invoice['id']}/credit_notes", gift)
    assert given.status_code == 201, given.text
    await shop.later(7 * DAY)
    await shop.act(made, "cancel", when="now")
    found = (await shop.ledger.get(f"/v1/invoices/{invoice['id']}")).json()
    assert found["amount_credited"] == found["total"] == "30.00"
    assert not shop.dead_letters.letters


async def test_a_scheduled_end_can_be_withdrawn(shop: Shop):
    await shop.plan()
    made = await shop.subscribe()
    await shop.act(made, "cancel")
    assert not (await shop.act(made, "resume"))["cancel_at_period_end"]
    await shop.until("2026-02-28T12:00:00+00:00")
    assert (await shop.look(made))["status"] == "active"


async def test_a_subscription_may_begin_later_or_have_begun(shop: Shop):
    await shop.plan()
    later = await shop.subscribe(start_at="2026-03-15T00:00:00Z")
    assert (later["status"], later["current_period"]) == ("scheduled", None)
    before = await shop.subscribe(start_at="2025-12-15T00:00:00Z")
    assert [it["lines"][0]["period"]["start"][:10] for it in await shop.invoices()] == [
        "2025-12-15",
        "2026-01-15",
    ]
    await shop.until("2026-03-15T00:00:00+00:00")
    assert (await shop.look(later))["status"] == "active"
    assert (await shop.look(before))["current_period"]["number"] == 4


async def test_features_come_with_a_plan_and_go_with_it(shop: Shop):
    await shop.plan(entitlements=[{"feature": "archive"}, {"feature": "traces"}])
    await shop.plan(code="mini", entitlements=[{"feature": "archive"}])
    made = await shop.subscribe()
    assert await entitled(shop, "traces")
    await shop.act(made, "change_plan", plan="mini")
    assert (await entitled(shop, "archive"), await entitled(shop, "traces")) == (True, False)
    await shop.act(made, "cancel", when="now")
    assert not await entitled(shop, "archive")


async def entitled(shop: Shop, feature: str) -> bool:
    found = await shop.ledger.get(f"/v1/entitlements/{shop.account}/{feature}")
    assert found.status_code == 200, found.text
    return bool(found.json()["entitled"])


async def test_lists_are_of_one_status_account_or_plan(shop: Shop):
    plan = await shop.plan()
    one, two = await shop.subscribe(), await shop.subscribe(quantity=2)
    await shop.act(one, "cancel", when="now")
    for query, ids in (
        ({"status": "active"}, [two["id"]]),
        ({"plan": plan["id"]}, [two["id"], one["id"]]),
        ({"credit_account_id": "ca_x"}, []),
    ):
        found = (await shop.ledger.get("/v1/subscriptions", **query)).json()["data"]
        assert [it["id"] for it in found] == ids
    assert [
        it["code"] for it in (await shop.ledger.get("/v1/plans", code="pro")).json()["data"]
    ] == ["pro"]


@pytest.mark.parametrize(
    ("terms", "pointer"),
    [
        ({"interval": {"unit": "month", "count": 121}}, "/interval/count"),
        ({"currency": "XXXX"}, "/currency"),
        ({"fixed_prices": [{"name": "x", "amount": "1.001"}]}, "/fixed_prices/0/amount"),
        ({"fixed_prices": []}, "/fixed_prices"),
        ({"trial_credits": "5"}, "/trial_credits"),
        ({"code": "Pro"}, "/code"),
        (
            {"metered_prices": [{"name": "x", "meter_id": "me_x", "price": {"model": "free"}}]},
            "/metered_prices/0/price/model",
        ),
        (
            {"included_credits": {"amount": "1", "every": {"unit": "year"}}},
            "/included_credits/every",
        ),
        ({"entitlements": [{"feature": "a", "kind": "quantity"}]}, "/entitlements/0/kind"),
    ],
)
async def test_a_plan_that_cannot_be_is_refused_with_the_field(
    door: World, terms: dict, pointer: str
):
    refused = await door.post("/v1/plans", {**PRO, **terms})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == pointer


async def test_another_merchants_plans_and_subscriptions_are_not_there(shop: Shop):
    plan = await shop.plan()
    made = await shop.subscribe()
    other = shop.ledger.key(await shop.ledger.merchant("other"))
    for path in (f"/v1/plans/{plan['id']}", f"/v1/subscriptions/{made['id']}"):
        assert (await shop.ledger.get(path, key=other)).status_code == 404
    for what in ("cancel", "pause", "resume"):
        path = f"/v1/subscriptions/{made['id']}/{what}"
        assert (await shop.ledger.post(path, {}, key=other)).status_code == 404


async def test_a_tax_rate_that_no_invoice_takes_is_refused_with_the_plan(shop: Shop):
    for rate in ("1000.5", "19.1234567"):
        refused = await shop.ledger.post("/v1/plans", {**PRO, "tax_rate": rate})
        assert (refused.status_code, refused.json()["code"]) == (422, "malformed"), refused.text
        assert refused.json()["errors"][0]["pointer"] == "/tax_rate"
    made = await shop.ledger.post("/v1/plans", {**PRO, "tax_rate": "19.00"})
    assert made.json()["tax_rate"] == "19"


async def test_whoever_is_billed_is_named_on_its_invoices_which_are_sent_there(shop: Shop):
    who = {
        "name": "Ada Labs",
        "email": "ada@example.com",
        "tax_id": "GB999999973",
        "address": {"line1": "Mill Lane 1", "city": "London", "country": "GB"},
    }
    await shop.plan()
    made = await shop.subscribe(bill_to=who)
    assert made["bill_to"]["address"]["country"] == "GB"
    assert await shop.look(made) == {**made, "position": made["position"]}
    await shop.until("2026-02-28T12:00:00+00:00")
    for invoice in await shop.invoices():
        assert invoice["customer"]["name"] == "Ada Labs"
        assert invoice["customer"]["credit_account_id"] == shop.account
        assert invoice["delivery"]["status"] == "waiting"
