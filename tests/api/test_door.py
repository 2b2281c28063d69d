"""What every request meets first: keys, scopes, limits, bodies, queries."""

from __future__ import annotations

import pytest

from flamewire_ledger.api.parts import Limits
from tests.api.world import World, world

ORDER = {"amount": "25.00", "currency": "USD"}
PATH = "/v1/payment_intents"


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer nonsense",
        "Basic Zm9vOmJhcg==",
        "Bearer fw_test_" + "A" * 43,
        "Bearer fw_test_" + "A" * 5000,
        "Bearer fw_test_\x00" + "A" * 42,
    ],
)
async def test_without_a_key_that_is_known_the_answer_is_401(
    door: World, authorization: str | None
):
    headers = {} if authorization is None else {"Authorization": authorization}
    response = await door.client.post(PATH, json=ORDER, headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert "A" * 20 not in response.text
    assert await door.types() == []


async def test_a_scope_too_few_is_403_and_names_it(door: World):
    reader = door.key(door.merchant_id, "payments:read", "credits:write")
    response = await door.post(PATH, ORDER, key=reader)
    assert (response.status_code, response.json()["code"]) == (403, "insufficient_scope")
    assert 'scope="payments:write"' in response.headers["www-authenticate"]
    assert (await door.post("/v1/credit_accounts", {}, key=reader)).status_code == 201


async def test_who_may_write_may_read(ledger: World):
    writer = ledger.key(ledger.merchant_id, "payments:write")
    assert (await ledger.get(PATH, key=writer)).status_code == 200
    assert (await ledger.get("/v1/invoices", key=writer)).status_code == 403


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (25, "invalid_amount"),
        (25.0, "invalid_amount"),
        (True, "invalid_amount"),
        (None, "invalid_amount"),
        ("", "invalid_amount"),
        ("25.001", "invalid_amount"),
        ("-25", "invalid_amount"),
        ("+25", "invalid_amount"),
        ("NaN", "invalid_amount"),
        ("Infinity", "invalid_amount"),
        ("1e3", "invalid_amount"),
        ("0x10", "invalid_amount"),
        ("1_000", "invalid_amount"),
        ("1,000.00", "invalid_amount"),
        (" 25", "invalid_amount"),
        ("25\n", "invalid_amount"),
        ("025", "invalid_amount"),
        (".5", "invalid_amount"),
        ("5.", "invalid_amount"),
        ("٢٥", "invalid_amount"),
        ("0", "invalid_amount"),
        ("0.00", "invalid_amount"),
        ("9" * 80, "invalid_amount"),
        ("9" * 40, "invalid_amount"),
        ("9" * 5000, None),
        (["25.00"], "invalid_amount"),
        ({"value": "25"}, "invalid_amount"),
    ],
)
async def test_an_amount_is_a_plain_decimal_in_a_string(
    door: World, amount: object, code: str | None
):
    response = await door.post(PATH, {"amount": amount, "currency": "USD"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/amount"
    assert code in (None, response.json()["code"])
    assert await door.types() == []


@pytest.mark.parametrize(
    ("given", "code", "pointer"),
    [
        ({"currency": "DOGE"}, "unknown_asset", "/currency"),
        ({"currency": "USDC"}, "unknown_asset", "/currency"),
        ({"currency": 5}, "malformed", "/currency"),
        ({"currency": ""}, "malformed", "/currency"),
        ({"network": "bitcoin"}, "unknown_network", "/network"),
        ({"pay_with": []}, "malformed", "/pay_with"),
        ({"pay_with": [{"network": "sui"}]}, "malformed", "/pay_with/0/asset"),
        (
            {"pay_with": [{"network": "nowhere", "asset": "TAO"}]},
            "unknown_network",
            "/pay_with/0/network",
        ),
        (
            {"pay_with": [{"network": "sui", "asset": "TAO"}]},
            "unknown_asset",
            "/pay_with/0/asset",
        ),
        (
            {"network": "sui", "pay_with": [{"network": "ethereum", "asset": "ETH"}]},
            "malformed",
            "/pay_with/0/network",
        ),
        ({"pay_with": [{"network": "sui", "asset": "SUI"}] * 2}, "malformed", "/pay_with/1"),
        ({"price_lock_id": "pl_nothing"}, "not_found", "/price_lock_id"),
        ({"credit_account_id": "ca_nothing"}, "not_found", "/credit_account_id"),
        ({"credit_account_id": "pi_01kg9ys7g0ev9sbv73a4ec6efj"}, "not_found", "/credit_account_id"),
        ({"expires_in_seconds": 0}, "malformed", "/expires_in_seconds"),
        ({"expires_in_seconds": 86_401}, "malformed", "/expires_in_seconds"),
        ({"expires_in_seconds": "900"}, "malformed", "/expires_in_seconds"),
        ({"expires_in_seconds": 10**400}, "malformed", "/expires_in_seconds"),
        ({"tolerance": "0.11"}, "malformed", "/tolerance"),
        ({"tolerance": 0.01}, "malformed", "/tolerance"),
        ({"tolerance": "-0.01"}, "malformed", "/tolerance"),
        ({"tolerance": "0.0000001"}, "malformed", "/tolerance"),
        ({"metadata": {"a": 1}}, "malformed", "/metadata/a"),
        ({"metadata": {str(n): "x" for n in range(51)}}, "malformed", "/metadata"),
        ({"metadata": {"a/b~c": 1}}, "malformed", "/metadata/a~1b~0c"),
        ({"metadata": {"a": "\x00"}}, "malformed", "/metadata/a"),
        ({"reference": "x" * 201}, "malformed", "/reference"),
        ({"reference": "a\x00b"}, "malformed", "/reference"),
        ({"surprise": 1}, "malformed", "/surprise"),
    ],
)
async def test_what_is_wrong_is_pointed_at(door: World, given: dict, code: str, pointer: str):
    response = await door.post(PATH, {**ORDER, **given})
    assert response.status_code == (404 if code == "not_found" else 422)
    assert response.json()["code"] == code
    assert pointer in [it["pointer"] for it in response.json()["errors"]]
    assert await door.types() == []


async def test_everything_that_is_wrong_is_told_at_once(door: World):
    response = await door.post(PATH, {"amount": 1, "expires_in_seconds": 0})
    pointers = {it["pointer"] for it in response.json()["errors"]}
    assert pointers == {"/amount", "/currency", "/expires_in_seconds"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"1",
        b'{"amount": NaN}',
        b'{"amount": "1"} {}',
        b"\xff\xfe",
        b'{"a": "\xed\xa0\x80"}',
        b'{"metadata":' + b'{"a":' * 40 + b"1" + b"}" * 41,
        b"[" * 500_000,
    ],
)
async def test_what_is_no_json_object_is_400(door: World, body: bytes):
    headers = {
        "Authorization": f"Bearer {door.secret}",
        "Content-Type": "application/json",
        "Idempotency-Key": "a",
    }
    response = await door.client.post(PATH, content=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "malformed_json")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_another_media_type_is_415(door: World, headers: dict[str, str]):
    sent = {"Authorization": f"Bearer {door.secret}", "Idempotency-Key": "a", **headers}
    response = await door.client.post(PATH, content=b"{}", headers=sent)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


async def test_two_megabytes_are_413_announced_or_not(door: World):
    async def pieces():
        for _ in range(32):
            yield b" " * 65536

    headers = {
        "Authorization": f"Bearer {door.secret}",
        "Content-Type": "application/json",
        "Idempotency-Key": "a",
    }
    announced = await door.client.post(PATH, content=b" " * 2**21, headers=headers)
    unannounced = await door.client.post(PATH, content=pieces(), headers=headers)
    for response in (announced, unannounced):
        assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


async def test_endless_headers_are_431(door: World):
    response = await door.get(PATH, key="x" * 40_000)
    assert (response.status_code, response.json()["code"]) == (431, "headers_too_large")


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "tab\there"])
async def test_an_idempotency_key_is_printable_and_short(door: World, key: str):
    response = await door.client.post(
        PATH,
        json=ORDER,
        headers=[
            (b"Authorization", f"Bearer {door.secret}".encode()),
            (b"Idempotency-Key", key.encode()),
        ],
    )
    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_invalid")


