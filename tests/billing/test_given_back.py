"""Nothing is given back that was not charged, nothing is granted twice, and a commitment counts what
was kept.
"""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.billing import subscriptions as billing
from flamewire_ledger.domain.plan_terms import IncludedCredits
from flamewire_ledger.domain.subscription import (
    NotePastDue,
    NoteSettled,
    PauseSubscription,
    ResumeSubscription,
)
from tests.billing.subscribers import (
    CALLS,
    MONTHLY_CREDITS,
    SUB,
    Story,
    begun,
    credits_,
    day,
    lines,
    plan,
    usd,
    yearly,
)

HALF = day(1, 16, 12)  # of January


def carried(story: Story) -> int:
    return sum(each.amount.units for each in story.it.carried)


def granted(story: Story) -> int:
    made = [getattr(event, "allotment", None) for event in story.events]
    return sum(each.amount.units for each in made if each is not None)


def test_what_was_not_charged_is_not_given_back_by_the_next_change():
    story = begun(plan("pro", 3000))
    story.change(plan("max", 10_000), day(1, 11), prorate=False)
    (changed,) = story.change(plan("mini", 1000), HALF)
    assert lines(changed.bill) == [("pro plan: not used", -500), ("mini plan", 500)]
    assert carried(story) == 1000


def test_what_was_charged_is_given_back_whatever_it_was_changed_to_without_proration():
    story = begun(plan("max", 10_000))
    story.change(plan("mini", 1000), day(1, 11), prorate=False)
    (changed,) = story.change(plan("mini", 1000), HALF, quantity=2)
    assert lines(changed.bill) == [("max plan: not used", -1000), ("mini plan", 1000)]
    assert carried(story) == 4000


def test_a_cancellation_gives_back_what_was_charged_in_advance():
    story = begun(plan("pro", 3000))
    story.change(plan("max", 10_000), day(1, 11), prorate=False)
    canceled = story.cancel(HALF)
    assert [(it.line, it.amount.units) for it in canceled.refund.lines] == [(1, 1500)]
    assert carried(story) == 0


def test_a_bill_of_usage_alone_is_not_where_the_fixed_price_was_asked_for():
    story = begun(plan("pro", 3000, metered=(CALLS,)))
    advance = story.events[-1].bill.invoice_id
    (changed,) = story.change(
        plan("pro", 3000, metered=(CALLS,)),
        day(1, 11),
        quantity=2,
        prorate=False,
        used={"calls": "1000"},
    )
    assert lines(changed.bill) == [("Calls", 100)]
    canceled = story.cancel(HALF, used={"calls": "1000"})
    assert (canceled.refund.invoice_id, carried(story)) == (advance, 0)
    assert [it.amount.units for it in canceled.refund.lines] == [1500]


@pytest.mark.parametrize("other", ["max", "pro"])
def test_to_and_fro_grants_what_a_period_includes_once(other: str):
    included = {"pro": (1000, 1), "max": (3000, 1)}[other]
    story = begun(plan("pro", credits=IncludedCredits(credits_(1000))))
    bigger = plan(other, 9000, credits=IncludedCredits(credits_(included[0])))
    small = plan("mini", 100, credits=IncludedCredits(credits_(10)))
    story.change(bigger, HALF)
    once = granted(story)
    for hour in range(13, 20):
        story.change(small, day(1, 16, hour))
        story.change(bigger, day(1, 16, hour))
    assert granted(story) == once
    story.until(day(2, 1))
    assert granted(story) == once + included[0]


def test_another_interval_grants_no_second_time_what_the_rest_of_the_old_one_included():
    story = begun(plan(credits=IncludedCredits(credits_(1000))))
    (changed,) = story.change(yearly(credits=MONTHLY_CREDITS), HALF)
    assert changed.allotment.amount == credits_(5_000_000 - 500)
    for _ in range(5):
        story.change(plan(credits=IncludedCredits(credits_(1000))), HALF)
        story.change(yearly(credits=MONTHLY_CREDITS), HALF)
    assert granted(story) == 1000 + 5_000_000 - 500


def test_without_proration_another_interval_grants_all_that_it_includes():
    story = begun(plan(credits=IncludedCredits(credits_(1000))))
    (changed,) = story.change(yearly(credits=MONTHLY_CREDITS), HALF, prorate=False)
    assert changed.allotment.amount == credits_(5_000_000)


