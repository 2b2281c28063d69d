"""Credits over HTTP."""

from __future__ import annotations

import pytest

from tests.api.world import World


async def account(ledger: World, **given: object) -> str:
    response = await ledger.post("/v1/credit_accounts", given)
    assert response.status_code == 201, response.text
    return f"/v1/credit_accounts/{response.json()['id']}"


async def granted(ledger: World, path: str, amount: str, **given: object) -> dict:
    body = {"amount": amount, "source": "granted", **given}
    response = await ledger.post(f"{path}/grants", body)
    assert response.status_code == 201, response.text
    return response.json()


def short(balance: dict) -> dict[str, str]:
    names = ("available", "held", "granted", "consumed", "expired")
    return {name: balance[name] for name in names}


async def test_a_fresh_account_is_answered_as_it_is_read(ledger: World):
    created = await ledger.post(
        "/v1/credit_accounts", {"external_id": "customer-1", "name": "Åsa"}, once=None
    )
    read = await ledger.get(f"/v1/credit_accounts/{created.json()['id']}")
    assert read.json() == created.json()


async def test_nothing_has_to_be_said_to_open_one(door: World):
    assert (
        await door.client.post(
            "/v1/credit_accounts", headers={"Authorization": f"Bearer {door.secret}"}
        )
    ).status_code == 201


async def test_grants_burn_in_their_order_and_the_answers_agree(ledger: World):
    path = await account(ledger)
    later = await granted(ledger, path, "10", expires_at="2026-03-01T00:00:00Z")
    sooner = await granted(ledger, path, "5", expires_at="2026-02-10T00:00:00+01:00")
    assert sooner["expires_at"] == "2026-02-09T23:00:00Z"
    burnt = (await ledger.post(f"{path}/consume", {"amount": "7.5", "reference": "call"})).json()
    assert [(it["grant_id"], it["amount"]) for it in burnt["slices"]] == [
        (sooner["id"], "5.000000"),
        (later["id"], "2.500000"),
    ]
    read = (await ledger.get(path)).json()
    assert read["balance"] == burnt["balance"]
    assert [(it["id"], it["remaining"]) for it in read["grants"]] == [(later["id"], "7.500000")]
    assert short(read["balance"]) == {
        "available": "7.500000",
        "held": "0.000000",
        "granted": "15.000000",
        "consumed": "7.500000",
        "expired": "0.000000",
    }


async def test_not_enough_credits_is_402_and_says_what_there_is(door: World):
    path = await account(door)
    await granted(door, path, "1")
    response = await door.post(f"{path}/consume", {"amount": "1.000001"})
    assert response.status_code == 402
    body = response.json()
    assert (body["code"], body["available"]) == ("insufficient_credits", "1.000000")
    assert "credit_account.consumed.v1" not in await door.types()


async def test_an_overage_lets_it_go_below_zero(door: World):
    path = await account(door, overage_max="2")
    burnt = await door.post(f"{path}/consume", {"amount": "1.5"})
    assert burnt.json()["overage"] == "1.500000"
    assert burnt.json()["balance"]["owed"] == "1.500000"
    assert (await door.post(f"{path}/consume", {"amount": "0.6"})).status_code == 402


async def test_a_hold_is_captured_in_part_and_the_rest_comes_back(ledger: World):
    path = await account(ledger)
    await granted(ledger, path, "10")
    held = await ledger.post(f"{path}/holds", {"amount": "4", "expires_in_seconds": 60})
    assert (held.status_code, held.json()["status"]) == (201, "held")
    hold = f"{path}/holds/{held.json()['id']}"
    shown = {k: v for k, v in held.json().items() if k != "balance"}
    assert (await ledger.get(hold)).json() == shown
    captured = (await ledger.post(f"{hold}/capture", {"amount": "1.5", "reference": "call"})).json()
    assert (captured["status"], captured["amount"], captured["captured"]) == (
        "captured",
        "4.000000",
        "1.500000",
    )
    assert captured["balance"]["available"] == "8.500000"
    shown = {k: v for k, v in captured.items() if k != "balance"}
    assert (await ledger.get(hold)).json() == shown
    again = await ledger.post(f"{hold}/capture", {})
    assert again.status_code in (404, 409)
    listed = (await ledger.get(f"{path}/holds", status="captured")).json()
    assert [it["id"] for it in listed["data"]] == [captured["id"]]


async def test_a_hold_is_released_without_a_body(ledger: World):
    path = await account(ledger)
    await granted(ledger, path, "10")
    held = (await ledger.post(f"{path}/holds", {"amount": "4"})).json()
    released = await ledger.post(f"{path}/holds/{held['id']}/release")
    assert released.status_code == 200
    assert released.json()["status"] == "released"
    assert released.json()["balance"]["available"] == "10.000000"
    read = await ledger.get(f"{path}/holds/{held['id']}")
    assert read.json()["status"] == "released"


