"""Webhook endpoints over HTTP: made, looked at, changed, and what was sent to them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from flamewire_ledger.domain.webhook_endpoint import ENDPOINTS_MAX
from tests.api.world import World
from tests.webhooks.shop import ENDPOINTS, Shop
from tests.webhooks.test_announcing import Mailbox

URL = "https://shop.example/hooks"


async def made(ledger: World, **fields: Any) -> dict[str, Any]:
    answer = await ledger.post(ENDPOINTS, {"url": URL, **fields})
    assert answer.status_code == 201, answer.text
    endpoint: dict[str, Any] = answer.json()
    return endpoint


def problem(answer: httpx.Response) -> tuple[int, str | None]:
    errors = answer.json().get("errors", [{}])
    return answer.status_code, errors[0].get("pointer")


async def test_an_endpoint_is_answered_as_it_is_read_but_for_its_secret(ledger: World):
    endpoint = await made(ledger, event_types=["payment.*"], description="the shop")
    secret = endpoint.pop("secret")
    assert secret.startswith("whsec_")
    position = endpoint.pop("position")
    read = (await ledger.get(f"{ENDPOINTS}/{endpoint['id']}")).json()
    assert read == {
        **endpoint,
        "failing_since": None,
        "last_success_at": None,
        "last_failure_at": None,
        "pending": 0,
    }
    assert endpoint["id"].startswith("we_")
    assert (endpoint["status"], endpoint["livemode"], position) == ("enabled", False, 2)
    listed = (await ledger.get(ENDPOINTS)).json()
    assert listed["data"] == [read]


async def test_a_secret_is_shown_once_and_is_nowhere_else(ledger: World):
    body = {"url": URL}
    first = await ledger.post(ENDPOINTS, body, once="a")
    again = await ledger.post(ENDPOINTS, body, once="a")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == {**first.json(), "secret": None}
    path = f"{ENDPOINTS}/{first.json()['id']}"
    rotated = await ledger.post(f"{path}/rotate_secret", once="b")
    assert (await ledger.post(f"{path}/rotate_secret", once="b")).json()["secret"] is None
    secrets = [first.json()["secret"], rotated.json()["secret"]]
    assert len(set(secrets)) == 2
    queue = ledger.parts.webhooks.queue
    assert len(queue._secrets) == 2  # repeats keep nothing
    kept = b"".join(sealed for sealed, _ in queue._secrets.values())
    said = b"".join(event.data + event.metadata for event in await ledger.events())
    for page in (path, ENDPOINTS, "/v1/events", f"{path}/deliveries"):
        said += (await ledger.get(page)).content
    for secret in secrets:
        assert secret.encode() not in kept + said
        assert secret.removeprefix("whsec_").encode() not in kept + said
    assert b"whsec_" not in kept + said


async def test_what_is_named_is_changed(ledger: World):
    endpoint = await made(ledger, description="the shop")
    path = f"{ENDPOINTS}/{endpoint['id']}"
    changed = await ledger.send(
        "PATCH", path, {"url": "https://shop.example/v2", "event_types": ["invoice.paid"]}
    )
    assert changed.status_code == 200, changed.text
    read = (await ledger.get(path)).json()
    assert (read["url"], read["event_types"]) == ("https://shop.example/v2", ["invoice.paid"])
    assert read["description"] == "the shop"
    await ledger.send("PATCH", path, {"description": "", "status": "disabled"})
    read = (await ledger.get(path)).json()
    assert (read["description"], read["status"]) == (None, "disabled")
    assert read["disabled_reason"] == "asked"
    await ledger.send("PATCH", path, {"status": "enabled"})
    assert (await ledger.get(path)).json()["status"] == "enabled"


async def test_a_deleted_endpoint_is_not_there(ledger: World):
    endpoint = await made(ledger)
    path = f"{ENDPOINTS}/{endpoint['id']}"
    assert (await ledger.send("DELETE", path)).json()["deleted"] is True
    assert (await ledger.get(path)).status_code == 404
    assert (await ledger.get(ENDPOINTS)).json()["data"] == []
    assert (await ledger.send("PATCH", path, {"status": "enabled"})).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": 7}, "/url"),
        ({"url": "http://shop.example/"}, "/url"),
        ({"url": "https://10.0.0.1/"}, "/url"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, "/url"),
        ({"url": "https://user:pass@shop.example/"}, "/url"),
        ({"url": "https://shop.example/" + "a" * 2100}, "/url"),
        ({"url": URL, "event_types": []}, "/event_types"),
        ({"url": URL, "event_types": ["payment.completed", "payment.paid"]}, "/event_types/1"),
        ({"url": URL, "event_types": ["order.*"]}, "/event_types/0"),
        ({"url": URL, "event_types": ["*"] * 51}, "/event_types"),
        ({"url": URL, "secret": "whsec_mine"}, "/secret"),
        ({"url": URL, "description": "a\u0000b"}, "/description"),
    ],
)
async def test_what_makes_no_endpoint_is_told_with_its_field(
    door: World, body: dict[str, Any], pointer: str
):
    assert problem(await door.post(ENDPOINTS, body)) == (422, pointer)


async def test_a_live_endpoint_is_never_on_this_machine(door: World):
    test = await door.post(ENDPOINTS, {"url": "http://127.0.0.1:3000/hook"})
    assert test.status_code == 201
    live = door.key(await door.merchant("live", livemode=True), livemode=True)
    for url in ("http://127.0.0.1:3000/hook", "https://localhost/", "https://[::1]/"):
        refused = await door.post(ENDPOINTS, {"url": url}, key=live)
        assert problem(refused) == (422, "/url")


async def test_a_merchant_has_so_many_endpoints(door: World):
    for _ in range(ENDPOINTS_MAX):
        await made(door)
    refused = await door.post(ENDPOINTS, {"url": URL})
    assert (refused.status_code, refused.json()["code"]) == (429, "limit_reached")
    nobodys = await door.post(f"{ENDPOINTS}/we_nobody/rotate_secret")
    assert nobodys.status_code == 404
    assert len(door.parts.webhooks.queue._secrets) == ENDPOINTS_MAX  # nothing is kept for nothing


async def test_scopes_and_merchants_are_kept_apart(ledger: World):
    endpoint = await made(ledger)
    path = f"{ENDPOINTS}/{endpoint['id']}"
    reader = ledger.key(ledger.merchant_id, "webhooks:read")
    assert (await ledger.get(path, key=reader)).status_code == 200
    assert (await ledger.post(ENDPOINTS, {"url": URL}, key=reader)).status_code == 403
    assert (await ledger.send("DELETE", path, key=reader)).status_code == 403
    stranger = ledger.key(await ledger.merchant("another"))
    assert (await ledger.get(path, key=stranger)).status_code == 404
    assert (await ledger.get(f"{path}/deliveries", key=stranger)).status_code == 404
    for what in ("test", "rotate_secret"):
        assert (await ledger.post(f"{path}/{what}", key=stranger)).status_code == 404
    replay = await ledger.post(f"{path}/replay", {"from_position": 1}, key=stranger)
    assert replay.status_code == 404
    assert (await ledger.get(ENDPOINTS, key=stranger)).json()["data"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"from_position": 1, "since": "2026-01-01T00:00:00Z"}, 422),
        ({"from_position": 0}, 422),
        ({"from_position": 10_000}, 422),
        ({"from_position": 2, "to_position": 1}, 422),
        ({"event_id": "evt_nobody"}, 404),
        ({"since": "2026-01-01T00:00:00Z"}, 200),
        ({"since": "2099-01-01T00:00:00Z"}, 422),
        ({"from_position": 1, "to_position": 9_999}, 200),
    ],
)
async def test_a_replay_is_of_something_that_is_there(
    door: World, body: dict[str, Any], status: int
):
    endpoint = await made(door)
    answer = await door.post(f"{ENDPOINTS}/{endpoint['id']}/replay", body)
    assert answer.status_code == status, answer.text


async def test_deliveries_are_shown_with_what_was_answered(ledger: World):
    shop, mail = Shop(ledger, None, None), Mailbox()  # type: ignore[arg-type]  # nothing is really sent
    webhooks = shop.restarted(mail)
    endpoint = await made(ledger, event_types=["payment.created"])
    path = f"{ENDPOINTS}/{endpoint['id']}"
    intent = await shop.intent()
    behind = await ledger.get(f"{path}/deliveries", min_position=intent["position"])
    assert (behind.status_code, behind.json()["code"]) == (503, "projection_behind")
    mail.is_closed = True
    await webhooks.catch_up(0)
    answer = await ledger.get(f"{path}/deliveries", min_position=intent["position"])
    (delivery,) = answer.json()["data"]
    assert (delivery["status"], delivery["attempts"]) == ("pending", 1)
    assert delivery["last_attempt"]["error"] == "the connection was refused"
    assert (await ledger.get(path)).json()["pending"] == 1
    assert (await ledger.get(path)).json()["failing_since"] is not None
    mail.is_closed = False
    ledger.clock.turn(seconds=60)
    await webhooks.catch_up(0)
    one = (await ledger.get(f"{path}/deliveries/{delivery['id']}")).json()
    assert (one["status"], one["next_attempt_at"]) == ("delivered", None)
    assert [it["status_code"] for it in one["history"]] == [None, 200]
    ((_, headers, body),) = mail.sent
    assert one["payload"] == json.loads(json.dumps(body))
    assert one["event_id"] == headers["webhook-id"]
    assert (await ledger.get(path)).json()["pending"] == 0
    for query, count in (
        ({"status": "delivered"}, 1),
        ({"status": "failed"}, 0),
        ({"type": "payment.created"}, 1),
        ({"event_id": "evt_other"}, 0),
        ({"starting_after": delivery["id"]}, 0),
    ):
        listed = (await ledger.get(f"{path}/deliveries", **query)).json()
        assert len(listed["data"]) == count, query
    assert (await ledger.get(f"{path}/deliveries/wd_nobody")).status_code == 404
    assert (await ledger.get(f"{path}/deliveries", status="lost")).status_code == 422