def test_a_commitment_does_not_count_what_was_given_back_of_the_old_period():
    story = begun(plan("pro", 3000))
    story.change(yearly(units=36_000, commitment=usd(36_000)), HALF)
    (renewed,) = story.until(HALF.replace(year=2027))
    assert lines(renewed.bill) == [("yearly plan", 36_000)]


def test_a_commitment_counts_what_was_kept_when_it_ends_early():
    story = begun(plan("pro", 3000, metered=(CALLS,), commitment=usd(10_000)))
    canceled = story.cancel(HALF, used={"calls": "1000"})
    # Half of it is 50.00: 15.00 is kept of what was charged in advance, and 1.00 was used.
    assert lines(canceled.bill) == [("Calls", 100), ("Commitment", 5000 - 1500 - 100)]
    assert [it.amount.units for it in canceled.refund.lines] == [1500]


def test_a_commitment_counts_a_downgrade_whose_rest_is_carried_on():
    story = begun(plan("max", 10_000, metered=(CALLS,)))
    story.change(plan("mini", 1000, metered=(CALLS,), commitment=usd(10_000)), HALF)
    assert carried(story) == 4500
    (renewed,) = story.until(day(2, 1))
    # Of January 5500 were kept; the credit that was carried comes off what is lacking.
    assert ("Commitment", 4500) in lines(renewed.bill)


def test_the_31st_survives_a_pause_of_an_hour():
    story = begun(plan(), at=day(1, 31))
    story.do(PauseSubscription(SUB, "asked", None, day(2, 10)))
    story.do(ResumeSubscription(SUB, day(2, 10, 1)))
    assert story.it.period.end == day(2, 28, 1)
    story.until(day(2, 28, 1))
    assert story.it.period.end == day(3, 31, 1)


def test_a_preview_is_the_bill_behind_a_change_without_proration():
    story = begun(plan(metered=(CALLS,), commitment=usd(5000)))
    story.change(plan("max", 10_000, metered=(CALLS,)), HALF, prorate=False)
    keys = billing.usage_until(story.it, story.it.period.end)
    seen = billing.upcoming(story.it, story.usage(keys, {"calls": "777"}))
    (renewed,) = story.until(day(2, 1), {"calls": "777"})
    assert (seen.bill, seen.carried) == (renewed.bill, renewed.carried)


def test_a_pause_that_is_noted_late_gives_no_time_that_was_before_the_period():
    story = begun(plan(unpaid_days=7))
    story.until(day(2, 1))
    story.do(NotePastDue(SUB, "inv_1", day(1, 20)))  # the process was down until now
    story.until(day(2, 1, 1))
    assert (story.it.status, story.it.paused_at) == ("paused", day(2, 1))
    story.do(NoteSettled(SUB, "inv_1", day(3, 1)))
    assert story.it.period.end == day(3, 1) + (day(3, 1) - day(2, 1))


steps_of_a_month = st.lists(
    st.tuples(st.integers(0, 300_000), st.integers(1, 50_000), st.integers(1, 5), st.booleans()),
    max_size=6,
)


@given(steps_of_a_month, st.sampled_from(["second", "day"]))
def test_whatever_is_changed_with_or_without_proration_the_end_settles_what_was_used(
    steps, proration
):
    """Asked for, less what is given back, is what each stretch was charged on, to a unit a step."""
    story = begun(plan("p0", 3000, proration=proration))
    expected, charged, at = Fraction(3000), 3000, day(1, 1)
    for number, (seconds, units, quantity, prorate) in enumerate(steps, 1):
        at += timedelta(seconds=seconds)
        on = plan(f"p{number}", units, proration=proration)
        left = billing._left(story.it, at)
        story.change(on, at, quantity=quantity, prorate=prorate)
        if prorate:
            expected += (units * quantity - charged) * left
            charged = units * quantity
    expected -= charged * billing._left(story.it, at)
    canceled = story.cancel(at)
    bills = [event.bill for event in story.events if getattr(event, "bill", None) is not None]
    asked = sum(units for bill in bills for _, units in lines(bill))
    refunds = [] if canceled.refund is None else canceled.refund.lines
    given = sum(line.amount.units for line in refunds)
    assert abs(asked - given - carried(story) - expected) <= 2 * len(steps) + 1
    if canceled.refund is not None:
        (bill,) = [it for it in bills if it.invoice_id == canceled.refund.invoice_id]
        assert given <= sum(units for _, units in lines(bill))
