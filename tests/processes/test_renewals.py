"""Renewals: on time, step by step after an outage, and again when they could not be made."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from flamewire_ledger.billing.subscriptions import UsageKey
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.plan import envelope as plan_envelope
from flamewire_ledger.commands.subscription import Start, start
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.plan import CreatePlan
from flamewire_ledger.processes.renewals import Renewals
from flamewire_ledger.queries.metered_usage import UsageBehind
from flamewire_ledger.telemetry import Meters
from tests.billing.subscribers import ACCOUNT, CALLS, NEW_YEAR, SUB, day, plan
from tests.processes.conftest import Workshop
from tests.processes.stories import CODEC, MERCHANT


class Clock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


class Books:
    """Read models: every subscription is due, always, and usage is what the test says."""

    def __init__(self) -> None:
        self.asked: list[UsageKey] = []
        self.behind = 0

    async def ask(
        self, projection: str, question: str, parameters: Mapping[str, object]
    ) -> Sequence[Mapping[str, Any]]:
        if parameters["livemode"] or parameters["after_due_at"] is not None:
            return []
        return [{"merchant_id": MERCHANT, "subscription_id": SUB, "next_at": NEW_YEAR}]

    async def metered(
        self, merchant_id: str, credit_account_id: str, keys: Sequence[UsageKey]
    ) -> Mapping[UsageKey, Decimal]:
        if self.behind:
            self.behind -= 1
            raise UsageBehind("not yet")
        self.asked += keys
        return {key: Decimal(1000) for key in keys}


async def subscribed(workshop: Workshop, **terms: Any) -> None:
    on = plan(**terms)
    for number, made in enumerate(
        (
            lambda it: plan_envelope(it, CreatePlan(on.plan_id, "pro", on.terms, NEW_YEAR)),
            lambda it: start(
                it, Start(SUB, ACCOUNT, on.plan_id, 1, NEW_YEAR, True, None, NEW_YEAR)
            ),
        )
    ):
        origin = Origin(command_id("test", str(number)), MERCHANT, "key:test")
        assert isinstance(await workshop.writer.submit(made(origin)), Done)


def renewals(workshop: Workshop, books: Books, clock: Clock, **changes: Any) -> Renewals:
    clocks = {False: clock}
    return Renewals(books, books, workshop.store, CODEC, workshop.writer, clocks, **changes)


async def made(workshop: Workshop) -> list[Any]:
    events = await workshop.store.read_stream(0, SUB)
    facts = [CODEC.decode(event) for event in events]
    return [fact for fact in facts if fact.type == "subscription.renewed.v1"]


async def test_each_missed_period_is_renewed_with_its_own_usage(workshop: Workshop):
    await subscribed(workshop, metered=(CALLS,))
    books, meters = Books(), Meters()
    late = renewals(workshop, books, Clock(day(4, 2)), meter=meters)

    assert await late.sweep(livemode=False) == 3

    assert [each.period.start for each in await made(workshop)] == [
        *(NEW_YEAR, day(2, 1), day(3, 1), day(4, 1)),
    ]
    months = [(NEW_YEAR, day(2, 1)), (day(2, 1), day(3, 1)), (day(3, 1), day(4, 1))]
    asked = [(key.start, key.end) for key in books.asked]
    # Each with those before, of which something may have come late.
    assert asked == [months[0], months[1], months[0], months[2], months[0], months[1]]
    assert await late.sweep(livemode=False) == 0, "the read model may be behind"
    assert b"subscription_steps" in await meters.render()


async def test_two_at_work_on_the_same_subscription_renew_it_once(workshop: Workshop):
    await subscribed(workshop, metered=(CALLS,))
    clock = Clock(day(4, 2))
    await asyncio.gather(
        *(renewals(workshop, Books(), clock).sweep(livemode=False) for _ in range(4))
    )
    assert [each.period.number for each in await made(workshop)] == [1, 2, 3, 4]


async def test_a_bill_waits_for_its_usage(workshop: Workshop):
    await subscribed(workshop, metered=(CALLS,))
    books = Books()
    books.behind = 2
    task = asyncio.create_task(renewals(workshop, books, Clock(day(2, 1)), poll_seconds=0.01).run())
    async with asyncio.timeout(5):
        while len(await made(workshop)) < 2:
            await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_what_cannot_be_made_is_asked_for_less_and_less_often(workshop: Workshop):
    await subscribed(workshop, metered=(CALLS,))
    books, clock = Books(), Clock(day(2, 1))
    books.metered = lambda *_: _nothing(books)  # type: ignore[method-assign]
    stubborn = renewals(workshop, books, clock)
    for _ in range(100):
        await stubborn.sweep(livemode=False)
        clock.at += timedelta(seconds=1)
    assert 3 <= len(books.asked) <= 8
    assert len(await made(workshop)) == 1


async def _nothing(books: Books) -> dict[UsageKey, Decimal]:
    """An answer to another question."""
    books.asked.append(UsageKey("other", NEW_YEAR, NEW_YEAR))
    return {}
