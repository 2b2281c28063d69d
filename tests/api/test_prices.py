"""Prices and locks over HTTP."""

from __future__ import annotations

import pytest

from tests.api.world import World


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
    ("given", "pointer"),
    [
        ({"base": "USD", "quote": "EUR"}, "/base"),
        ({"base": "USDC", "quote": "USD"}, "/base"),
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
        ("TAO-EUR", "381.944444444444444"),
        ("sui:USDC-USD", "1"),
    ],
)
async def test_a_price_is_what_the_board_says_now(door: World, pair: str, price: str):
    response = await door.get(f"/v1/prices/{pair}")
    assert response.status_code == 200, response.text
    assert response.json()["price"] == price


@pytest.mark.parametrize("pair", ["DOGE-USD", "TAO-DOGE", "%00-USD", "-", "TAO-", "TAO"])
async def test_a_price_of_nothing_is_404(door: World, pair: str):
    assert (await door.get(f"/v1/prices/{pair}")).status_code == 404


async def test_a_price_that_cannot_be_had_is_503(door: World):
    door.quotes.clear()
    response = await door.get("/v1/prices/TAO-USD")
    assert (response.status_code, response.json()["code"]) == (503, "price_unavailable")
