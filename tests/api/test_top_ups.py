"""Automatic top-ups: asked for once for a lack of credits, counted, limited, and left alone for an hour
when nothing came of it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from flamewire_ledger.commands import payment
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment import ConfirmTransfer
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.processes.checkpoint import MemoryCheckpoints, MemoryDeadLetters
from flamewire_ledger.processes.deadlines import Deadlines
from flamewire_ledger.processes.reaction import Reactions
from flamewire_ledger.processes.reactor import Reactor
from flamewire_ledger.processes.settlement import Settlement
from flamewire_ledger.processes.topping_up import ToppingUp
from flamewire_ledger.wiring.topping_up import ApiIntents
from tests.api.test_credit_accounts import account, granted
from tests.api.world import World

RULE = {"threshold": "10", "target": "50", "cooldown_seconds": 300}


async def ruled(ledger: World, **changes: Any) -> str:
    path = await account(ledger)
    response = await ledger.post(f"{path}/top_up", {**RULE, **changes})
    assert response.status_code == 200, response.text
    return path


def worker(ledger: World) -> ToppingUp:
    intents = ApiIntents(ledger.parts)
    return ToppingUp(ledger.reads, ledger.writer, intents, {False: ledger.clock})


async def sweep(ledger: World, topping_up: ToppingUp | None = None) -> list[str]:
    """What a look does, by the types of the top-ups' events."""
    before = len(await ledger.events())
    await ledger.reads.wait_for(0, before, (), 2)
    await (topping_up or worker(ledger)).sweep(livemode=False)
    events = (await ledger.events())[before:]
    return [it.type.removesuffix(".v1") for it in events if it.type.startswith("top_up.")]


async def rule_of(ledger: World, path: str) -> dict[str, Any]:
    found: dict[str, Any] = (await ledger.get(f"{path}/top_up")).json()
    return found


async def pay(ledger: World, intent_id: str) -> None:
    """The whole of it, and its credits."""
    intent = (await ledger.get(f"/v1/payment_intents/{intent_id}")).json()
    option = intent["payment_options"][0]
    chain = next(it for it in ledger.chains if it.network.name == option["network"])
    token = chain.network.token(option["asset"])
    assert token is not None
    amount = Amount(token.asset, int(option["amount_minor"]))
    now = ledger.clock.now()
    transfer = Transfer(option["network"], f"0x{intent_id}", 0, option["address"], amount)
    command = ConfirmTransfer(intent_id, transfer, Block(1, "0xb", now), 3, now, now)
    origin = Origin(command_id("pay", intent_id), ledger.merchant_id, "watcher:test")
    assert isinstance(await ledger.writer.submit(payment.envelope(origin, command)), Done)


async def settle(ledger: World) -> None:
    reactor = Reactor(
        ledger.store,
        Reactions(ledger.store, ledger.codec, ledger.writer),
        (Settlement(),),
        MemoryCheckpoints(),
        MemoryDeadLetters(),
    )
    await reactor.catch_up(0)


async def test_a_lack_of_credits_asks_for_a_payment_once(ledger: World):
    path = await ruled(ledger)
    await granted(ledger, path, "12")
    assert await sweep(ledger) == []
    await ledger.post(f"{path}/consume", {"amount": "5"})
    assert await sweep(ledger) == ["top_up.requested"]
    assert await sweep(ledger) == []
    rule = await rule_of(ledger, path)
    intent = (await ledger.get(f"/v1/payment_intents/{rule['payment_intent_id']}")).json()
    assert (intent["amount"], intent["currency"]) == ("43.00", "USD")
    assert intent["credit_account_id"] == path.rpartition("/")[2]
    assert intent["payment_options"]


async def test_many_workers_and_many_consumptions_ask_once(ledger: World):
    path = await ruled(ledger)
    await granted(ledger, path, "20")
    await asyncio.gather(
        *(ledger.post(f"{path}/consume", {"amount": "1"}) for _ in range(15)),
    )
    await ledger.reads.wait_for(0, len(await ledger.events()), (), 2)
    await asyncio.gather(*(worker(ledger).sweep(livemode=False) for _ in range(6)))
    types = await ledger.types()
    assert types.count("top_up.requested.v1") == 1
    assert types.count("payment.requested.v1") == 1