async def test_money_is_not_moved_without_an_idempotency_key(door: World):
    response = await door.post(PATH, ORDER, once=None)
    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_missing")
    assert await door.types() == []


async def test_what_was_refused_may_be_sent_again_with_its_key(door: World):
    assert (await door.post(PATH, {**ORDER, "amount": 1}, once="a")).status_code == 422
    assert (await door.post(PATH, ORDER, once="a")).status_code == 201


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/nothing", "/v1/payment_intents/", "/v2/payment_intents", "/docs/x"]
)
async def test_nowhere_is_a_404_problem(door: World, path: str):
    response = await door.get(path)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", PATH, "POST, GET"),
        ("DELETE", f"{PATH}/pi_x", "GET"),
        ("GET", f"{PATH}/pi_x/cancel", "POST"),
        ("POST", "/health/live", "GET"),
        ("PATCH", "/v1/batch", "POST"),
    ],
)
async def test_another_method_is_405_and_says_which(
    door: World, method: str, path: str, allowed: str
):
    response = await door.client.request(method, path)
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"limit": "9" * 400}, "limit"),
        ({"colour": "red"}, "colour"),
        ({"status": "paid"}, "status"),
        ({"min_position": "-1"}, "min_position"),
        ({"min_position": "9" * 19}, "min_position"),
        ({"starting_after": "a", "ending_before": "b"}, "ending_before"),
        ({"starting_after": "a\x00"}, "starting_after"),
        ({"reference": ["a", "b"]}, "reference"),
    ],
)
async def test_a_wrong_parameter_is_named(door: World, query: dict, parameter: str):
    response = await door.get(PATH, **query)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_parameter")
    assert response.json()["errors"][0]["parameter"] == parameter


