"""A subscription as its facts add up to, and what time alone will change of it next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, TypeAlias, assert_never

from flamewire_ledger.domain.plan_terms import PlanVersion
from flamewire_ledger.domain.subscription.facts import (
    Bill,
    BilledUsage,
    Carried,
    NextCredits,
    PauseReason,
    Span,
    Status,
    SubscriptionActivated,
    SubscriptionCanceled,
    SubscriptionCancelScheduled,
    SubscriptionCancelWithdrawn,
    SubscriptionClosed,
    SubscriptionCreditsAllotted,
    SubscriptionEvent,
    SubscriptionPastDue,
    SubscriptionPaused,
    SubscriptionPlanChanged,
    SubscriptionPlanChangeScheduled,
    SubscriptionRecovered,
    SubscriptionRenewed,
    SubscriptionResumed,
    SubscriptionStarted,
    SubscriptionTrialStarted,
)

Step: TypeAlias = Literal[
    "start", "end_of_trial", "end_of_period", "credits", "resume", "unpaid", "close"
]


@dataclass(frozen=True, slots=True)
class Subscription:
    started: SubscriptionStarted
    plan: PlanVersion
    quantity: int
    is_trialing: bool = False
    is_active: bool = False  # its first period has begun
    period: Span | None = None
    usage_from: datetime | None = None  # usage from here on was not billed yet
    usage: tuple[BilledUsage, ...] = ()  # as it was last billed, while more of it may come
    next_credits: NextCredits | None = None
    credits_units: int = 0  # granted for the whole time until the next credits
    carried: tuple[Carried, ...] = ()
    charged_on: tuple[PlanVersion, int] | None = None  # what this period was charged in advance on
    charged_units: int = 0  # for this period, less what was given back of it
    standing: Bill | None = None  # where the fixed prices of this period were asked for
    changes: int = 0  # of plan, all in all: they name what follows from them
    scheduled: tuple[PlanVersion, int] | None = None  # at the end of the period
    ends_with_period: bool = False
    paused_at: datetime | None = None
    paused_because: PauseReason | None = None
    resumes_at: datetime | None = None
    overdue: tuple[str, ...] = ()  # invoices
    past_due_since: datetime | None = None
    canceled_at: datetime | None = None
    closes_at: datetime | None = None  # usage of one that has ended may come until then
    latest_at: datetime | None = None  # it is known until then: nothing changes before it any more

    @property
    def subscription_id(self) -> str:
        return self.started.subscription_id

    @property
    def is_canceled(self) -> bool:
        return self.canceled_at is not None

    @property
    def status(self) -> Status:
        if self.is_canceled:
            return "canceled"
        if self.paused_at is not None:
            return "paused"
        if self.is_trialing:
            return "trialing"
        if not self.is_active:
            return "scheduled"
        return "past_due" if self.overdue else "active"

    @property
    def next_step(self) -> tuple[Step, datetime] | None:
        """What time alone changes next, and when; None when nothing is waited for."""
        if self.is_canceled:
            return None if self.closes_at is None else ("close", self.closes_at)
        if self.paused_at is not None:
            return None if self.resumes_at is None else ("resume", self.resumes_at)
        if self.is_trialing:
            assert self.started.trial_ends_at is not None, "a trial has an end"
            return "end_of_trial", self.started.trial_ends_at
        if self.period is None:
            return "start", self.started.starts_at
        steps: list[tuple[Step, datetime]] = [("end_of_period", self.period.end)]
        if self.next_credits is not None:
            steps.append(("credits", self.next_credits.at))
        terms = self.plan.terms
        if self.past_due_since is not None and terms.when_unpaid != "keep":
            steps.append(("unpaid", self.past_due_since + timedelta(days=terms.unpaid_days)))
        return min(steps, key=lambda step: step[1])

    def due_step(self, at: datetime) -> Step | None:
        """What is due at this time."""
        step = self.next_step
        return step[0] if step is not None and step[1] <= at else None


def evolve(subscription: Subscription | None, event: SubscriptionEvent) -> Subscription:
    """Fold one fact into the state. Total, and free of rules: a recorded fact has happened."""
    if isinstance(event, SubscriptionStarted):
        return Subscription(event, event.plan, event.quantity)
    assert subscription is not None, "a subscription's first fact is SubscriptionStarted"
    it = subscription
    match event:
        case SubscriptionTrialStarted():
            return replace(it, is_trialing=True)
        case SubscriptionActivated():
            return replace(it, is_trialing=False, is_active=True, plan=event.plan)
        case SubscriptionRenewed():
            return _renewed(it, event)
        case SubscriptionCreditsAllotted():
            assert it.next_credits is not None, "they were due"
            return replace(
                it,
                next_credits=event.next_credits,
                credits_units=it.plan.terms.credits_of(it.quantity),
                latest_at=it.next_credits.at,
            )
        case SubscriptionPlanChangeScheduled():
            same = (event.plan, event.quantity) == (it.plan, it.quantity)
            return replace(it, scheduled=None if same else (event.plan, event.quantity))
        case SubscriptionPlanChanged():
            return _changed(it, event)
        case SubscriptionPaused():
            return replace(
                it,
                paused_at=event.paused_at,
                paused_because=event.reason,
                resumes_at=event.resumes_at,
                latest_at=event.paused_at,
            )
        case SubscriptionResumed():
            return _resumed(it, event)
        case SubscriptionCancelScheduled():
            return replace(it, ends_with_period=True)
        case SubscriptionCancelWithdrawn():
            return replace(it, ends_with_period=False)
        case SubscriptionCanceled() | SubscriptionClosed():
            return _ended(it, event)
        case SubscriptionPastDue():
            since = it.past_due_since or event.past_due_at
            return replace(it, overdue=(*it.overdue, event.invoice_id), past_due_since=since)
        case SubscriptionRecovered():
            left = tuple(each for each in it.overdue if each != event.invoice_id)
            return replace(it, overdue=left, past_due_since=it.past_due_since if left else None)
        case _:
            assert_never(event)


def _ended(it: Subscription, event: SubscriptionCanceled | SubscriptionClosed) -> Subscription:
    if isinstance(event, SubscriptionClosed):
        return replace(it, carried=event.carried, usage=(), closes_at=None)
    return replace(
        it,
        canceled_at=event.canceled_at,
        carried=event.carried,
        is_trialing=False,
        usage=event.usage,
        closes_at=event.closes_at,
    )


def _renewed(it: Subscription, event: SubscriptionRenewed) -> Subscription:
    return replace(
        it,
        plan=event.plan,
        quantity=event.quantity,
        period=event.period,
        usage_from=event.period.start,
        usage=event.usage,
        next_credits=event.next_credits,
        credits_units=event.plan.terms.credits_of(event.quantity),
        carried=event.carried,
        charged_on=(event.plan, event.quantity),
        charged_units=_asked_for(event.bill, event.period),
        standing=event.bill,
        scheduled=None,
        latest_at=event.period.start,
    )


def _resumed(it: Subscription, event: SubscriptionResumed) -> Subscription:
    return replace(
        it,
        paused_at=None,
        paused_because=None,
        resumes_at=None,
        period=event.period,
        next_credits=event.next_credits,
        past_due_since=event.resumed_at if it.overdue else None,
        latest_at=event.resumed_at,
    )


def _changed(it: Subscription, event: SubscriptionPlanChanged) -> Subscription:
    changed = replace(
        it, plan=event.plan, quantity=event.quantity, scheduled=None, changes=it.changes + 1
    )
    if event.period is None:  # nothing is billed, or what begins behind it is
        return changed
    changed = replace(
        changed,
        carried=event.carried,
        period=event.period,
        latest_at=event.changed_at,
        usage_from=event.changed_at,
        usage=event.usage,
        next_credits=event.next_credits,
        credits_units=event.credits_units,
        charged_units=it.charged_units + _more_asked_for(it, event, event.period),
    )
    if it.period is None or event.period.number != it.period.number:
        return replace(
            changed,
            charged_on=(event.plan, event.quantity),
            charged_units=_asked_for(event.bill, event.period),
            standing=event.bill,
        )
    if not event.is_prorated:
        return changed
    swallowed = event.bill is None and event.carried != it.carried
    return replace(
        changed,
        charged_on=(event.plan, event.quantity),
        standing=None if swallowed else event.bill or it.standing,
    )


def _asked_for(bill: Bill | None, period: Span) -> int:
    """What a bill asks for of a period that begins with it. What it gives back is of the one before."""
    lines = () if bill is None else bill.lines
    return sum(it.amount.units for it in lines if it.end > period.start and not it.is_credit)


def _more_asked_for(it: Subscription, event: SubscriptionPlanChanged, period: Span) -> int:
    """What a change asks for of the period that goes on, less what it gives back of it, on its bill
    or by what is carried on.
    """
    lines = () if event.bill is None else event.bill.lines
    of_period = sum(
        -line.amount.units if line.is_credit else line.amount.units
        for line in lines
        if line.end > period.start
    )
    brought = sum(line.amount.units for line in lines if line.start == line.end)
    before, after = (sum(each.amount.units for each in of.carried) for of in (it, event))
    return of_period - (after - before + brought)
