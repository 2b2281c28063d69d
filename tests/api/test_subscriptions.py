"""Subscriptions over HTTP, through months of the sandbox clock."""

from __future__ import annotations

import pytest

from tests.api.subscribing import Shop
from tests.api.world import World


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
