"""A line and the single request are one command, whatever is sent: both are done alike, or refused
alike.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from flamewire_ledger.api.contract import COMMANDS
from flamewire_ledger.api.models.batch import Line, PlainLine
from flamewire_ledger.api.operation import Operation
from tests.api.test_any_input import bodies
from tests.api.test_batch import send
from tests.api.world import World, world

# What the line calls what the path does.
NAMED: dict[str, dict[str, str]] = {
    "payment_intents": {"id": "payment_intent_id"},
    "credit_accounts": {
        "id": "credit_account_id",
        "hold": "hold_id",
        "rule": "recurring_grant_id",
    },
    "invoices": {"id": "invoice_id"},
    "plans": {"id": "plan_id"},
    "subscriptions": {"id": "subscription_id"},
}
# They ask read models: test_batches_that_read has them.
READING = {
    "record_disposal",
    "refund_credits",
    "refund_purchase",
    "resolve_reconciliation_exception",
}
METER = "me_01kayv3m8se0p9q7r2t4w6x8za"  # of nobody
ORDER = {"amount": "25.00", "currency": "USD"}
BREAD = {"description": "Bread", "quantity": "3", "unit_price": "3.50", "tax_rate": "7"}
TERMS = {
    "name": "Pro",
    "currency": "USD",
    "interval": {"unit": "month"},
    "fixed_prices": [{"name": "Pro plan", "amount": "30.00"}],
}
GOOD: dict[str, dict[str, Any]] = {
    "create_payment_intent": {**ORDER, "metadata": {"a": "b"}, "tolerance": "0.01"},
    "cancel_payment_intent": {},
    "resolve_payment_intent": {"choice": "write_off", "reason": "asked for"},
    "create_price_lock": {"base": "TAO", "quote": "CREDIT"},
    "create_credit_account": {"external_id": "customer-1", "overage_max": "5"},
    "grant_credits": {"amount": "5", "source": "granted", "expires_at": "2030-01-01T00:00:00Z"},
    "consume_credits": {"amount": "0.25", "reference": "call-1"},
    "hold_credits": {"amount": "0.5", "expires_in_seconds": 60},
    "capture_hold": {"amount": "0.1"},
    "release_hold": {},
    "transfer_credits": {"to": "ca_01kayv3m8se0p9q7r2t4w6x8za", "amount": "1"},
    "set_overage": {"overage_max": "1000", "reason": "as it was"},
    "create_recurring_grant": {"amount": "1", "every": "month"},
    "cancel_recurring_grant": {"reason": "no more"},
    "set_top_up": {"threshold": "10", "target": "50", "per_day_max": "100"},
    "remove_top_up": {},
    "set_usage_limit": {"meter_id": METER, "period": "day", "hard": "5"},
    "remove_usage_limit": {"meter_id": METER, "period": "day"},
    "grant_entitlement": {"feature": "rpc", "kind": "flag"},
    "revoke_entitlement": {"feature": "rpc"},
    "create_invoice": {"customer": {"name": "Ada"}, "currency": "USD", "lines": [BREAD]},
    "add_invoice_lines": {"lines": [BREAD]},
    "finalize_invoice": {},
    "pay_invoice": {"amount": "1.00"},
    "void_invoice": {"reason": "a mistake"},
    "mark_invoice_uncollectible": {"reason": "gone"},
    "create_credit_note": {"reason": "stale", "lines": [{"line": 1, "amount": "0.10"}]},
    "describe_seller": {"name": "Bakery", "tax_id": "DE123456789"},
    "create_plan": {"code": "pro", **TERMS},
    "revise_plan": {**TERMS, "trial_days": 7},
    "archive_plan": {},
    "create_subscription": {"credit_account_id": "", "plan": "kept", "quantity": 2},
    "change_plan": {"quantity": 3, "when": "now"},
    "pause_subscription": {"resume_at": "2026-03-01T00:00:00Z"},
    "resume_subscription": {},
    "cancel_subscription": {"when": "now"},
}
NAMES = [name for name in COMMANDS if name not in READING]
# What has to be done to a thing before the command can be done to it.
FIRST: dict[str, list[str]] = {
    "pay_invoice": ["finalize"],
    "void_invoice": ["finalize"],
    "mark_invoice_uncollectible": ["finalize"],
    "create_credit_note": ["finalize"],
    "resume_subscription": ["pause"],
}


async def thing_for(ledger: World, name: str, account: str) -> str | None:
    """The id of a new thing that this command can be done to; None where any there is will do."""
    ledger.sequence += 1
    tag = COMMANDS[name].tag
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        "invoices": ("/v1/invoices", GOOD["create_invoice"]),
        "plans": ("/v1/plans", {"code": f"plan-{ledger.sequence}", **TERMS}),
        "subscriptions": (
            "/v1/subscriptions",
            {**GOOD["create_subscription"], "credit_account_id": account},
        ),
    }
    if tag not in asked or "{id}" not in COMMANDS[name].path:
        return None
    path, body = asked[tag]
    made = await ledger.post(path, body)
    assert made.status_code == 201, made.text
    thing: str = made.json()["id"]
    for step in FIRST.get(name, ()):
        done = await ledger.post(f"{path}/{thing}/{step}")
        assert done.is_success, done.text
    return thing


def right(name: str, ids: dict[str, str]) -> dict[str, Any]:
    body = GOOD[name]
    return {**body, "credit_account_id": ids["ca"]} if name == "create_subscription" else body


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture(scope="module")
def standing(loop: asyncio.AbstractEventLoop) -> Iterator[tuple[World, dict[str, str]]]:
    """A ledger that outlives one example, and ids of things that are in it."""
    stack = AsyncExitStack()

    async def build() -> tuple[World, dict[str, str]]:
        made = await stack.enter_async_context(world(quota=10**9))
        account = (await made.post("/v1/credit_accounts", {"overage_max": "1000"})).json()["id"]
        path = f"/v1/credit_accounts/{account}"
        await made.post(f"{path}/grants", {"amount": "1000", "source": "granted"})
        held = (await made.post(f"{path}/holds", {"amount": "1"})).json()["id"]
        payment = (await made.post("/v1/payment_intents", ORDER)).json()["id"]
        rule = {"amount": "1", "every": "day"}
        made_rule = (await made.post(f"{path}/recurring_grants", rule)).json()["id"]
        assert (await made.post("/v1/plans", {"code": "kept", **TERMS})).status_code == 201
        ids = {"ca": account, "ho": held, "pi": payment, "rg": made_rule}
        for name in NAMES:
            thing = await thing_for(made, name, account)
            ids |= {} if thing is None else {name: thing}
        return made, ids

    yield loop.run_until_complete(build())
    loop.run_until_complete(stack.aclose())


def addressed(operation: Operation, ids: dict[str, str]) -> tuple[str, dict[str, str]]:
    """The path of the single request, and what the line says instead."""
    whole = NAMED.get(operation.tag, {})
    usual = ids["pi" if operation.tag == "payment_intents" else "ca"]
    named_id = ids.get(operation.name, usual)
    values = {"id": named_id, "hold": ids["ho"], "rule": ids["rg"]}
    named = {name: values[name] for name in whole if f"{{{name}}}" in operation.path}
    return operation.path.format(**named), {whole[name]: it for name, it in named.items()}


async def both(
    ledger: World, operation: Operation, ids: dict[str, str], body: Any, line_first: bool
) -> tuple[Any, Any]:
    """The answers of the single request and of the line with the same key."""
    ledger.sequence += 1
    key = f"once-{ledger.sequence}"
    path, named = addressed(operation, ids)
    params = {**body, **named} if isinstance(body, dict) else body
    line = {"id": key, "command": operation.name, "params": params}

    async def single() -> Any:
        headers = {
            "Authorization": f"Bearer {ledger.secret}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        content = json.dumps(body).encode()
        return await ledger.client.post(path, content=content, headers=headers)

    async def batched() -> Any:
        return json.loads((await send(ledger, json.dumps(line).encode())).text)

    if line_first:
        told = await batched()
        return await single(), told
    alone = await single()
    return alone, await batched()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("line_first", [True, False])
def test_what_is_right_is_one_command_in_both(
    standing: tuple[World, dict[str, str]],
    loop: asyncio.AbstractEventLoop,
    name: str,
    line_first: bool,
):
    ledger, ids = standing

    async def tried() -> tuple[Any, Any, str | None]:
        thing = await thing_for(ledger, name, ids["ca"])
        its = ids if thing is None else {**ids, name: thing}
        return *await both(ledger, COMMANDS[name], its, right(name, ids), line_first), thing

    alone, line, thing = loop.run_until_complete(tried())
    assert alone.is_success or thing is None, alone.text
    if not alone.is_success:
        assert (line["status"], line["code"]) == ("rejected", alone.json()["code"])
        return
    assert line["result"] == alone.json()
    assert line["replayed"] is not line_first
    assert alone.headers.get("idempotent-replayed", "false") == str(line_first).lower()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), line_first=st.booleans())
def test_whatever_is_sent_is_taken_or_refused_by_both(
    standing: tuple[World, dict[str, str]],
    loop: asyncio.AbstractEventLoop,
    name: str,
    data: st.DataObject,
    line_first: bool,
):
    ledger, ids = standing
    operation = COMMANDS[name]
    mended = st.dictionaries(st.sampled_from(sorted(GOOD[name]) or ["x"]), st.none(), max_size=1)
    body = data.draw(
        st.one_of(bodies(operation), st.builds(lambda it: {**right(name, ids), **it}, mended))
    )
    if not isinstance(body, dict):
        return  # a line is refused for its params then, which the single request has not
    alone, line = loop.run_until_complete(both(ledger, operation, ids, body, line_first))
    if alone.is_success:
        assert line["result"] == alone.json()
        return
    problem = alone.json()
    assert line["status"] == "rejected" or problem["code"] in ("contended", "store_unavailable")
    assert line["code"] == problem["code"]
    if line["code"] == "malformed_json":
        return  # says at which byte, and a line has others
    assert line["detail"] == problem["detail"]
    if "errors" in problem and problem["errors"][0]["pointer"]:
        told = [{**it, "pointer": it["pointer"].removeprefix("/params")} for it in line["errors"]]
        assert told == problem["errors"]


LINES = st.fixed_dictionaries(
    {},
    optional={
        "id": st.one_of(st.text(max_size=3), st.just("x" * 256), st.none(), st.integers()),
        "command": st.one_of(st.text(max_size=3), st.just("consume_credits"), st.none()),
        "params": st.one_of(
            st.dictionaries(st.text(max_size=3), st.integers(), max_size=2), st.none(), st.just([])
        ),
        "more": st.integers(),
    },
)


@settings(max_examples=300)
@given(LINES)
def test_a_line_read_in_one_step_is_the_line_read_with_care(line: dict[str, Any]):
    try:
        careful = Line.model_validate(line)
    except ValidationError:
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(json.dumps(line), type=PlainLine)
        return
    plain = msgspec.json.decode(json.dumps(line), type=PlainLine)
    assert msgspec.structs.asdict(plain) == careful.model_dump()
