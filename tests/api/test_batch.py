"""Many commands in one request."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from flamewire_ledger.api.batch import LINES_AT_ONCE
from flamewire_ledger.commands.writer import Writer
from tests.api.world import World, app_over


async def batch(ledger: World, *lines: Any, key: str | None = None) -> list[dict[str, Any]]:
    body = b"\n".join(it if isinstance(it, bytes) else json.dumps(it).encode() for it in lines)
    response = await send(ledger, body, key)
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.split("\n")[:-1]]


async def send(ledger: World, body: bytes, key: str | None = None) -> httpx.Response:
    headers = {
        "Authorization": f"Bearer {key or ledger.secret}",
        "Content-Type": "application/x-ndjson",
    }
    return await ledger.client.post("/v1/batch", content=body, headers=headers)


async def account(ledger: World) -> str:
    created = (await ledger.post("/v1/credit_accounts", {})).json()
    await ledger.post(
        f"/v1/credit_accounts/{created['id']}/grants", {"amount": "10", "source": "granted"}
    )
    return created["id"]


def consume(name: str, account_id: str, amount: str) -> dict[str, Any]:
    params = {"credit_account_id": account_id, "amount": amount}
    return {"id": name, "command": "consume_credits", "params": params}


async def test_a_batch_says_how_far_it_came(door: World):
    owner = await account(door)
    lines = [consume(name, owner, "1") for name in ("a", "b")]
    response = await send(door, b"\n".join(json.dumps(line).encode() for line in lines))
    last = json.loads(response.text.splitlines()[-1])
    assert response.headers["x-ledger-position"] == str(last["position"])
    refused = await send(door, json.dumps(consume("c", owner, "100")).encode())
    assert "x-ledger-position" not in refused.headers


async def test_lines_are_answered_in_their_order_each_for_itself(door: World):
    owner = await account(door)
    answers = await batch(
        door,
        consume("a", owner, "4"),
        consume("b", owner, "7"),
        {"id": "c", "command": "create_payment_intent", "params": {"amount": 5, "currency": "USD"}},
        {"id": "d", "command": "fly", "params": {}},
        b"{nonsense",
        consume("e", owner, "6"),
    )
    assert [(it["id"], it["status"], it["code"]) for it in answers] == [
        ("a", "ok", None),
        ("b", "rejected", "insufficient_credits"),
        ("c", "rejected", "invalid_amount"),
        ("d", "rejected", "unknown_command"),
        (None, "rejected", "malformed_json"),
        ("e", "ok", None),
    ]
    assert answers[5]["result"]["balance"]["available"] == "0.000000"
    assert answers[2]["errors"][0]["pointer"] == "/params/amount"
    assert (await door.types()).count("credit_account.consumed.v1") == 2


async def test_a_line_is_the_single_request_with_its_key(door: World):
    owner = await account(door)
    path = f"/v1/credit_accounts/{owner}/consume"
    single = await door.post(path, {"amount": "4"}, once="a")
    (line,) = await batch(door, consume("a", owner, "4"))
    assert (line["status"], line["replayed"], line["result"]) == ("ok", True, single.json())
    (first,) = await batch(door, consume("b", owner, "1"))
    again = await door.post(path, {"amount": "1"}, once="b")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first["result"]
    assert first["position"] == first["result"]["position"]


async def test_a_line_twice_in_one_batch_is_done_once(door: World):
    owner = await account(door)
    first, again, other = await batch(
        door, consume("a", owner, "4"), consume("a", owner, "4"), consume("a", owner, "5")
    )
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert first["result"] == again["result"]
    assert (other["status"], other["code"]) == ("rejected", "idempotency_key_reused")


async def test_every_command_of_the_contract_can_be_a_line(door: World):
    owner = await account(door)
    made, lock, opened, held = await batch(
        door,
        {
            "id": "1",
            "command": "create_payment_intent",
            "params": {"amount": "25.00", "currency": "USD"},
        },
        {"id": "2", "command": "create_price_lock", "params": {"base": "TAO", "quote": "USD"}},
        {"id": "3", "command": "create_credit_account"},
        {
            "id": "4",
            "command": "hold_credits",
            "params": {"credit_account_id": owner, "amount": "3"},
        },
    )
    assert {it["status"] for it in (made, lock, opened, held)} == {"ok"}
    canceled, captured = await batch(
        door,
        {
            "id": "5",
            "command": "cancel_payment_intent",
            "params": {"payment_intent_id": made["result"]["id"]},
        },
        {
            "id": "6",
            "command": "capture_hold",
            "params": {
                "credit_account_id": owner,
                "hold_id": held["result"]["id"],
                "amount": "1",
            },
        },
    )
    assert canceled["result"]["status"] == "canceled"
    assert captured["result"]["status"] == "captured"


async def test_a_line_needs_the_scope_of_its_command(door: World):
    owner = await account(door)
    reader = door.key(door.merchant_id, "credits:read")
    (line,) = await batch(door, consume("a", owner, "1"), key=reader)
    assert (line["status"], line["code"]) == ("rejected", "insufficient_scope")


async def test_another_merchants_account_is_not_there(door: World):
    owner = await account(door)
    stranger = door.key(await door.merchant("other"))
    (line,) = await batch(door, consume("a", owner, "1"), key=stranger)
    assert (line["status"], line["code"]) == ("rejected", "not_found")


async def test_a_batch_has_its_bounds(door: World):
    too_many = b"{}\n" * 1001
    response = await send(door, too_many)
    assert (response.status_code, response.json()["code"]) == (413, "batch_too_large")
    assert (await send(door, b" " * 2**21)).status_code == 413
    assert (await send(door, b"")).text == ""


async def test_a_thousand_lines_are_one_request(door: World):
    owner = await account(door)
    answers = await batch(door, *(consume(f"call-{n}", owner, "0.01") for n in range(1000)))
    assert [it["id"] for it in answers] == [f"call-{n}" for n in range(1000)]
    assert answers[-1]["result"]["balance"]["available"] == "0.000000"


async def test_other_requests_go_in_between_the_lines_of_a_batch(door: World):
    owner = await account(door)
    turns = 0

    async def wait_for_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    class Watched(Writer):
        turns_before = 0

        async def submit_many(self, envelopes: Any) -> Any:
            self.turns_before = turns
            return await door.writer.submit_many(envelopes)

    watched = Watched(door.store, door.codec)
    lines = [json.dumps(consume(f"call-{n}", owner, "0.001")).encode() for n in range(1000)]
    headers = {
        "Authorization": f"Bearer {door.secret}",
        "Content-Type": "application/x-ndjson",
    }
    async with app_over(door, watched) as client:
        waiting = asyncio.create_task(wait_for_turns())
        await client.post("/v1/batch", content=b"\n".join(lines), headers=headers)
        waiting.cancel()
    assert watched.turns_before >= 1000 // LINES_AT_ONCE - 1  # its first is the waiter's start


async def test_json_is_no_ndjson(door: World):
    assert (await door.post("/v1/batch", {})).status_code == 415
