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
from flamewire_ledger.domain.payment import ConfirmTransfer, DropTransfer, PaymentTransferConfirmed
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.processes import topping_up
from flamewire_ledger.processes.checkpoint import MemoryCheckpoints, MemoryDeadLetters
from flamewire_ledger.processes.deadlines import Deadlines
from flamewire_ledger.processes.reaction import Reactions
from flamewire_ledger.processes.reactor import Reactor
from flamewire_ledger.processes.reversal import Reversal
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


async def sweep(ledger: World, at_work: ToppingUp | None = None) -> list[str]:
    """What a look does, by the types of the top-ups' events."""
    before = len(await ledger.events())
    await ledger.reads.wait_for(0, before, (), 2)
    await (at_work or worker(ledger)).sweep(livemode=False)
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
    origin = Origin(command_id("pay", intent_id, str(now)), ledger.merchant_id, "watcher:test")
    assert isinstance(await ledger.writer.submit(payment.envelope(origin, command)), Done)


async def settle(ledger: World) -> None:
    reactor = Reactor(
        ledger.store,
        Reactions(ledger.store, ledger.codec, ledger.writer),
        (Settlement(), Reversal()),
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


async def take_back(ledger: World, intent_id: str) -> None:
    """The chain takes back what had paid, and the books follow."""
    events = await ledger.store.read_stream(0, intent_id)
    facts = [ledger.codec.decode(each) for each in events]
    transfer = next(it.transfer for it in facts if isinstance(it, PaymentTransferConfirmed))
    origin = Origin(command_id("drop", intent_id), ledger.merchant_id, "watcher:test")
    dropped = DropTransfer(intent_id, transfer, ledger.clock.now())
    assert isinstance(await ledger.writer.submit(payment.envelope(origin, dropped)), Done)
    await settle(ledger)


async def paid_and_taken_back(ledger: World, spent: bool = False) -> tuple[str, str]:
    """An account whose top-up was paid, and whose payment the chain has taken back."""
    path = await ruled(ledger)
    assert await sweep(ledger) == ["top_up.requested"]
    intent = (await rule_of(ledger, path))["payment_intent_id"]
    await pay(ledger, intent)
    await settle(ledger)
    assert await sweep(ledger) == ["top_up.closed"]
    if spent:
        await ledger.post(f"{path}/consume", {"amount": "30"})
    ledger.clock.turn(minutes=6)
    await take_back(ledger, intent)
    return path, intent


async def test_what_the_chain_took_back_and_may_come_again_is_not_asked_for_twice(ledger: World):
    path, intent = await paid_and_taken_back(ledger)
    assert await sweep(ledger) == ["top_up.reopened"]
    assert await sweep(ledger) == []
    assert (await rule_of(ledger, path))["payment_intent_id"] == intent
    await pay(ledger, f"{intent}")  # it is in another block

    assert await sweep(ledger) == []  # its credits are not there yet
    await settle(ledger)
    assert await sweep(ledger) == ["top_up.closed"]
    assert await sweep(ledger) == []
    assert (await rule_of(ledger, path))["requests"][0]["outcome"] == "paid"


async def test_nobody_asks_before_what_was_taken_back_is_looked_at(ledger: World):
    """Whoever saw the lack before the read model had the payment looks at the payment itself."""
    await paid_and_taken_back(ledger)
    at_work, ask = worker(ledger), ledger.reads.ask

    class SeesNothingTakenBack:
        async def ask(self, projection: str, question: str, parameters: Any) -> Any:
            rows = await ask(projection, question, parameters)
            return [] if question == "top_ups_taken_back" else rows

    at_work._reads = SeesNothingTakenBack()
    assert await sweep(ledger, at_work) == []
    assert await sweep(ledger) == ["top_up.reopened"]


@pytest.mark.parametrize("spent", [False, True])
async def test_what_is_gone_for_good_is_asked_for_again_and_counts_for_nothing(
    ledger: World, spent: bool
):
    path, intent = await paid_and_taken_back(ledger, spent)
    assert await sweep(ledger) == ["top_up.reopened"]
    ledger.clock.turn(minutes=59)
    assert await sweep(ledger) == []

    ledger.clock.turn(minutes=2)
    await Deadlines(ledger.reads, ledger.writer, {False: ledger.clock}).sweep(livemode=False)
    await ledger.reads.wait_for(0, len(await ledger.events()), (), 2)

    assert await sweep(ledger) == ["top_up.closed"]
    assert await sweep(ledger) == ["top_up.requested"]
    newest, oldest = (await rule_of(ledger, path))["requests"]
    assert (oldest["payment_intent_id"], oldest["outcome"]) == (intent, "taken_back")
    assert newest["amount"] == ("80.000000" if spent else "50.000000")


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


async def test_of_a_target_a_day_asks_for_what_it_may(ledger: World):
    path = await ruled(ledger, per_day_max="30", per_month_max="45", cooldown_seconds=0)
    for hours, asked in ((0, ["30.00"]), (1, []), (12, ["30.00"]), (24, ["15.00"]), (24, [])):
        ledger.clock.turn(hours=hours)
        assert await sweep(ledger) == ["top_up.requested"] * len(asked)
        if asked:
            intent_id = (await rule_of(ledger, path))["payment_intent_id"]
            intent = (await ledger.get(f"/v1/payment_intents/{intent_id}")).json()
            assert [intent["amount"]] == asked
            await pay(ledger, intent_id)
            await settle(ledger)
            await ledger.post(f"{path}/consume", {"amount": "1"})
            assert await sweep(ledger) == ["top_up.closed"]
        await burn_all(ledger, path)


async def burn_all(ledger: World, path: str) -> None:
    left = (await ledger.get(path)).json()["balance"]["available"]
    if left != "0.000000":
        await ledger.post(f"{path}/consume", {"amount": left})


async def test_a_debt_is_asked_for_with_what_is_wanted_and_once(ledger: World):
    path = await ruled(ledger, cooldown_seconds=0)
    await ledger.post(f"{path}/overage", {"overage_max": "100"})
    await ledger.post(f"{path}/consume", {"amount": "70"})
    assert await sweep(ledger) == ["top_up.requested"]
    intent_id = (await rule_of(ledger, path))["payment_intent_id"]
    intent = (await ledger.get(f"/v1/payment_intents/{intent_id}")).json()
    assert intent["amount"] == "120.00"
    await pay(ledger, intent_id)
    await settle(ledger)
    assert await sweep(ledger) == ["top_up.closed"]
    assert await sweep(ledger) == []
    balance = (await ledger.get(path)).json()["balance"]
    assert (balance["available"], balance["owed"]) == ("50.000000", "0.000000")


async def test_more_rules_than_one_look_goes_through_are_all_seen(ledger: World):
    *first, last = sorted([await ruled(ledger) for _ in range(5)])
    for path in first:  # they seem to run low until the deadlines have let their holds go
        await granted(ledger, path, "20")
        await ledger.post(f"{path}/holds", {"amount": "20", "expires_in_seconds": 1})
    ledger.clock.turn(minutes=1)
    intents, clocks = ApiIntents(ledger.parts), {False: ledger.clock}
    narrow = ToppingUp(ledger.reads, ledger.writer, intents, clocks, page_rows_max=2, pages_max=1)
    assert [await sweep(ledger, narrow) for _ in range(3)] == [[], [], ["top_up.requested"]]
    assert (await rule_of(ledger, last))["payment_intent_id"] is not None


async def test_one_that_fails_stops_no_other(ledger: World):
    first, second = sorted([await ruled(ledger) for _ in range(2)])

    class Broken(ApiIntents):
        async def make(self, row: Any, *given: Any, **named: Any) -> Any:
            if row["account_id"] == first.rpartition("/")[2]:
                raise RuntimeError("a fault of ours")
            return await super().make(row, *given, **named)

    broken = ToppingUp(ledger.reads, ledger.writer, Broken(ledger.parts), {False: ledger.clock})
    assert await sweep(ledger, broken) == ["top_up.requested"]
    assert (await rule_of(ledger, second))["payment_intent_id"] is not None


async def test_where_everything_fails_it_is_not_asked_of_each(
    ledger: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(topping_up, "FAILURES_MAX", 2)
    paths = [await ruled(ledger) for _ in range(3)]
    asked: list[str] = []

    class Broken(ApiIntents):
        async def make(self, row: Any, *given: Any, **named: Any) -> Any:
            asked.append(row["account_id"])
            raise RuntimeError("a fault of ours")

    broken = ToppingUp(ledger.reads, ledger.writer, Broken(ledger.parts), {False: ledger.clock})
    with pytest.raises(RuntimeError):
        await sweep(ledger, broken)
    assert len(asked) == 2
    await sweep(ledger, broken)
    assert sorted(asked) == sorted(it.rpartition("/")[2] for it in paths), "it went on behind them"


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
        ({"target": None, "amount": "20", "per_day_max": "19"}, "/per_day_max"),
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
