"""What subscriptions cost: periods, prorations, usage, commitments and what is given back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.billing import subscriptions as billing
from flamewire_ledger.domain.plan_terms import FixedPrice, IncludedCredits, Interval
from flamewire_ledger.domain.rejection import NotAllowed
from flamewire_ledger.domain.subscription import (
    PauseSubscription,
    ResumeSubscription,
    ScheduleCancel,
    SubscriptionCanceled,
    SubscriptionRenewed,
)
from tests.billing.subscribers import (
    CALLS,
    MONTHLY_CREDITS,
    NEW_YEAR,
    SUB,
    begun,
    credits_,
    day,
    lines,
    plan,
    total,
    usd,
    yearly,
)


def renewals(story) -> list[SubscriptionRenewed]:
    return [event for event in story.events if isinstance(event, SubscriptionRenewed)]


def test_the_first_bill_is_for_the_first_period_in_advance():
    story = begun(plan(), quantity=3)
    (first,) = renewals(story)
    assert lines(first.bill) == [("pro plan", 9000)]
    assert (first.bill.lines[0].start, first.bill.lines[0].end) == (NEW_YEAR, day(2, 1))


def test_after_three_months_away_each_period_is_billed_by_itself_and_in_order():
    story = begun(plan(), at=day(1, 31))
    story.until(day(4, 30))
    starts = [each.period.start for each in renewals(story)]
    assert starts == [day(1, 31), day(2, 28), day(3, 31), day(4, 30)]
    assert [each.period.number for each in renewals(story)] == [1, 2, 3, 4]
    assert len({each.bill.invoice_id for each in renewals(story)}) == 4


def test_usage_is_billed_in_arrears_beside_what_is_paid_in_advance():
    story = begun(plan(metered=(CALLS,)))
    story.until(day(2, 1), {"calls": "12345"})
    assert lines(renewals(story)[1].bill) == [("Calls", 1235), ("pro plan", 3000)]


def test_a_bill_without_the_usage_it_needs_is_not_made():
    story = begun(plan(metered=(CALLS,)))
    with pytest.raises(NotAllowed):
        billing.due(story.it, {}, day(2, 1))


def test_a_trial_costs_nothing_and_the_first_period_begins_where_it_ends():
    story = begun(plan(trial_days=14, trial_credits=credits_(7)))
    assert story.said() == ["started", "trial_started"]
    assert story.events[1].allotment.expires_at == day(1, 15)
    story.until(day(1, 15))
    assert story.said()[2:] == ["activated", "renewed"]
    assert renewals(story)[0].period.start == day(1, 15)


def test_an_upgrade_gives_back_what_is_not_used_and_asks_for_the_rest():
    story = begun(plan())
    (changed,) = story.change(plan("max", 10_000), day(1, 11))
    left = 21 / 31
    assert lines(changed.bill) == [
        ("pro plan: not used", -int(3000 * left)),  # 2032.258: down
        ("max plan", int(10_000 * left) + 1),  # 6774.19: up
    ]
    story.until(day(2, 1))
    assert lines(renewals(story)[-1].bill) == [("max plan", 10_000)]


def test_a_downgrade_is_carried_on_to_the_next_bills():
    story = begun(plan("max", 10_000))
    (changed,) = story.change(plan("mini", 1000), day(1, 16, 12))  # the middle of January
    assert lines(changed.bill) == [("max plan: not used", -500), ("mini plan", 500)]
    assert [it.amount.units for it in changed.carried] == [4500]
    story.until(day(7, 1))
    assert [total(each.bill) for each in renewals(story)[1:]] == [0, 0, 0, 0, 500, 1000]


def test_another_interval_begins_a_new_period():
    story = begun(plan())
    (changed,) = story.change(yearly(), day(1, 16, 12))
    assert lines(changed.bill) == [("pro plan: not used", -1500), ("yearly plan", 36_000)]
    assert (changed.period.number, changed.period.end) == (2, day(1, 16, 12, year=2027))


def test_without_proration_the_new_price_waits_for_the_next_period():
    story = begun(plan())
    (changed,) = story.change(plan("max", 10_000), day(1, 11), prorate=False)
    assert changed.bill is None
    story.until(day(2, 1))
    assert lines(renewals(story)[-1].bill) == [("max plan", 10_000)]


def test_usage_until_a_change_is_billed_at_the_price_it_was_used_at():
    story = begun(plan(metered=(CALLS,)))
    dear = replace(CALLS, price=replace(CALLS.price, unit_price="0.01"))
    (changed,) = story.change(
        plan("max", 3000, metered=(dear,)), day(1, 16, 12), used={"calls": "1000"}
    )
    assert lines(changed.bill)[0] == ("Calls", 100)
    story.until(day(2, 1), {"calls": "1000"})
    assert lines(renewals(story)[-1].bill)[0] == ("Calls", 1000)
    assert renewals(story)[-1].bill.lines[0].start == day(1, 16, 12)


def test_usage_that_came_late_is_a_line_of_the_next_bill():
    story = begun(plan(metered=(CALLS,)))
    story.until(day(2, 1), {"calls": "1000"})
    usage = story.usage(billing.usage_due(story.it, day(3, 1)), {"calls": "0"})
    late, now = usage
    assert (late.start, late.end) != (now.start, now.end)
    by_period = {key: Decimal("1500" if key.start == NEW_YEAR else "200") for key in usage}
    (fact,) = story.do(billing.due(story.it, by_period, day(3, 1)))
    assert lines(fact.bill) == [("Calls: recorded late", 50), ("Calls", 20), ("pro plan", 3000)]
    keys = billing.usage_due(story.it, day(4, 1))
    less = {key: Decimal("1500" if key.start == NEW_YEAR else "0") for key in keys}
    (fact,) = story.do(billing.due(story.it, less, day(4, 1)))
    assert lines(fact.bill) == [("Calls: recorded late", -20), ("pro plan", 3000)]


def test_a_commitment_is_the_least_that_a_period_comes_to():
    story = begun(plan(metered=(CALLS,), commitment=usd(10_000)))
    story.until(day(2, 1), {"calls": "1000000"})
    story.until(day(3, 1), {"calls": "10000000"})
    assert ("Commitment", 10_000 - 3000 - 0) not in lines(renewals(story)[1].bill)
    assert lines(renewals(story)[1].bill) == [("Calls", 100_000), ("pro plan", 3000)]
    quiet = begun(plan(metered=(CALLS,), commitment=usd(10_000)))
    quiet.until(day(2, 1), {"calls": "1000"})
    assert lines(renewals(quiet)[1].bill) == [
        ("Calls", 100),
        ("Commitment", 6900),
        ("pro plan", 3000),
    ]


def test_late_usage_within_a_commitment_costs_nothing_more():
    story = begun(plan(metered=(CALLS,), commitment=usd(10_000)))
    story.until(day(2, 1), {"calls": "1000"})
    assert lines(renewals(story)[1].bill)[:2] == [("Calls", 100), ("Commitment", 6900)]

    def bill(at: datetime, january: str) -> list[tuple[str, int]]:
        keys = billing.usage_due(story.it, at)
        usage = {key: Decimal(january if key.start == NEW_YEAR else "70000") for key in keys}
        (fact,) = story.do(billing.due(story.it, usage, at))
        return [line for line in lines(fact.bill) if "late" in line[0]]

    # Twenty dollars of calls are within what was asked for.
    assert bill(day(3, 1), "21000") == [
        ("Calls: recorded late", 2000),
        ("Commitment: recorded late", -2000),
    ]
    january = [each for each in story.it.usage if each.start == NEW_YEAR]
    assert [each.lacking_units for each in january] == [4900]


def test_late_usage_beyond_a_commitment_costs_what_is_beyond():
    story = begun(plan(metered=(CALLS,), commitment=usd(10_000)))
    story.until(day(2, 1), {"calls": "1000"})
    keys = billing.usage_due(story.it, day(3, 1))
    usage = {key: Decimal("80000" if key.start == NEW_YEAR else "70000") for key in keys}
    (fact,) = story.do(billing.due(story.it, usage, day(3, 1)))
    late = [units for name, units in lines(fact.bill) if "late" in name]
    assert (late, sum(late)) == ([7900, -6900], 80_00 + 30_00 - 100_00)
    # February came to what was committed: less of its calls by now is asked for again.
    keys = billing.usage_due(story.it, day(4, 1))
    counted = {NEW_YEAR: "80000", day(2, 1): "60000", day(3, 1): "70000"}
    usage = {key: Decimal(counted[key.start]) for key in keys}
    (fact,) = story.do(billing.due(story.it, usage, day(4, 1)))
    late = [line for line in lines(fact.bill) if "late" in line[0]]
    assert late == [("Calls: recorded late", -1000), ("Commitment: recorded late", 1000)]


def test_an_annual_plan_grants_its_credits_every_month():
    story = begun(yearly(credits=MONTHLY_CREDITS), at=day(1, 31))
    allotted = story.until(day(1, 30, year=2027))
    # All of them came late here, and what had lapsed by then is not granted.
    assert [it.allotment for it in allotted[:-1]] == [None] * 10
    assert allotted[-1].allotment.expires_at == day(1, 31, year=2027)


def test_monthly_credits_of_a_year_are_twelve():
    story = begun(yearly(credits=MONTHLY_CREDITS), at=day(1, 31))
    made = [story.events[-1].allotment]
    while story.it.next_step[0] == "credits":
        (fact,) = story.until(story.it.next_step[1])
        made.append(fact.allotment)
    assert len(made) == 12
    assert [it.expires_at for it in made[:3]] == [day(2, 28), day(3, 31), day(4, 30)]
    assert made[-1].expires_at == day(1, 31, year=2027)
    assert len({it.grant_id for it in made}) == 12


def test_more_credits_come_with_an_upgrade_in_proportion():
    story = begun(plan(credits=IncludedCredits(credits_(1000))))
    bigger = plan("max", 9000, credits=IncludedCredits(credits_(3000)))
    (changed,) = story.change(bigger, day(1, 16, 12))
    assert changed.allotment.amount == credits_(1000)
    assert changed.allotment.expires_at == day(2, 1)


def test_a_pause_costs_nothing_and_what_was_left_is_still_to_come():
    story = begun(plan())
    story.do(PauseSubscription(SUB, "asked", None, day(1, 11)))
    assert story.until(day(3, 1)) == []
    story.do(ResumeSubscription(SUB, day(3, 1)))
    assert story.it.period.end == day(2, 1) + (day(3, 1) - day(1, 11))
    canceled = story.cancel(story.it.period.end - timedelta(days=31) / 2)
    assert [it.amount.units for it in canceled.refund.lines] == [1500], "half of 31 days, not of 80"


def test_canceling_now_gives_back_what_is_not_used_by_a_credit_note():
    story = begun(plan(metered=(CALLS,)))
    canceled = story.cancel(day(1, 16, 12), used={"calls": "1000"})
    assert lines(canceled.bill) == [("Calls", 100)]
    assert canceled.refund.invoice_id == renewals(story)[0].bill.invoice_id
    assert [(it.line, it.amount.units) for it in canceled.refund.lines] == [(1, 1500)]
    (closed,) = story.until(day(12, 1), {"calls": "1000"})
    assert (closed.type, closed.bill) == ("subscription.closed.v1", None)
    assert story.until(day(12, 31)) == []


def test_usage_that_comes_late_for_the_last_bill_is_on_one_of_its_own():
    story = begun(plan(metered=(CALLS,)))
    story.until(day(2, 1), {"calls": "500"})
    canceled = story.cancel(day(2, 10, 12), used={"calls": "1000"})
    assert lines(canceled.bill) == [("Calls: recorded late", 50), ("Calls", 100)]
    assert canceled.closes_at == canceled.next_at == day(3, 17, 12)
    assert story.until(day(3, 17, 11), {"calls": "2000"}) == []
    (closed,) = story.until(day(4, 1), {"calls": "2000"})
    assert lines(closed.bill) == [("Calls: recorded late", 100), ("Calls: recorded late", 100)]
    assert closed.bill.invoice_id != canceled.bill.invoice_id
    assert (closed.status, closed.next_at) == ("canceled", None)
    assert story.until(day(12, 31), {"calls": "9999"}) == []


def test_one_that_was_never_metered_has_nothing_to_close():
    story = begun(plan())
    assert story.cancel(day(1, 16)).next_at is None
    assert story.until(day(12, 31)) == []


def test_late_usage_of_an_end_within_its_commitment_costs_nothing_more():
    story = begun(plan(metered=(CALLS,), commitment=usd(10_000)))
    story.do(ScheduleCancel(SUB, day(1, 5)))
    (ended,) = story.until(day(2, 1), {"calls": "1000"})
    assert ("Commitment", 6900) in lines(ended.bill)
    (closed,) = story.until(day(12, 1), {"calls": "69000"})
    late = [("Calls: recorded late", 6800), ("Commitment: recorded late", -6800)]
    assert lines(closed.bill) == late
    assert closed.carried == ()


def test_canceling_at_the_end_bills_the_last_usage_and_no_further_period():
    story = begun(plan(metered=(CALLS,)))
    story.do(ScheduleCancel(SUB, day(1, 5)))
    ended, closed = story.until(day(5, 1), {"calls": "1000"})
    assert isinstance(ended, SubscriptionCanceled)
    assert closed.bill is None
    assert (lines(ended.bill), ended.refund) == ([("Calls", 100)], None)


def test_never_more_is_given_back_than_its_invoice_asked_for():
    story = begun(plan("max", 10_000))
    story.change(plan("mini", 1000), day(1, 16, 12))
    canceled = story.cancel(day(1, 16, 12))
    assert canceled.refund is None
    assert sum(it.amount.units for it in canceled.carried) == 4500 + 500


def test_taxes_of_two_plans_are_settled_apart():
    story = begun(plan("max", 10_000, tax_rate="19"))
    (changed,) = story.change(plan("mini", 10_000, tax_rate="7"), day(1, 16, 12))
    assert lines(changed.bill) == [("mini plan", 5000)]
    assert [(it.tax_rate, it.amount.units) for it in changed.carried] == [("19", 5000)]


def test_a_free_plan_makes_no_invoice():
    story = begun(plan(units=0, credits=IncludedCredits(credits_(10))))
    assert renewals(story)[0].bill is None
    assert renewals(story)[0].allotment is not None


def test_the_31st_survives_a_change_from_months_to_years_and_back():
    story = begun(plan(), at=day(1, 31))
    story.until(day(2, 28))
    story.change(yearly(), day(2, 28))
    assert story.it.period.end == day(2, 28, year=2027)
    weekly = plan("weekly", 700, interval=Interval("week"))
    story.change(weekly, day(3, 5))
    story.change(plan(), day(3, 6))
    assert story.it.period.end == day(4, 6)


def test_the_preview_is_the_bill_that_is_then_made():
    story = begun(plan(metered=(CALLS,), commitment=usd(5000)))
    keys = billing.usage_until(story.it, story.it.period.end)
    seen = billing.upcoming(story.it, story.usage(keys, {"calls": "777"}))
    story.until(day(2, 1), {"calls": "777"})
    made = renewals(story)[-1]
    assert (seen.bill, seen.period, seen.carried) == (made.bill, made.period, made.carried)


changes = st.lists(
    st.tuples(st.integers(0, 400_000), st.integers(1, 50_000), st.integers(1, 5)), max_size=6
)


@given(changes, st.sampled_from(["second", "day"]))
def test_whatever_is_changed_nothing_is_lost_between_bills(steps, proration):
    """What is asked for, less what is carried on, is each plan's part of the time, to a unit a change."""
    story = begun(plan("p0", 3000, proration=proration))
    asked, at = total(renewals(story)[0].bill), NEW_YEAR
    expected, price = 3000.0, 3000
    whole = (day(2, 1) - NEW_YEAR).total_seconds()
    for number, (seconds, units, quantity) in enumerate(steps, 1):
        at = at + timedelta(seconds=seconds)
        on = plan(f"p{number}", units, proration=proration)
        for changed in story.change(on, at, quantity=quantity):
            asked += total(changed.bill)
            assert total(changed.bill) >= 0
            left = float(billing._left(story.it, at))
            expected += (units * quantity - price) * left
            price = units * quantity
    owed = asked - sum(it.amount.units for it in story.it.carried)
    assert abs(owed - expected) <= 2 * len(steps) + 0.01
    assert whole > 0


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=5), st.integers(1, 9))
def test_fixed_prices_are_asked_for_to_the_unit(units, quantity):
    fixed = tuple(FixedPrice(f"item {index}", usd(each)) for index, each in enumerate(units))
    story = begun(plan("many", 0, fixed=fixed), quantity=quantity)
    assert total(renewals(story)[0].bill) == quantity * sum(units)
