"""Every transition of a subscription: given, when, then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flamewire_ledger.billing import subscriptions as billing
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.plan_terms import FixedPrice, Interval
from flamewire_ledger.domain.rejection import AlreadyExists, Malformed, NotAllowed, NotFound
from flamewire_ledger.domain.subscription import (
    AllotCredits,
    BeginPeriod,
    CancelSubscription,
    NotePastDue,
    NoteSettled,
    PauseSubscription,
    ResumeSubscription,
    ScheduleCancel,
    SchedulePlanChange,
    SubscriptionCanceled,
    SubscriptionPastDue,
    SubscriptionPaused,
    SubscriptionPlanChanged,
    SubscriptionRecovered,
    SubscriptionRenewed,
    SubscriptionResumed,
    check_cancel,
)
from tests.billing.subscribers import (
    ARCHIVE,
    DAY,
    MONTHLY_CREDITS,
    NEW_YEAR,
    SUB,
    Story,
    begun,
    day,
    plan,
    start,
    yearly,
)

FEBRUARY = day(2, 1)


def asked(story: Story, command: Any) -> list[str]:
    return [fact.type.split(".")[1] for fact in story.do(command)]


def test_starting_leaves_it_scheduled_until_its_time():
    story = Story([])
    (fact,) = story.do(start(plan(), starts_at=day(3, 1)))
    assert (fact.status, fact.next_at) == ("scheduled", day(3, 1))
    assert story.until(day(2, 28)) == []
    assert [it.status for it in story.until(day(3, 1))] == ["active", "active"]


def test_it_is_started_once():
    story = begun(plan())
    with pytest.raises(AlreadyExists):
        story.do(start(plan()))


@pytest.mark.parametrize("quantity", [0, -1, 1_000_001])
def test_a_quantity_is_within_bounds(quantity: int):
    with pytest.raises(Malformed):
        Story([]).do(start(plan(), quantity=quantity))


def test_it_starts_within_ten_years():
    with pytest.raises(Malformed):
        Story([]).do(start(plan(), starts_at=NEW_YEAR + 3661 * DAY))


def test_a_trial_begins_and_ends_at_its_time():
    story = begun(plan(trial_days=14))
    assert (story.it.status, story.it.next_step) == ("trialing", ("end_of_trial", day(1, 15)))
    story.until(day(1, 15))
    assert story.it.status == "active"


def test_a_trial_can_be_left_out():
    assert begun(plan(trial_days=14), with_trial=False).it.status == "active"


def test_a_period_is_renewed_at_its_end_and_not_before():
    story = begun(plan())
    assert story.until(FEBRUARY - timedelta(seconds=1)) == []
    (fact,) = story.until(FEBRUARY)
    assert isinstance(fact, SubscriptionRenewed)
    assert (fact.period.start, fact.period.end, fact.next_at) == (FEBRUARY, day(3, 1), day(3, 1))


def test_a_renewal_that_comes_again_says_nothing_new():
    story = begun(plan())
    command = billing.due(story.it, {}, FEBRUARY)
    assert len(story.do(command)) == 1
    assert story.do(command) == []


def test_periods_never_leave_a_gap():
    story = begun(plan())
    command = billing.due(story.it, {}, FEBRUARY)
    assert isinstance(command, BeginPeriod)
    late = replace(command.period, start=FEBRUARY + DAY)
    with pytest.raises(NotAllowed):
        story.do(replace(command, period=late))


def test_credits_within_a_period_come_at_their_time_only():
    story = begun(yearly(credits=MONTHLY_CREDITS))
    assert story.do(AllotCredits(SUB, None, None, day(1, 31))) == []
    (fact,) = story.until(FEBRUARY)
    assert (fact.type, fact.next_at) == ("subscription.credits_allotted.v1", day(3, 1))


def test_a_change_that_is_scheduled_comes_with_the_renewal():
    story = begun(plan())
    mini = plan("mini", 100)
    assert asked(story, SchedulePlanChange(SUB, mini, 2, day(1, 5))) == ["plan_change_scheduled"]
    assert asked(story, SchedulePlanChange(SUB, mini, 2, day(1, 6))) == []
    changed, renewed = story.until(FEBRUARY)
    assert isinstance(changed, SubscriptionPlanChanged)
    assert (renewed.plan.code, renewed.quantity) == ("mini", 2)
    assert story.it.scheduled is None


def test_scheduling_what_there_is_takes_a_scheduled_change_back():
    story = begun(plan())
    story.do(SchedulePlanChange(SUB, plan("mini", 100), 1, day(1, 5)))
    story.do(SchedulePlanChange(SUB, plan(), 1, day(1, 6)))
    assert story.it.scheduled is None
    assert len(story.until(FEBRUARY)) == 1


def test_a_change_at_the_end_of_a_trial():
    story = begun(plan(trial_days=14, entitlements=(ARCHIVE,)))
    story.do(SchedulePlanChange(SUB, plan("mini", 100), 1, day(1, 5)))
    story.until(day(1, 15))
    assert story.said()[-3:] == ["plan_changed", "activated", "renewed"]
    assert story.events[-3].removed == (ARCHIVE,)


def test_a_plan_changes_in_a_trial_without_a_bill():
    story = begun(plan(trial_days=14))
    (changed,) = story.change(plan("mini", 100), day(1, 5))
    assert (changed.bill, changed.period, changed.status) == (None, None, "trialing")


def test_nothing_is_taken_away_that_was_not_given_yet():
    story = Story([])
    story.do(start(plan(entitlements=(ARCHIVE,)), starts_at=day(3, 1)))
    (changed,) = story.change(plan("mini", 100), day(1, 5))
    assert changed.removed == ()
    assert story.cancel(day(1, 6)).entitlements == ()


def test_nothing_changes_while_a_renewal_is_outstanding():
    story = begun(plan())
    with pytest.raises(NotAllowed):
        story.change(plan("max", 9000), day(2, 2))
    for command in (
        SchedulePlanChange(SUB, plan("max", 9000), 1, day(2, 2)),
        PauseSubscription(SUB, "asked", None, day(2, 2)),
        ScheduleCancel(SUB, day(2, 2)),
    ):
        with pytest.raises(NotAllowed):
            story.do(command)


def test_a_subscription_stays_in_its_currency_and_its_way_with_tax():
    story, euro = begun(plan()), Asset("EUR", 2)
    other = plan("euro", 0, currency=euro, fixed=(FixedPrice("x", Amount(euro, 1)),))
    for on in (other, plan("gross", 100, prices_include_tax=True)):
        with pytest.raises(NotAllowed):
            story.change(on, day(1, 5))


def test_a_pause_stops_time_and_resuming_gives_back_what_was_left():
    story = begun(plan(entitlements=(ARCHIVE,)))
    (paused,) = story.do(PauseSubscription(SUB, "asked", None, day(1, 11)))
    assert isinstance(paused, SubscriptionPaused)
    assert (paused.status, paused.next_at, paused.entitlements) == ("paused", None, (ARCHIVE,))
    assert asked(story, PauseSubscription(SUB, "asked", None, day(1, 12))) == []
    (resumed,) = story.do(ResumeSubscription(SUB, day(1, 21)))
    assert isinstance(resumed, SubscriptionResumed)
    assert resumed.period.end == FEBRUARY + 10 * DAY
    assert asked(story, ResumeSubscription(SUB, day(1, 22))) == []


def test_a_pause_may_end_by_itself_when_it_was_to_however_late_that_is_seen():
    story = begun(plan())
    with pytest.raises(Malformed):
        story.do(PauseSubscription(SUB, "asked", day(1, 11), day(1, 11)))
    story.do(PauseSubscription(SUB, "asked", day(1, 21), day(1, 11)))
    story.until(day(6, 1))
    assert story.said()[3:] == ["paused", "resumed", *["renewed"] * 4]
    assert story.events[4].period.end == FEBRUARY + 10 * DAY


def test_what_comes_from_before_what_is_recorded_is_refused():
    """Whoever sends it waited somewhere, or has a slow clock: nothing is undone by that."""
    daily = replace(MONTHLY_CREDITS, every=Interval("day"))
    story = begun(plan(credits=daily))
    story.until(day(1, 10))
    granted = story.it.next_credits
    before = day(1, 5)
    with pytest.raises(NotAllowed):
        story.change(plan("max", 9000, credits=daily), before)
    with pytest.raises(NotAllowed):
        story.do(PauseSubscription(SUB, "asked", None, before))
    with pytest.raises(NotAllowed):
        check_cancel(story.it, before)
    assert story.it.next_credits == granted
    story.do(PauseSubscription(SUB, "asked", None, day(1, 10, 12)))
    with pytest.raises(NotAllowed):
        story.do(ResumeSubscription(SUB, day(1, 10, 11)))


def test_a_payment_from_before_the_pause_that_it_ends_takes_no_time_away():
    """The reactor was away, and meanwhile it was paused for an invoice that was paid."""
    story = begun(plan(when_unpaid="pause", unpaid_days=3))
    story.do(NotePastDue(SUB, "inv_1", day(1, 10)))
    story.until(day(1, 20))
    assert story.it.paused_at == day(1, 13)
    *_, resumed = story.do(NoteSettled(SUB, "inv_1", day(1, 12)))
    assert isinstance(resumed, SubscriptionResumed)
    assert (resumed.resumed_at, resumed.period.end) == (day(1, 13), FEBRUARY)


def test_a_trial_is_not_paused_and_a_paused_plan_not_changed():
    with pytest.raises(NotAllowed):
        begun(plan(trial_days=3)).do(PauseSubscription(SUB, "asked", None, day(1, 2)))
    story = begun(plan())
    story.do(PauseSubscription(SUB, "asked", None, day(1, 11)))
    with pytest.raises(NotAllowed):
        story.change(plan("max", 9000), day(1, 12))


def test_a_cancellation_at_the_end_is_scheduled_withdrawn_and_done():
    story = begun(plan())
    (fact,) = story.do(ScheduleCancel(SUB, day(1, 5)))
    assert fact.ends_at == FEBRUARY
    assert asked(story, ScheduleCancel(SUB, day(1, 6))) == []
    assert asked(story, ResumeSubscription(SUB, day(1, 7))) == ["cancel_withdrawn"]
    story.do(ScheduleCancel(SUB, day(1, 8)))
    (ended,) = story.until(day(9, 1))
    assert isinstance(ended, SubscriptionCanceled)
    assert (ended.status, ended.next_at) == ("canceled", None)


def test_what_has_ended_stays_so():
    story = begun(plan())
    story.cancel(day(1, 5))
    assert asked(story, CancelSubscription(SUB, "asked", None, None, (), day(1, 6))) == []
    assert asked(story, NotePastDue(SUB, "inv_1", day(1, 6))) == []
    for command in (
        ResumeSubscription(SUB, day(1, 6)),
        PauseSubscription(SUB, "asked", None, day(1, 6)),
        ScheduleCancel(SUB, day(1, 6)),
    ):
        with pytest.raises(NotAllowed):
            story.do(command)


def test_it_is_past_due_until_the_last_overdue_invoice_is_settled():
    story = begun(plan())
    (late,) = story.do(NotePastDue(SUB, "inv_1", day(1, 16)))
    assert isinstance(late, SubscriptionPastDue)
    assert (late.status, late.next_at) == ("past_due", day(1, 30))
    assert asked(story, NotePastDue(SUB, "inv_1", day(1, 17))) == []
    story.do(NotePastDue(SUB, "inv_2", day(1, 18)))
    (first,) = story.do(NoteSettled(SUB, "inv_1", day(1, 19)))
    assert isinstance(first, SubscriptionRecovered)
    assert first.status == "past_due"
    (second,) = story.do(NoteSettled(SUB, "inv_2", day(1, 20)))
    assert (second.status, second.next_at) == ("active", FEBRUARY)
    assert asked(story, NoteSettled(SUB, "inv_2", day(1, 21))) == []


def test_when_it_stays_unpaid_it_is_paused_until_it_is_paid():
    story = begun(plan(when_unpaid="pause"))
    story.do(NotePastDue(SUB, "inv_1", day(1, 16)))
    (paused,) = story.until(day(4, 1))
    assert (paused.reason, paused.paused_at) == ("unpaid", day(1, 30)), "when it was to be"
    assert asked(story, NoteSettled(SUB, "inv_1", day(4, 1))) == ["recovered", "resumed"]
    assert story.it.status == "active"


def test_when_it_stays_unpaid_it_is_canceled_where_the_plan_says_so():
    story = begun(plan(when_unpaid="cancel"))
    story.do(NotePastDue(SUB, "inv_1", day(1, 16)))
    (ended,) = story.until(day(1, 30))
    assert (ended.reason, ended.status) == ("unpaid", "canceled")


def test_when_it_stays_unpaid_it_may_go_on_all_the_same():
    story = begun(plan(when_unpaid="keep"))
    story.do(NotePastDue(SUB, "inv_1", day(1, 16)))
    assert [fact.status for fact in story.until(day(3, 1))] == ["past_due", "past_due"]


def test_a_person_who_resumes_what_is_unpaid_gives_it_time_again():
    story = begun(plan(when_unpaid="pause"))
    story.do(NotePastDue(SUB, "inv_1", day(1, 16)))
    story.until(day(1, 30))
    story.do(ResumeSubscription(SUB, day(1, 31)))
    assert story.it.status == "past_due"
    assert story.it.next_step[1] > day(1, 31)


def test_there_is_nothing_to_change_of_what_is_not_there():
    with pytest.raises(NotFound):
        Story([]).do(ResumeSubscription(SUB, NEW_YEAR))


def test_what_time_resumes_still_ends_when_it_was_to_end():
    story = begun(plan())
    story.do(ScheduleCancel(SUB, day(1, 5)))
    story.do(PauseSubscription(SUB, "asked", day(1, 20), day(1, 10)))
    assert [it.type.split(".")[1] for it in story.until(day(1, 20))] == ["resumed"]
    (ended,) = story.until(day(4, 1))
    assert isinstance(ended, SubscriptionCanceled)
    assert story.said().count("renewed") == 1


def test_a_change_now_within_the_trial_replaces_what_was_scheduled():
    story = begun(plan(trial_days=14))
    story.do(SchedulePlanChange(SUB, plan("dear", 90_000), 1, day(1, 2)))
    story.change(plan("mini", 100), day(1, 3))
    assert story.it.scheduled is None
    story.until(day(1, 15))
    assert (story.it.plan.code, story.said()[-1]) == ("mini", "renewed")
