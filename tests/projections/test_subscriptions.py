"""Subscriptions of any kind of life: their rows are what their states are, however the batches are
cut.
"""

from __future__ import annotations

import json
import random
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from flamewire_ledger.api import subscription_views as views
from flamewire_ledger.api.fields import parse_time
from flamewire_ledger.domain import subscription as domain
from flamewire_ledger.domain.party import Address, Party
from flamewire_ledger.domain.plan_terms import Interval
from flamewire_ledger.domain.rejection import Rejection
from tests.billing.subscribers import NEW_YEAR, SUB, Story, day, plan, start, yearly
from tests.domain.invoice.billing import MERCHANT
from tests.projections.examples import CODEC, answers

SUBSCRIPTIONS, STEPS = 25, 14
PLANS = [plan(), plan("max", 10_000), yearly(), plan("week", 700, interval=Interval("week"))]
TIMES = ("starts_at", "trial_ends_at", "resumes_at", "past_due_at", "next_at", "started_at")


def told(drawn: random.Random) -> Story:
    """A subscription to which things happen in any order; what is refused has not happened."""
    story = Story([])
    on = plan(trial_days=drawn.choice([0, 14]), unpaid_days=5)
    who = drawn.choice([None, Party("Ada", Address("Mill Lane", "London", "GB"), "GB9", "a@b.c")])
    story.do(start(on, starts_at=drawn.choice([NEW_YEAR, day(1, 3)]), bill_to=who))
    at = NEW_YEAR
    for _ in range(STEPS):
        at += timedelta(hours=drawn.choice([1, 30, 200, 900]))
        story.until(at)
        with suppress(Rejection):
            _step(drawn, story, at)
    return story


def _step(drawn: random.Random, story: Story, at: datetime) -> None:
    on, quantity = drawn.choice(PLANS), drawn.randint(1, 3)
    invoice = f"inv_{drawn.randint(1, 2)}"
    kind = drawn.randint(0, 9)
    if kind == 0:
        domain.check_change(story.it, on, quantity, at)
        story.change(on, at, quantity=quantity, prorate=drawn.random() < 0.7)
    elif kind == 1 and drawn.random() < 0.2:
        domain.check_cancel(story.it, at)
        story.cancel(at)
    else:
        story.do(
            {
                2: domain.SchedulePlanChange(SUB, on, quantity, at),
                3: domain.PauseSubscription(SUB, "asked", drawn.choice([None, at + _DAY]), at),
                4: domain.ResumeSubscription(SUB, at),
                5: domain.ScheduleCancel(SUB, at),
                6: domain.NoteSettled(SUB, invoice, at),
                7: domain.ResumeSubscription(SUB, at),
            }.get(kind, domain.NotePastDue(SUB, invoice, at))
        )


_DAY = timedelta(days=1)


@pytest.mark.parametrize("batch", [1, 6, 100_000])
async def test_rows_are_what_the_states_are(ledger_url: str, batch: int) -> None:
    drawn = random.Random(15)
    stories = {f"sub_{number:03d}": told(drawn) for number in range(SUBSCRIPTIONS)}
    queues = {name: list(story.events) for name, story in stories.items()}
    given = []
    while queues:
        name = drawn.choice(list(queues))
        fact = queues[name].pop(0)
        data = json.loads(CODEC.encode(fact).data)
        given.append({"type": fact.type, "stream_id": name, "merchant_id": MERCHANT, "data": data})
        if not queues[name]:
            del queues[name]
    asked = [
        {"question": "subscription_by_id", "with": {"merchant_id": MERCHANT, "subscription_id": it}}
        for it in stories
    ]
    rows = await answers(ledger_url, "subscriptions", {"given": given, "asked": asked}, batch=batch)
    seen = set()
    for (row,), story in zip(rows, stories.values(), strict=True):
        times = {it: row[it] and parse_time(row[it]) for it in (*TIMES, "canceled_at")}
        shown = views.of_row({**row, **times})
        last = max(
            place for place, it in enumerate(given, 1) if it["stream_id"] == row["subscription_id"]
        )
        expected = {**views.of_state(story.it), "id": row["subscription_id"], "position": last}
        assert shown == expected, story.said()
        seen.add(shown["status"])
    assert {"active", "past_due", "paused", "canceled"} <= seen
