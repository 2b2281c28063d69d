"""API keys over HTTP."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flamewire_ledger.security.api_keys import sha256_of
from flamewire_ledger.wiring.api_parts import RememberedKeys
from tests.api.world import World, app_over

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


async def test_a_key_is_good_from_its_answer_on_until_that_of_its_revocation(ledger: World):
    remembered = RememberedKeys(ledger.reads)
    ledger.parts = replace(ledger.parts, keys=remembered)
    first = ledger.keys.known[sha256_of(ledger.secret)]
    find = remembered.find

    async def or_the_first(secret_sha256: str):
        return first if secret_sha256 == sha256_of(ledger.secret) else await find(secret_sha256)

    remembered.find = or_the_first  # type: ignore[method-assign]
    async with app_over(ledger, ledger.writer) as client:
        ledger.client = client
        made = (await ledger.post("/v1/api_keys", WANTED)).json()
        path = "/v1/credit_accounts"
        assert (await ledger.get(path, key=made["secret"])).status_code == 200
        await ledger.post(f"/v1/api_keys/{made['id']}/revoke")
        assert (await ledger.get(path, key=made["secret"])).status_code == 401
