"""Usage is billed once, in whichever bill it is known by: none of it in two, and none in no bill."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.billing import subscriptions as billing
from flamewire_ledger.billing.arrears import KEPT_MAX
from flamewire_ledger.domain.plan_terms import Interval
from flamewire_ledger.domain.subscription import SubscriptionRenewed
from tests.billing.subscribers import CALLS, NEW_YEAR, Story, begun, day, lines, plan

HOUR = timedelta(hours=1)


class Meter:
    """Calls by the hour, each at the time it happened, as far as they were recorded."""

    def __init__(self) -> None:
        self.recorded: list[tuple[datetime, int]] = []

    def read(self, keys: tuple[billing.UsageKey, ...]) -> Mapping[billing.UsageKey, Decimal]:
        return {
            key: Decimal(
                sum(count for at, count in self.recorded if _hour(key.start) <= at < _hour(key.end))
            )
            for key in keys
        }

    def until(self, story: Story, at: datetime) -> None:
        while story.it.due_step(at) is not None:
            command = billing.due(story.it, self.read(billing.usage_due(story.it, at)), at)
            assert command is not None
            story.do(command)

    def cancel(self, story: Story, at: datetime) -> None:
        usage = self.read(billing.usage_until(story.it, at))
        story.do(billing.cancel(story.it, usage, at, prorate=True))

    def change(self, story: Story, at: datetime, quantity: int) -> None:
        usage = self.read(billing.usage_until(story.it, at))
        story.do(billing.change(story.it, story.it.plan, quantity, usage, at, prorate=True))


def _hour(at: datetime) -> datetime:
    """Usage is kept by the hour, as queries/metered_usage.py reads it."""
    return at.replace(minute=0, second=0, microsecond=0)


def asked_for_calls(story: Story) -> int:
    bills = [event.bill for event in story.events if getattr(event, "bill", None) is not None]
    found = [line for bill in bills for line in lines(bill) if line[0].startswith("Calls")]
    return sum(units for _, units in found)


def test_what_comes_late_for_the_period_before_a_change_is_billed_behind_the_change():
    story, meter = begun(plan(metered=(CALLS,))), Meter()
    meter.until(story, day(2, 1))
    meter.change(story, day(2, 1) + HOUR, 2)
    meter.recorded.append((day(1, 31, 23), 50_000))  # two hours late
    meter.until(story, day(3, 1))
    assert asked_for_calls(story) == 5000


def test_what_comes_late_by_several_short_periods_is_billed():
    weekly = plan(metered=(CALLS,), interval=Interval("week"))
    story, meter = begun(weekly), Meter()
    meter.until(story, NEW_YEAR + timedelta(weeks=4))
    meter.recorded.append((NEW_YEAR + HOUR, 20_000))  # in its first week
    meter.until(story, NEW_YEAR + timedelta(weeks=5))
    assert asked_for_calls(story) == 2000
    meter.until(story, NEW_YEAR + timedelta(weeks=9))
    assert asked_for_calls(story) == 2000


def test_no_more_is_kept_than_can_come_late():
    story, meter = begun(plan(metered=(CALLS,))), Meter()
    meter.until(story, day(12, 1))
    assert len(story.it.usage) <= 2
    for number in range(1, KEPT_MAX + 20):
        meter.change(story, day(12, 1) + number * HOUR, 1 + number % 2)
    assert len(story.it.usage) <= KEPT_MAX


def test_usage_before_it_began_is_not_its_own_and_that_of_its_last_hour_is():
    at = NEW_YEAR + timedelta(minutes=45)
    story, meter = begun(plan(metered=(CALLS,)), at=at), Meter()
    meter.recorded.append((NEW_YEAR + timedelta(minutes=10), 10_000))  # paid for by credits
    meter.recorded.append((NEW_YEAR + HOUR, 20_000))
    meter.change(story, NEW_YEAR + timedelta(minutes=90), 2)
    meter.recorded.append((NEW_YEAR + timedelta(minutes=100), 30_000))
    meter.recorded.append((NEW_YEAR + 5 * HOUR, 40_000))
    meter.cancel(story, NEW_YEAR + 5 * HOUR + timedelta(minutes=5))
    assert asked_for_calls(story) == 2000 + 3000 + 4000


moments = st.lists(
    st.tuples(
        st.integers(0, 24 * 150),  # the hour in which it happens
        st.integers(0, 34 * 24),  # by so many hours it is late
        st.integers(1, 10**6),
        st.sampled_from(["usage", "usage", "change"]),
    ),
    max_size=12,
)


@given(moments, st.sampled_from(["day", "week", "month"]))
def test_whatever_comes_late_and_whatever_changes_each_call_is_billed_once(steps, unit):
    count = {"day": 20, "week": 1, "month": 1}[unit]
    story = begun(plan(metered=(CALLS,), interval=Interval(unit, count)))
    meter = Meter()
    told = sorted((hour + late, hour, count, kind) for hour, late, count, kind in steps)
    for seen, hour, count, kind in told:
        at = NEW_YEAR + seen * HOUR
        meter.until(story, at)
        if kind == "change":
            meter.change(story, at, 1 + count % 7)
        else:
            meter.recorded.append((NEW_YEAR + hour * HOUR, 10 * count))
    meter.until(story, NEW_YEAR + timedelta(days=300))
    bills = [e for e in story.events if isinstance(e, SubscriptionRenewed)]
    assert len({e.bill.invoice_id for e in bills if e.bill}) == len([e for e in bills if e.bill])
    owed = asked_for_calls(story)
    assert owed == sum(count for _, count in meter.recorded) // 10
