"""How a refusal reads: one shape, words that say what was wrong, and where."""

from __future__ import annotations

import pytest

from tests.api.world import World

NOBODY = "01m81gdnexe2xskych213hsf00"


@pytest.mark.parametrize(
    ("path", "what"),
    [
        (f"/v1/payment_intents/pi_{NOBODY}", "payment intent"),
        (f"/v1/credit_accounts/ca_{NOBODY}", "credit account"),
        (f"/v1/price_locks/pl_{NOBODY}", "price lock"),
        (f"/v1/invoices/inv_{NOBODY}", "invoice"),
    ],
)
async def test_a_404_says_what_there_is_not(ledger: World, path: str, what: str):
    problem = (await ledger.get(path)).json()
    assert problem["detail"] == f"there is no such {what}"
    assert problem["title"] == "Not found"


async def test_a_422_always_says_where(door: World):
    missing = (await door.post("/v1/payment_intents", {"currency": "USD"})).json()
    assert missing["errors"] == [{"pointer": "/amount", "detail": "this field is required"}]
    for amount in ("1.00", "2.00"):
        response = await door.post(
            "/v1/payment_intents", {"amount": amount, "currency": "USD"}, once="twice"
        )
    reused = response.json()
    assert (reused["code"], reused["title"]) == ("idempotency_key_reused", "Idempotency key reused")
    assert [error["pointer"] for error in reused["errors"]] == [""]


async def test_what_moves_no_money_needs_no_idempotency_key(door: World):
    response = await door.post("/v1/price_locks", {"base": "TAO", "quote": "USD"}, once=None)
    assert response.status_code == 201


async def test_every_query_takes_a_position_to_wait_for(ledger: World):
    for path in ("/v1/events", "/v1/prices/TAO-USD", "/v1/prices/TAO-USD/history"):
        assert (await ledger.get(path, min_position=1)).status_code == 200, path


async def test_a_payment_may_be_short_lived(door: World):
    body = {"amount": "1.00", "currency": "USD", "expires_in_seconds": 1}
    assert (await door.post("/v1/payment_intents", body)).status_code == 201


@pytest.mark.parametrize("path", ["/v1/payment_intents", "/v1/credit_accounts", "/v1/invoices"])
@pytest.mark.parametrize("cursor", ["starting_after", "ending_before"])
async def test_a_cursor_that_is_no_id_of_the_list_is_not_its_end(
    door: World, path: str, cursor: str
):
    problem = (await door.get(path, **{cursor: f"xx_{NOBODY}"})).json()
    assert (problem["code"], problem["errors"][0]["parameter"]) == ("invalid_parameter", cursor)