async def test_what_has_lapsed_is_not_available_whether_or_not_somebody_said_so(ledger: World):
    path = await account(ledger)
    await granted(ledger, path, "10", expires_at="2026-01-31T12:01:00Z")
    ledger.clock.turn(minutes=2)
    balance = (await ledger.get(path)).json()["balance"]
    assert (balance["available"], balance["expired"]) == ("0.000000", "10.000000")
    assert (await ledger.post(f"{path}/consume", {"amount": "1"})).status_code == 402


async def test_entries_tell_every_change_newest_first(ledger: World):
    path = await account(ledger)
    grant = await granted(ledger, path, "10")
    await ledger.post(f"{path}/consume", {"amount": "4", "reference": "call"})
    entries = (await ledger.get(f"{path}/entries")).json()["data"]
    assert [(it["kind"], it["available"], it["balance"]) for it in entries] == [
        ("consumed", "-4.000000", "6.000000"),
        ("granted", "10.000000", "10.000000"),
    ]
    assert entries[0]["slices"][0]["grant_id"] == grant["id"]
    page = (await ledger.get(f"{path}/entries", limit=1)).json()
    assert page["has_more"] is True
    rest = await ledger.get(f"{path}/entries", starting_after=page["data"][0]["id"])
    assert [it["kind"] for it in rest.json()["data"]] == ["granted"]
    assert (await ledger.get(f"{path}/entries", starting_after="x")).status_code == 422


async def test_an_account_is_shown_as_it_was_at_a_position(ledger: World):
    path = await account(ledger)
    position = (await granted(ledger, path, "10"))["position"]
    await ledger.post(f"{path}/consume", {"amount": "4"})
    then = (await ledger.get(path, as_of=position)).json()
    assert then["position"] == position
    assert then["balance"]["available"] == "10.000000"
    assert len(then["grants"]) == 1
    before = await ledger.get(path, as_of=1)
    assert before.status_code == 404


async def test_accounts_are_found_by_ones_own_name_for_them(ledger: World):
    await account(ledger, external_id="a")
    path = await account(ledger, external_id="b")
    data = (await ledger.get("/v1/credit_accounts", external_id="b")).json()["data"]
    assert [f"/v1/credit_accounts/{it['id']}" for it in data] == [path]
    assert len((await ledger.get("/v1/credit_accounts")).json()["data"]) == 2


async def test_another_merchants_account_is_not_there(ledger: World):
    path = await account(ledger)
    await granted(ledger, path, "10")
    held = (await ledger.post(f"{path}/holds", {"amount": "1"})).json()
    stranger = ledger.key(await ledger.merchant("other"))
    before = await ledger.types()
    for method, where, body in (
        ("get", "", None),
        ("get", "/entries", None),
        ("get", "/holds", None),
        ("get", f"/holds/{held['id']}", None),
        ("get", "?as_of=2", None),
        ("post", "/grants", {"amount": "1", "source": "granted"}),
        ("post", "/consume", {"amount": "1"}),
        ("post", "/holds", {"amount": "1"}),
        ("post", f"/holds/{held['id']}/capture", {}),
        ("post", f"/holds/{held['id']}/release", {}),
    ):
        if method == "get":
            response = await ledger.get(path + where, key=stranger)
        else:
            response = await ledger.post(path + where, body, key=stranger)
        assert (response.status_code, response.json()["code"]) == (404, "not_found"), where
    assert await ledger.types() == before


async def test_a_repeat_burns_nothing_more(door: World):
    path = await account(door)
    await granted(door, path, "10")
    first = await door.post(f"{path}/consume", {"amount": "4"}, once="call-1")
    await door.post(f"{path}/consume", {"amount": "6"}, once="call-2")
    again = await door.post(f"{path}/consume", {"amount": "4"}, once="call-1")
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("operation", ["grants", "consume", "holds"])
async def test_what_moves_credits_needs_an_idempotency_key(door: World, operation: str):
    path = await account(door)
    response = await door.post(f"{path}/{operation}", {"amount": "1"}, once=None)
    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_missing")


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"source": "stolen"}, "/source"),
        ({"priority": -1}, "/priority"),
        ({"priority": "50"}, "/priority"),
        ({"priority": 1.5}, "/priority"),
        ({"expires_at": "tomorrow"}, "/expires_at"),
        ({"expires_at": "2026-02-31T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "2026-02-01T00:00:00"}, "/expires_at"),
        ({"expires_at": 1_800_000_000}, "/expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-23:59"}, "/expires_at"),
        ({"note": "x"}, "/note"),
    ],
)
async def test_a_malformed_grant_is_refused_with_its_pointer(
    door: World, given: dict, pointer: str
):
    path = await account(door)
    body = {"amount": "1", "source": "granted", **given}
    response = await door.post(f"{path}/grants", body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == pointer
    assert "credit_account.granted.v1" not in await door.types()
