"""Renewals of one subscription wait for nobody else's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from flamewire_ledger.billing.subscriptions import UsageKey
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.plan import envelope as plan_envelope
from flamewire_ledger.commands.subscription import Start, start
from flamewire_ledger.domain.identifiers import command_id, derived_id
from flamewire_ledger.domain.plan import CreatePlan
from flamewire_ledger.processes.renewals import FAILURES_MAX
from flamewire_ledger.queries.metered_usage import UsageBehind
from tests.billing.subscribers import CALLS, NEW_YEAR, day, plan
from tests.processes.conftest import Workshop
from tests.processes.stories import CODEC, MERCHANT
from tests.processes.test_renewals import Clock, renewals


class Books:
    """Read models: these subscriptions are due, in this order; usage of some accounts fails."""

    def __init__(self, subscriptions: Sequence[str], failing: Mapping[str, Exception]) -> None:
        self.subscriptions = subscriptions
        self.failing = failing
        self.asked: list[str] = []

    async def ask(
        self, projection: str, question: str, parameters: Mapping[str, object]
    ) -> Sequence[Mapping[str, Any]]:
        after = str(parameters["after_subscription_id"])
        at = self.subscriptions.index(after) + 1 if after else 0
        return [
            {"merchant_id": MERCHANT, "subscription_id": each, "next_at": NEW_YEAR}
            for each in self.subscriptions[at : at + int(str(parameters["limit"]))]
        ]

    async def metered(
        self, merchant_id: str, credit_account_id: str, keys: Sequence[UsageKey]
    ) -> Mapping[UsageKey, Decimal]:
        self.asked.append(credit_account_id)
        if credit_account_id in self.failing:
            raise self.failing[credit_account_id]
        return {key: Decimal(1000) for key in keys}


async def subscribed(workshop: Workshop, names: Sequence[str], metered: str) -> list[str]:
    """One subscription a name, in this order; those whose name begins so have metered prices."""
    plans = {"metered": plan("metered", metered=(CALLS,)), "plain": plan("plain")}
    for code, on in plans.items():
        origin = Origin(command_id("plan", code), MERCHANT, "key:test")
        made = plan_envelope(origin, CreatePlan(on.plan_id, code, on.terms, NEW_YEAR))
        assert isinstance(await workshop.writer.submit(made), Done)
    ids = []
    for name in names:
        on = plans["metered" if name.startswith(metered) else "plain"]
        ids.append(derived_id("sub", NEW_YEAR, name))
        origin = Origin(command_id("start", name), MERCHANT, "key:test")
        account = derived_id("ca", NEW_YEAR, name)
        begun = Start(ids[-1], account, on.plan_id, 1, NEW_YEAR, True, None, NEW_YEAR)
        assert isinstance(await workshop.writer.submit(start(origin, begun)), Done)
    return ids


async def periods(workshop: Workshop, subscription_id: str) -> int:
    facts = [CODEC.decode(it) for it in await workshop.store.read_stream(0, subscription_id)]
    return sum(fact.type == "subscription.renewed.v1" for fact in facts)


def account_of(name: str) -> str:
    return derived_id("ca", NEW_YEAR, name)


async def test_one_that_cannot_be_worked_out_does_not_keep_the_others_waiting(
    workshop: Workshop,
) -> None:
    names = [f"bad {n}" for n in range(FAILURES_MAX - 1)] + ["good"]
    ids = await subscribed(workshop, names, "bad")
    broken = {account_of(name): ValueError("a price that is none") for name in names[:-1]}
    at_work = renewals(workshop, Books(ids, broken), Clock(day(2, 1)))  # type: ignore[arg-type]
    await at_work.sweep(livemode=False)
    assert [await periods(workshop, each) for each in ids] == [1] * (len(ids) - 1) + [2]


async def test_when_everything_fails_it_stops_and_goes_on_behind_that_later(
    workshop: Workshop,
) -> None:
    names = [f"bad {n}" for n in range(3 * FAILURES_MAX)] + ["good"]
    ids = await subscribed(workshop, names, "bad")
    broken = {account_of(name): ValueError("the database is gone") for name in names[:-1]}
    books = Books(ids, broken)
    at_work = renewals(workshop, books, Clock(day(2, 1)))  # type: ignore[arg-type]
    for number in range(1, 4):
        with pytest.raises(ValueError, match="gone"):
            await at_work.sweep(livemode=False)
        assert len(books.asked) == number * FAILURES_MAX
    await at_work.sweep(livemode=False)
    assert await periods(workshop, ids[-1]) == 2


async def test_usage_that_is_not_counted_yet_holds_up_only_bills_of_usage(
    workshop: Workshop,
) -> None:
    ids = await subscribed(workshop, ["usage 1", "usage 2", "plain"], "usage")
    behind = {account_of(name): UsageBehind("not yet") for name in ("usage 1", "usage 2")}
    books = Books(ids, behind)
    at_work = renewals(workshop, books, Clock(day(2, 1)))  # type: ignore[arg-type]
    await at_work.sweep(livemode=False)
    assert [await periods(workshop, each) for each in ids] == [1, 1, 2]
    assert books.asked == [account_of("usage 1")], "asked once, not once a subscription"
    books.failing = {}
    await at_work.sweep(livemode=False)
    assert [await periods(workshop, each) for each in ids] == [2, 2, 2]
