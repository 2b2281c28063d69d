"""What a text can be, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.world import World

ACCOUNT = "0x4e9B59F1d99D4138112eb12Cd91D400385c1bc86"
ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"


async def detected(ledger: World, value: str) -> dict[str, Any]:
    answer = await ledger.post("/v1/tools/detect", {"value": value}, once=None)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert found["ambiguous"] == (len(found["candidates"]) > 1)
    assert found["reason"]
    return found


async def test_an_address_is_found_with_its_network_and_a_reason(door: World):
    (one,) = (await detected(door, ACCOUNT.lower()))["candidates"]
    assert (one["type"], one["network"], one["canonical"]) == ("address", "ethereum", ACCOUNT)
    (one,) = (await detected(door, ALICE))["candidates"]
    assert (one["type"], one["network"]) == ("address", "bittensor")
    assert "42" in one["reason"]


async def test_what_can_be_several_things_is_said_to_be_ambiguous(door: World):
    found = await detected(door, "0x" + "ab" * 32)
    assert found["ambiguous"]
    assert "ambiguous" in found["reason"]
    assert {(one["type"], one["network"]) for one in found["candidates"]} == {
        ("address", "sui"),
        ("transaction_id", "ethereum"),
        ("transaction_id", "bittensor"),
    }


@pytest.mark.parametrize("value", ["hello", " ", "0x", "0x12", "💰", "\n", "x" * 3000])
async def test_what_is_nothing_has_no_candidates_and_a_reason(door: World, value: str):
    assert (await detected(door, value))["candidates"] == []


async def test_the_payment_uris_of_our_own_intents_are_found(door: World):
    order = {"amount": "25.00", "currency": "USD"}
    intent = (await door.post("/v1/payment_intents", order)).json()
    for option in intent["payment_options"]:
        found = await detected(door, option["uri"])
        assert [one["type"] for one in found["candidates"]] == ["payment_uri"]
        assert found["candidates"][0]["network"] == option["network"]
        (address,) = (await detected(door, option["address"]))["candidates"][:1]
        assert address["network"] == option["network"]


async def test_nothing_at_all_is_a_422(door: World):
    for body in ({"value": ""}, {}, {"value": 5}):
        assert (await door.post("/v1/tools/detect", body, once=None)).status_code == 422
