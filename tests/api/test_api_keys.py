"""API keys over HTTP."""

from __future__ import annotations

import pytest

from flamewire_ledger.security.api_keys import sha256_of
from tests.api.world import World

WANTED = {"name": "worker", "scopes": ["credits:write", "credits:read"]}


async def test_a_secret_is_shown_once_and_kept_nowhere(door: World):
    made = await door.post("/v1/api_keys", WANTED, once="a")
    assert made.status_code == 201
    secret = made.json()["secret"]
    assert secret.startswith("fw_test_")
    assert made.json()["ends_in"] == secret[-4:]
    again = await door.post("/v1/api_keys", WANTED, once="a")
    assert again.json() == {**made.json(), "secret": None}
    events = await door.events()
    assert all(secret.encode() not in event.data for event in events)
    assert sha256_of(secret).encode() in events[-1].data


async def test_keys_are_listed_and_revoked(ledger: World):
    made = (await ledger.post("/v1/api_keys", WANTED)).json()
    listed = (await ledger.get("/v1/api_keys")).json()["data"]
    shown = {k: v for k, v in made.items() if k not in ("secret", "position")}
    assert listed == [shown]
    path = f"/v1/api_keys/{made['id']}"
    stranger = ledger.key(await ledger.merchant("other"))
    assert (await ledger.post(f"{path}/revoke", key=stranger)).status_code == 404
    revoked = await ledger.post(f"{path}/revoke")
    assert revoked.json()["revoked_at"] == "2026-01-31T12:00:00Z"
    ledger.clock.turn(seconds=5)
    again = await ledger.client.delete(path, headers={"Authorization": f"Bearer {ledger.secret}"})
    assert again.json()["revoked_at"] == "2026-01-31T12:00:00Z"
    listed = (await ledger.get("/v1/api_keys")).json()["data"]
    assert [it["revoked_at"] for it in listed] == ["2026-01-31T12:00:00Z"]
    assert (await ledger.types()) == []  # but the merchant's own
    assert (await ledger.post("/v1/api_keys/key_x/revoke")).status_code == 404


@pytest.mark.parametrize("scopes", [[], ["fly"], ["*", "fly"], "payments:read", [1]])
async def test_a_scope_there_is_not_is_refused(door: World, scopes: object):
    response = await door.post("/v1/api_keys", {"name": "x", "scopes": scopes})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"].startswith("/scopes")


@pytest.mark.parametrize("scopes", [["*"], ["payments:read"], ["credits:write", "keys:write"]])
async def test_nobody_hands_on_more_than_they_have(door: World, scopes: list[str]):
    holder = door.key(door.merchant_id, "keys:write", "credits:read")
    response = await door.post("/v1/api_keys", {"name": "x", "scopes": scopes}, key=holder)
    assert response.status_code == 422
    allowed = {"name": "x", "scopes": ["credits:read", "keys:read"]}
    assert (await door.post("/v1/api_keys", allowed, key=holder)).status_code == 201