async def test_it_is_paid_when_the_credits_are_there(ledger: World):
    path = await ruled(ledger)
    assert await sweep(ledger) == ["top_up.requested"]
    await pay(ledger, (await rule_of(ledger, path))["payment_intent_id"])
    assert await sweep(ledger) == []  # succeeded, but nothing is granted yet
    await settle(ledger)
    assert await sweep(ledger) == ["top_up.closed"]
    assert await sweep(ledger) == []
    rule = await rule_of(ledger, path)
    assert [it["outcome"] for it in rule["requests"]] == ["paid"]
    balance = (await ledger.get(path)).json()["balance"]
    assert balance["available"] == "50.000000"


async def test_an_hour_passes_after_one_that_nobody_paid(ledger: World):
    await ruled(ledger)
    assert await sweep(ledger) == ["top_up.requested"]
    ledger.clock.turn(hours=1)
    await ledger.reads.wait_for(0, len(await ledger.events()), (), 2)
    await Deadlines(ledger.reads, ledger.writer, {False: ledger.clock}).sweep(livemode=False)
    assert await sweep(ledger) == ["top_up.closed"]
    ledger.clock.turn(minutes=59)
    assert await sweep(ledger) == []
    ledger.clock.turn(minutes=1)
    assert await sweep(ledger) == ["top_up.requested"]


async def test_what_cannot_be_asked_for_is_left_alone_for_an_hour(ledger: World):
    path = await ruled(ledger)
    prices = dict(ledger.quotes)
    ledger.quotes.clear()
    no_ways = replace(ledger.parts, test=replace(ledger.parts.test, chains=()))
    broken = ToppingUp(ledger.reads, ledger.writer, ApiIntents(no_ways), {False: ledger.clock})
    assert await sweep(ledger, broken) == ["top_up.refused"]
    ledger.quotes.update(prices)
    ledger.clock.turn(minutes=59)
    assert await sweep(ledger) == []
    assert (await rule_of(ledger, path))["refused"].startswith("unknown_network")
    ledger.clock.turn(minutes=1)
    assert await sweep(ledger) == ["top_up.requested"]
    assert (await rule_of(ledger, path))["refused"] is None


async def test_a_day_has_a_most(ledger: World):
    path = await ruled(ledger, target=None, amount="30", per_day_max="50", cooldown_seconds=0)
    assert await sweep(ledger) == ["top_up.requested"]
    await pay(ledger, (await rule_of(ledger, path))["payment_intent_id"])
    await settle(ledger)
    await ledger.post(f"{path}/consume", {"amount": "25"})
    assert await sweep(ledger) == ["top_up.closed"]
    assert await sweep(ledger) == []  # 60 would be too many today
    ledger.clock.turn(hours=12)
    assert await sweep(ledger) == ["top_up.requested"]


async def test_three_within_ten_minutes_raise_an_alarm(ledger: World):
    path = await ruled(ledger, cooldown_seconds=0)
    seen: list[str] = []
    for _ in range(3):
        seen += await sweep(ledger)
        await pay(ledger, (await rule_of(ledger, path))["payment_intent_id"])
        await settle(ledger)
        await ledger.post(f"{path}/consume", {"amount": "45"})
        seen += await sweep(ledger)
        ledger.clock.turn(minutes=1)
    assert seen.count("top_up.requested") == 3
    assert seen.count("top_up.alarmed") == 1
    assert (await rule_of(ledger, path))["alarmed_at"] is not None


async def test_a_rule_that_was_removed_asks_no_more(ledger: World):
    path = await ruled(ledger)
    removed = await ledger.post(f"{path}/top_up/remove", {})
    assert removed.json()["status"] == "removed"
    assert await sweep(ledger) == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"amount": "5"}, "/target"),
        ({"target": None}, "/target"),
        ({"target": "5"}, "/target"),
        ({"threshold": "0"}, "/threshold"),
        ({"pay_with": [{"network": "moon", "asset": "TAO"}]}, "/pay_with/0/network"),
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused(door: World, changes: dict, pointer: str):
    path = await account(door)
    response = await door.post(f"{path}/top_up", {**RULE, **changes})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == pointer


async def test_credits_may_cost_something_else(ledger: World):
    ledger.parts = replace(
        ledger.parts, offer=replace(ledger.parts.offer, credit_price=Decimal("0.003"))
    )
    path = await ruled(ledger)
    assert await sweep(ledger) == ["top_up.requested"]
    rule = await rule_of(ledger, path)
    intent = (await ledger.get(f"/v1/payment_intents/{rule['payment_intent_id']}")).json()
    assert intent["amount"] == "0.15"
