"""Where accounts begin with so much, less is not asked for: it would not arrive."""

from __future__ import annotations

from dataclasses import replace

from tests.api.world import World

LEAST = 60_606_062  # a unit more than 25 dollars are in TAO


def begin_accounts_with(door: World, units: int) -> None:
    (chain,) = [chain for chain in door.chains if chain.network.name == "bittensor"]
    tokens = tuple(replace(token, least_units=units) for token in chain.network.tokens)
    chain._network = replace(chain.network, tokens=tokens)


async def test_a_way_by_which_so_little_does_not_arrive_is_left_out(door: World):
    begin_accounts_with(door, LEAST)
    answer = await door.post("/v1/payment_intents", {"amount": "25.00", "currency": "USD"})
    assert answer.status_code == 201, answer.text
    networks = {option["network"] for option in answer.json()["payment_options"]}
    assert networks == {"ethereum", "sui"}


async def test_just_enough_is_offered(door: World):
    begin_accounts_with(door, LEAST - 1)
    answer = await door.post("/v1/payment_intents", {"amount": "25.00", "currency": "USD"})
    networks = [option["network"] for option in answer.json()["payment_options"]]
    assert "bittensor" in networks


async def test_asked_for_by_name_it_is_refused_with_the_least_there_is(door: World):
    begin_accounts_with(door, LEAST)
    for body in (
        {"pay_with": [{"network": "bittensor", "asset": "TAO"}]},
        {"network": "bittensor"},
    ):
        answer = await door.post(
            "/v1/payment_intents", {"amount": "25.00", "currency": "USD", **body}
        )
        assert answer.status_code == 422, answer.text
        problem = answer.json()
        assert problem["code"] == "invalid_amount"
        assert "0.060606061 TAO would not arrive" in problem["detail"]
        assert "an account begins with 0.060606062" in problem["detail"]
        assert problem["errors"][0]["pointer"] == "/amount"
    assert await door.types() == []


async def test_a_lock_for_too_little_is_refused_too(door: World):
    begin_accounts_with(door, LEAST)
    lock = await door.post("/v1/price_locks", {"base": "bittensor:TAO", "quote": "USD"})
    assert lock.status_code == 201, lock.text
    answer = await door.post(
        "/v1/payment_intents",
        {"amount": "25.00", "currency": "USD", "price_lock_id": lock.json()["id"]},
    )
    assert answer.status_code == 422, answer.text
    assert "would not arrive" in answer.json()["detail"]
