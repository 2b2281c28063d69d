"""Bills of subscriptions: usage, previews that come true, and processes that are killed half way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flamewire_ledger.billing import subscriptions as billing
from flamewire_ledger.commands.decider import Envelope, Failed, Outcome
from flamewire_ledger.processes.dunning import Dunning
from flamewire_ledger.processes.reaction import Reactions
from flamewire_ledger.processes.reactor import Reactor
from flamewire_ledger.processes.subscribing import SubscriptionBilling
from flamewire_ledger.store.event_store import StoreUnavailable
from tests.api.subscribing import DAY, Shop
from tests.api.test_invoices import react, succeed, take_back
from tests.api.world import World
from tests.billing.subscribers import (
    CALLS,
    MONTHLY_CREDITS,
    NEW_YEAR,
    Story,
    begun,
    plan,
    usd,
    yearly,
)


@pytest.fixture
async def shop(ledger: World) -> Shop:
    return Shop(ledger)


async def meter(shop: Shop) -> str:
    body = {"name": "Calls", "event_type": "call", "aggregation": "count"}
    made = await shop.ledger.post("/v1/meters", body)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def call(shop: Shop, at: str, number: int) -> None:
    """So many calls at that time."""
    items = [
        {
            "specversion": "1.0",
            "id": f"{at}/{index}",
            "source": "/gateway",
            "type": "call",
            "subject": shop.account,
            "time": at,
            "data": {},
        }
        for index in range(number)
    ]
    taken = await shop.ledger.post("/v1/usage", items)
    assert taken.status_code == 200, taken.text


async def metered_plan(shop: Shop, **terms: Any) -> dict[str, Any]:
    price = {
        "model": "graduated",
        "tiers": [{"up_to": "5", "unit_price": "0"}, {"unit_price": "1.25"}],
    }
    metered = [{"name": "Calls", "meter_id": await meter(shop), "price": price}]
    return await shop.plan(metered_prices=metered, **terms)


async def test_usage_is_billed_with_the_period_it_was_in(shop: Shop):
    await metered_plan(shop)
    made = await shop.subscribe()
    await shop.later(7 * DAY)
    await call(shop, "2026-02-07T10:30:00Z", 9)
    seen = await shop.upcoming(made)
    assert [(it["description"], it["quantity"], it["amount"]) for it in seen["lines"]] == [
        ("Calls: tier 1", "5", "0.00"),
        ("Calls: tier 2", "4", "5.00"),
        ("Pro plan", "1", "30.00"),
    ]
    await shop.until("2026-02-28T12:30:00+00:00")
    await call(shop, "2026-02-28T12:15:00Z", 3)  # this hour is of the next period
    _, invoice = await shop.invoices()
    assert (invoice["id"], invoice["total"]) == (seen["invoice_id"], "35.00")
    await call(shop, "2026-02-20T00:00:00Z", 2)  # late: the invoice it belongs on is final
    await shop.until("2026-03-31T12:00:00+00:00")
    lines = (await shop.invoices())[2]["lines"]
    assert [(it["description"], it["quantity"], it["amount"]) for it in lines[:2]] == [
        ("Calls: recorded late", "2", "2.50"),
        ("Calls: tier 1", "3", "0.00"),
    ]


async def test_usage_until_a_plan_is_changed_or_ends_is_billed_then(shop: Shop):
    plan = await metered_plan(shop)
    await shop.plan(code="mini", fixed_prices=[{"name": "Mini", "amount": "30"}])
    made = await shop.subscribe()
    await shop.later(7 * DAY)
    await call(shop, "2026-02-07T10:30:00Z", 9)
    await shop.act(made, "change_plan", plan="mini")
    assert [it["amount"] for it in (await shop.invoices())[1]["lines"]] == [
        *("0.00", "5.00", "22.50", "22.50"),
    ]
    await shop.act(made, "change_plan", plan=plan["id"])
    await shop.later(2 * DAY)
    await call(shop, "2026-02-09T10:30:00Z", 7)
    ended = await shop.act(made, "cancel", when="now")
    assert (await shop.invoices())[-1]["total"] == "2.50"
    assert ended["next_at"] == "2026-03-16T12:00:00Z", "until then usage of it may come late"
    await call(shop, "2026-02-08T10:30:00Z", 40)
    invoices = await shop.invoices()
    await shop.until("2026-03-16T11:59:59+00:00")
    assert await shop.invoices() == invoices
    await shop.later(1)
    (last,) = (await shop.invoices())[len(invoices) :]
    assert [(it["description"], it["amount"]) for it in last["lines"]] == [
        ("Calls: recorded late", "50.00"),
        ("Credit brought forward", "20.35"),
    ]
    assert (last["total"], last["status"]) == ("29.65", "open")


async def test_after_three_months_away_each_bill_has_the_usage_of_its_own_month(shop: Shop):
    await metered_plan(shop)
    await shop.subscribe()
    for at, number in (("2026-02-10", 6), ("2026-03-10", 7), ("2026-04-10", 8)):
        shop.ledger.clock.turn(days=30)  # nobody is there to renew anything
        await call(shop, f"{at}T00:00:00Z", number)
    await shop.settle()
    totals = [it["total"] for it in await shop.invoices()]
    assert totals == ["30.00", "31.25", "32.50", "33.75"]


class Dying:
    """A writer whose process is killed after so many commands."""

    def __init__(self, shop: Shop, after: int) -> None:
        self._writer = shop.ledger.writer
        self._left = after

    async def submit_many(self, envelopes: list[Envelope]) -> list[Outcome | Failed]:
        first, self._left = envelopes[: self._left], max(0, self._left - len(envelopes))
        await self._writer.submit_many(first)
        if len(first) < len(envelopes):
            raise StoreUnavailable("killed")
        return await self._writer.submit_many(envelopes)


@pytest.mark.parametrize("commands", [0, 1, 2])
async def test_killed_between_draft_invoice_and_grant_each_is_made_once(shop: Shop, commands: int):
    await shop.plan(included_credits={"amount": "100"})
    await shop.subscribe()
    shop.ledger.clock.turn(days=30)
    await shop.seen()
    await shop.renewals.sweep(livemode=False)
    ledger = shop.ledger
    dying = Reactor(
        ledger.store,
        Reactions(ledger.store, ledger.codec, Dying(shop, commands), wait_seconds_first=0.001),
        (SubscriptionBilling(), Dunning()),
        shop.checkpoints,
        shop.dead_letters,
    )
    with pytest.raises(StoreUnavailable):
        await dying.catch_up(0)
    await shop.settle()
    await shop.settle()
    types = await ledger.types()
    assert types.count("invoice.drafted.v1") == types.count("invoice.finalised.v1") == 2
    assert types.count("credit_account.granted.v1") == 2
    assert [it["number"] for it in await shop.invoices()] == ["2026-000001", "2026-000002"]


async def test_two_that_renew_at_once_make_one_period(shop: Shop):
    await shop.plan()
    await shop.subscribe()
    shop.ledger.clock.turn(days=60)
    await shop.seen()
    other = Shop(shop.ledger)
    await shop.renewals.sweep(livemode=False)
    await other.renewals.sweep(livemode=False)  # its read model still says that two are due
    assert (await shop.ledger.types()).count("subscription.renewed.v1") == 3


terms = st.fixed_dictionaries(
    {},
    optional={
        "metered": st.just((CALLS,)),
        "commitment": st.integers(1, 10_000).map(usd),
        "credits": st.just(MONTHLY_CREDITS),
        "tax_rate": st.sampled_from(["19", "7.7"]),
        "trial_days": st.integers(1, 40),
        "proration": st.sampled_from(["second", "day", "none"]),
    },
)
steps = st.lists(
    st.tuples(st.integers(1, 50), st.integers(0, 20_000), st.integers(1, 3)), max_size=4
)


@given(terms, steps, st.booleans(), st.integers(0, 10**6))
def test_whatever_came_before_the_preview_is_the_bill_that_is_then_made(
    given_terms: dict, changes: list, is_yearly: bool, calls: int
):
    used = {"calls": str(calls)}
    story = begun((yearly if is_yearly else plan)("one", 3000, **given_terms))
    at = NEW_YEAR
    for number, (days, units, quantity) in enumerate(changes):
        at = at + days * (story.it.next_step[1] - NEW_YEAR) / 200
        story.until(at, used)
        story.change(plan(f"p{number}", units, **given_terms), at, quantity=quantity, used=used)
    _matches(story, used)


def _matches(story: Story, used: dict[str, str]) -> None:
    keys = ()
    if story.it.period is not None:
        keys = billing.usage_until(story.it, story.it.period.end)
    seen = billing.upcoming(story.it, story.usage(keys, used))
    assert seen is not None
    renewed = "subscription.renewed.v1"
    made = next(fact for fact in story.until(seen.at, used) if fact.type == renewed)
    assert (made.bill, made.carried, made.period) == (seen.bill, seen.carried, seen.period)


@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.integers(0, 60 * DAY),
    st.integers(1, 5),
    st.integers(1, 90_000),
    st.sampled_from(["19", None]),
)
async def test_over_http_the_preview_comes_true_at_any_time(
    shop: Shop, seconds: int, quantity: int, cents: int, tax_rate: str | None
):
    code = f"p{await shop.ledger.store.head(0)}"
    amount = f"{cents // 100}.{cents % 100:02}"
    await shop.plan(code=code, fixed_prices=[{"name": code, "amount": amount}], tax_rate=tax_rate)
    made = await shop.subscribe(code, quantity=quantity)
    await shop.later(seconds + 1)
    seen = await shop.upcoming(made)
    while seen["at"] > shop.ledger.clock.now().isoformat().replace("+00:00", "Z"):
        await shop.until(seen["at"].replace("Z", "+00:00"))
        await shop.later(1)
    invoice = (await shop.ledger.get(f"/v1/invoices/{seen['invoice_id']}")).json()
    assert (invoice["total"], invoice["tax"]) == (seen["total"], seen["tax"])
    assert [it["amount"] for it in invoice["lines"]] == [it["amount"] for it in seen["lines"]]
    await shop.act(made, "cancel", when="now")


async def test_what_an_account_used_is_billed_by_one_subscription(shop: Shop):
    await metered_plan(shop)
    await shop.plan(code="mini", fixed_prices=[{"name": "Mini", "amount": "30"}])
    first = await shop.subscribe()
    body = {"credit_account_id": shop.account, "plan": "pro"}
    refused = await shop.ledger.post("/v1/subscriptions", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "not_allowed"), refused.text
    assert first["id"] in refused.json()["detail"]
    other = await shop.subscribe("mini")  # which bills no usage
    path = f"/v1/subscriptions/{other['id']}/change_plan"
    for when in ("now", "period_end"):
        assert (await shop.ledger.post(path, {"plan": "pro", "when": when})).status_code == 409
    await shop.act(first, "change_plan", plan="pro", quantity=2)
    await shop.act(first, "cancel", when="now")
    await shop.act(other, "change_plan", plan="pro")


async def test_what_a_chain_takes_back_makes_it_past_due_again(shop: Shop):
    await shop.plan(due_days=3, unpaid_days=30)
    made = await shop.subscribe()
    (invoice,) = await shop.invoices()
    await shop.later(3 * DAY + 1)
    assert (await shop.look(made))["status"] == "past_due"
    asked = await shop.ledger.post(f"/v1/invoices/{invoice['id']}/pay", {})
    intent = asked.json()["payment_intent"]
    for happens, status in ((succeed, "active"), (take_back, "past_due")):
        await happens(shop.ledger, intent)
        await react(shop.ledger)
        await shop.settle()
        await shop.later(60)
        assert (await shop.look(made))["status"] == status
    assert (await shop.invoices())[0]["amount_due"] == "30.00"


async def test_of_two_that_are_sent_at_the_same_moment_one_bills_what_is_used(shop: Shop):
    await metered_plan(shop)
    first = await shop.subscribe()
    await shop.act(first, "cancel", when="now")
    body = {"credit_account_id": shop.account, "plan": "pro"}

    answers = await asyncio.gather(*(shop.ledger.post("/v1/subscriptions", body) for _ in range(4)))

    assert sorted(it.status_code for it in answers) == [201, 409, 409, 409]
    made = next(it.json() for it in answers if it.status_code == 201)
    assert all(made["id"] in it.json()["detail"] for it in answers if it.status_code == 409)
