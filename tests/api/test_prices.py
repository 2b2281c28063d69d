"""Prices and locks over HTTP."""

from __future__ import annotations

from decimal import Decimal

import pytest

from flamewire_ledger.api.currencies import USD
from flamewire_ledger.api.parts import Offer
from flamewire_ledger.api.pricing import Till
from flamewire_ledger.billing.price_rules import PriceRule
from flamewire_ledger.domain.credit_account import CREDIT
from tests.api.world import NOON, World, world


async def test_a_lock_is_answered_as_it_is_read_with_every_quote(ledger: World):
    made = await ledger.post("/v1/price_locks", {"base": "tao", "quote": "usd"})
    assert made.status_code == 201
    assert made.json()["price"] == "412.5"
    assert {it["source"] for it in made.json()["quotes"]} == {"one:TAO-USD", "two:TAO-USD"}
    assert made.json()["expires_at"] == "2026-01-31T12:15:00Z"
    path = f"/v1/price_locks/{made.json()['id']}"
    assert (await ledger.get(path)).json() == made.json()
    ledger.clock.turn(seconds=900)
    assert (await ledger.get(path)).json()["status"] == "expired"
    stranger = ledger.key(await ledger.merchant("other"))
    assert (await ledger.get(path, key=stranger)).status_code == 404


async def test_a_lock_may_be_in_credits(door: World):
    made = await door.post("/v1/price_locks", {"base": "TAO", "quote": "CREDIT"})
    assert (made.json()["quote"], made.json()["price"]) == ("CREDIT", "412.5")


@pytest.mark.parametrize(
    ("given", "network"),
    [
        ({"base": "USDC"}, "ethereum"),
        ({"base": "usdc", "network": "sui"}, "sui"),
        ({"base": "sui:USDC"}, "sui"),
    ],
)
async def test_a_lock_of_what_lives_on_two_networks_is_for_one(
    door: World, given: dict, network: str
):
    made = (await door.post("/v1/price_locks", {**given, "quote": "USD"})).json()
    body = {"amount": "25.00", "currency": "USD", "price_lock_id": made["id"]}
    (option,) = (await door.post("/v1/payment_intents", body)).json()["payment_options"]
    assert (option["network"], option["asset"]) == (network, "USDC")
    assert option["asset_id"] == made["base_asset_id"]


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"base": "USD", "quote": "EUR"}, "/base"),
        ({"base": "USDC", "quote": "USD", "network": "solana"}, "/network"),
        ({"base": "USDC", "quote": "USDC"}, "/quote"),
        ({"base": "DOGE", "quote": "USD"}, "/base"),
        ({"base": "TAO", "quote": "DOGE"}, "/quote"),
        ({"base": "TAO", "quote": "TAO"}, "/quote"),
        ({"base": "TAO"}, "/quote"),
    ],
)
async def test_a_lock_is_for_what_can_be_paid_with(door: World, given: dict, pointer: str):
    response = await door.post("/v1/price_locks", given)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == pointer
    assert await door.types() == []


@pytest.mark.parametrize(
    ("pair", "price"),
    [
        ("TAO-USD", "412.5"),
        ("tao-usd", "412.5"),
        ("USDC-USD", "1"),
        ("ETH-CREDIT", "3200"),
        ("CREDIT-USD", "1"),
        ("CREDIT-EUR", "0.925925925925925925"),
        ("TAO-EUR", "381.944444444444444"),
        ("sui:USDC-USD", "1"),
    ],
)
async def test_a_price_is_what_the_board_says_now(door: World, pair: str, price: str):
    response = await door.get(f"/v1/prices/{pair}")
    assert response.status_code == 200, response.text
    assert response.json()["price"] == price


async def test_a_credit_is_worth_what_it_is_sold_for(door: World):
    till = Till(door.parts.test.prices, Decimal("0.25"), NOON)
    assert (await till.rate(CREDIT, USD)).rate.price == Decimal("0.25")
    assert (await till.rate(CREDIT, CREDIT)).rate.price == 1


@pytest.mark.parametrize("pair", ["DOGE-USD", "TAO-DOGE", "%00-USD", "-", "TAO-", "TAO"])
async def test_a_price_of_nothing_is_404(door: World, pair: str):
    assert (await door.get(f"/v1/prices/{pair}")).status_code == 404


async def test_a_price_that_cannot_be_had_is_503(door: World):
    door.quotes.clear()
    response = await door.get("/v1/prices/TAO-USD")
    assert (response.status_code, response.json()["code"]) == (503, "price_unavailable")


RULES = (
    PriceRule("one source for ETH", "ETH-*", sources=("one",)),
    PriceRule("nobody's word for SUI", "SUI-*", sources=("nobody",)),
    PriceRule("all", spread_ppm=10_000, digits=4),
)


async def test_a_lock_says_which_rule_made_it_out_of_what_market():
    async with world(offer=Offer(price_rules=RULES)) as door:
        made = (await door.post("/v1/price_locks", {"base": "TAO", "quote": "USD"})).json()
        assert made["price"] == "408.3"  # 412.5 less one percent, rounded down to four digits
        assert made["pricing"] == {
            "market_price": "412.5", "quoted_at": "2026-01-31T12:00:00Z", "is_stale": False, "rule": "all",
            "sources": [], "spread_ppm": 10_000, "discount_ppm": 0, "digits": 4, "rounding": "down",
        }  # fmt: skip
        shown = (await door.get("/v1/prices/TAO-USD")).json()
        assert (shown["price"], shown["market_price"], shown["rule"]) == ("408.3", "412.5", "all")
        order = {"amount": "25.00", "currency": "USD", "network": "bittensor"}
        intent = (await door.post("/v1/payment_intents", order)).json()
        assert intent["payment_options"][0]["amount"] == "0.061229489"  # 25 / 408.3, rounded up


async def test_a_rule_may_say_whose_word_counts():
    async with world(offer=Offer(price_rules=RULES)) as door:
        made = (await door.post("/v1/price_locks", {"base": "ETH", "quote": "USD"})).json()
        assert [it["source"] for it in made["quotes"]] == ["one:ETH-USD"]
        assert made["pricing"]["sources"] == ["one"]
        nobody = await door.post("/v1/price_locks", {"base": "SUI", "quote": "USD"})
        assert (nobody.status_code, nobody.json()["code"]) == (503, "price_unavailable")


async def test_a_lock_is_explained_when_it_is_read(ledger: World):
    made = (await ledger.post("/v1/price_locks", {"base": "TAO", "quote": "EUR"})).json()
    read = (await ledger.get(f"/v1/price_locks/{made['id']}")).json()
    assert read["pricing"] == made["pricing"]
    assert read["pricing"]["rule"] is None