async def test_ids_of_any_shape_are_simply_not_there(ledger: World):
    for wanted in (
        "pi_x",
        "x",
        "%00",
        "pi_%C3%28",
        "ca_01kg9ys7g0ev9sbv73a4ec6efj",
        "%F0%9F%98%80",
    ):
        response = await ledger.get(f"{PATH}/{wanted}")
        assert (response.status_code, response.json()["code"]) == (404, "not_found"), wanted


async def test_a_request_id_of_ones_own_comes_back(door: World):
    response = await door.post(PATH, {}, **{"X-Request-Id": "mine-1"})
    assert response.headers["x-request-id"] == response.json()["request_id"] == "mine-1"
    other = await door.post(PATH, {}, **{"X-Request-Id": "no good\x7f"})
    assert other.headers["x-request-id"].startswith("req_")


async def test_too_many_requests_are_429_and_say_when_to_come_again():
    async with world(quota=2) as ledger:
        first = await ledger.post("/v1/credit_accounts", {})
        assert first.headers["ratelimit-policy"] == '"key";q=2;w=60'
        assert first.headers["ratelimit"].startswith('"key";r=1;')
        assert (await ledger.post("/v1/credit_accounts", {})).status_code == 201
        third = await ledger.post("/v1/credit_accounts", {})
        assert (third.status_code, third.json()["code"]) == (429, "rate_limited")
        assert third.headers["retry-after"] == "30"
        other = ledger.key(ledger.merchant_id)
        assert (await ledger.post("/v1/credit_accounts", {}, key=other)).status_code == 201
        ledger.clock.turn(seconds=30)
        assert (await ledger.post("/v1/credit_accounts", {})).status_code == 201


async def test_a_fault_is_a_500_that_says_nothing(door: World, caplog: pytest.LogCaptureFixture):
    async def broken(*_: object) -> None:
        raise RuntimeError("the secret is 1234")

    door.indexes.take = broken  # type: ignore[method-assign]
    response = await door.post(PATH, ORDER)
    assert (response.status_code, response.json()["code"]) == (500, "internal")
    assert "1234" not in response.text


async def test_a_store_that_is_away_is_503_with_retry_after(door: World):
    door.writer.stop()
    response = await door.post(PATH, ORDER)
    assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
    assert response.headers["retry-after"]


async def test_bounds_are_parts_of_the_application():
    async with world(limits=Limits(body_bytes_max=10)) as ledger:
        assert (await ledger.post(PATH, ORDER)).status_code == 413
