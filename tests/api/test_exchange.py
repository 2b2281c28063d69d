"""The outermost layer: what is logged, and what becomes of those who leave."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from flamewire_ledger.api.app import create_app
from flamewire_ledger.commands.decider import Contended
from tests.api.world import World, app_over

ORDER = {"amount": "25.00", "currency": "USD"}


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """What is logged, with requests among it."""
    logger = logging.getLogger("flamewire_ledger.api.exchange")
    logger.setLevel(logging.INFO)
    with structlog.testing.capture_logs() as captured:
        yield captured
    logger.setLevel(logging.NOTSET)


async def test_a_request_is_logged_with_its_ids_and_without_its_key(door: World, lines: list[Any]):
    response = await door.post("/v1/payment_intents", ORDER)
    (line,) = [it for it in lines if it["event"] == "request"]
    assert line["request_id"] == response.headers["x-request-id"]
    assert (line["method"], line["path"], line["status"]) == ("POST", "/v1/payment_intents", 201)
    assert line["merchant_id"] == door.merchant_id
    assert line["key_id"].startswith("key_")
    assert door.secret not in str(lines)


async def test_a_fault_is_logged_once(door: World, lines: list[Any]):
    async def broken(_: str) -> int:
        raise RuntimeError("broken")

    door.indexes.take = broken  # type: ignore[method-assign]
    await door.post("/v1/payment_intents", ORDER)
    assert [it["event"] for it in lines if it["log_level"] == "error"] == ["request failed"]


async def test_who_leaves_in_the_middle_is_no_fault(door: World, lines: list[Any]):
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/payment_intents",
        "raw_path": b"/v1/payment_intents",
        "query_string": b"",
        "headers": [
            (b"authorization", f"Bearer {door.secret}".encode()),
            (b"content-type", b"application/json"),
            (b"idempotency-key", b"a"),
        ],
    }
    await create_app(door.parts)(scope, receive, send)
    assert sent == []
    assert not [it for it in lines if it["log_level"] == "error"]


class Beaten:
    """A writer that always comes too late."""

    async def submit(self, envelope: Any) -> Contended:
        return Contended(("pi_x",))

    async def submit_many(self, envelopes: Any) -> list[Contended]:
        return [Contended(("pi_x",)) for _ in envelopes]


async def test_what_others_kept_changing_is_503_and_nothing_is_done(door: World):
    async with app_over(door, Beaten()) as client:  # type: ignore[arg-type]
        headers = {"Authorization": f"Bearer {door.secret}", "Idempotency-Key": "a"}
        response = await client.post("/v1/payment_intents", json=ORDER, headers=headers)
        assert (response.status_code, response.json()["code"]) == (503, "contended")
        assert response.headers["retry-after"]
        line = b'{"id":"a","command":"create_credit_account"}'
        headers = {**headers, "Content-Type": "application/x-ndjson"}
        answer = (await client.post("/v1/batch", content=line, headers=headers)).json()
        assert (answer["status"], answer["code"]) == ("conflict", "contended")


async def test_a_refused_request_claims_no_address(ledger: World):
    address = ledger.chains[1].deposit(999).address
    account = (await ledger.post("/v1/credit_accounts", {})).json()["id"]
    given = {"network": "ethereum", "recipient": address, "credit_account_id": account}
    tiny = {"amount": "0.000000000000000001", "currency": "ETH", **given}
    assert (await ledger.post("/v1/payment_intents", tiny)).status_code == 422
    assert (await ledger.post("/v1/payment_intents", {**ORDER, **given})).status_code == 201
