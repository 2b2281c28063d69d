"""Playing the payer over HTTP."""

from __future__ import annotations

import pytest

from tests.api.world import World

ORDER = {"amount": "25.00", "currency": "USD"}


async def intent(door: World) -> dict:
    return (await door.post("/v1/payment_intents", ORDER)).json()


async def test_a_transfer_is_sent_once_for_its_key(door: World):
    made = await intent(door)
    body = {"payment_intent_id": made["id"]}
    first = await door.post("/v1/sandbox/transfers", body, once="a")
    assert first.status_code == 201
    option = made["payment_options"][0]
    assert (first.json()["amount"], first.json()["address"]) == (
        option["amount"],
        option["address"],
    )
    again = await door.post("/v1/sandbox/transfers", body, once="a")
    assert again.content == first.content
    door.clock.turn(seconds=2)
    waiting = await door.chains[0].pending()
    latest = (await door.chains[0].heads()).latest.height
    blocks = await door.chains[0].blocks(latest - 50, latest)
    moved = [it for block in blocks for it in block.transfers]
    assert len(waiting) + len(moved) == 1


async def test_a_transfer_may_be_of_another_way_and_amount(door: World):
    made = await intent(door)
    body = {
        "payment_intent_id": made["id"],
        "network": "ethereum",
        "asset": "USDC",
        "amount": "24.5",
    }
    sent = (await door.post("/v1/sandbox/transfers", body)).json()
    assert (sent["asset"], sent["amount_minor"]) == ("USDC", "24500000")


async def test_a_late_one_outlives_the_intent_first(door: World):
    made = await intent(door)
    await door.post("/v1/sandbox/transfers", {"payment_intent_id": made["id"], "behaviour": "late"})
    assert door.clock.now().isoformat() > made["expires_at"].replace("Z", "+00:00")


@pytest.mark.parametrize(
    ("given", "status", "pointer"),
    [
        ({"payment_intent_id": "pi_x"}, 404, "/payment_intent_id"),
        ({"network": "bitcoin"}, 422, "/network"),
        ({"asset": "DOGE"}, 422, "/asset"),
        ({"amount": "0"}, 422, "/amount"),
        ({"amount": "0.0000000001"}, 422, "/amount"),
        ({"amount": 1}, 422, "/amount"),
        ({"behaviour": "vanish"}, 422, "/behaviour"),
    ],
)
async def test_a_payer_can_only_play_by_the_rules(
    door: World, given: dict, status: int, pointer: str
):
    made = await intent(door)
    body = {"payment_intent_id": made["id"], **given}
    response = await door.post("/v1/sandbox/transfers", body)
    assert response.status_code == status
    assert response.json()["errors"][0]["pointer"] == pointer


async def test_the_clock_moves_forward_only(door: World):
    moved = await door.post("/v1/sandbox/clock", {"advance_seconds": 60}, once=None)
    assert moved.json()["now"] == "2026-01-31T12:01:00Z"
    for seconds in (0, -1, 10**12, "60", 1.5):
        response = await door.post("/v1/sandbox/clock", {"advance_seconds": seconds})
        assert response.status_code == 422


async def test_a_live_key_has_no_sandbox(door: World):
    live = door.key(await door.merchant("shop", livemode=True), livemode=True)
    for path, body in (
        ("/v1/sandbox/clock", {"advance_seconds": 1}),
        ("/v1/sandbox/transfers", {"payment_intent_id": "pi_x"}),
    ):
        response = await door.post(path, body, key=live)
        assert (response.status_code, response.json()["code"]) == (403, "sandbox_only")
