"""Credits that a plan includes: how many, when, and until when they can be spent.

They come with the period, or in parts of it (each month of a year), counted from its beginning.
What would have lapsed before it comes, after the ledger was down, is not granted any more.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from flamewire_ledger.billing.periods import Anchor, boundary, part_left, period_at
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.plan_terms import IncludedCredits, PlanVersion
from flamewire_ledger.domain.subscription import (
    AllotCredits,
    Allotment,
    NextCredits,
    Span,
    Subscription,
)


def of_trial(it: Subscription, at: datetime) -> Allotment | None:
    """What is granted for the trial; it lapses with it."""
    terms, ends_at = it.plan.terms, it.started.trial_ends_at
    if terms.trial_credits is None or ends_at is None or ends_at <= at:
        return None
    grant_id = derived_id("gr", it.started.starts_at, it.subscription_id, "trial")
    priority = 50 if terms.credits is None else terms.credits.priority
    return Allotment(grant_id, terms.trial_credits, ends_at, priority)


def first_credits(
    it: Subscription, plan: PlanVersion, quantity: int, period: Span, at: datetime, had: int = 0
) -> tuple[Allotment | None, NextCredits | None]:
    """What is granted with the period beyond what was granted for that time before (`had`), and when
    the next is within it.
    """
    included = plan.terms.credits
    if included is None:
        return None, None
    further = _credits(included, period, 1)
    units = max(0, plan.terms.credits_of(quantity) - had)
    name, end = f"{period.number}.0", _end(further, period)
    return _allotment(it, included, units, (period.start, end), name, at), further


def allot(it: Subscription, at: datetime) -> AllotCredits:
    """What is granted within the period, now that its time has come."""
    included, period, now = it.plan.terms.credits, it.period, it.next_credits
    assert included is not None, "credits are due of plans that have some"
    assert now is not None, "they are due at a time"
    assert period is not None, "within a period"
    further = _credits(included, period, now.number + 1)
    units = it.plan.terms.credits_of(it.quantity)
    name, end = f"{period.number}.{now.number}", _end(further, period)
    made = _allotment(it, included, units, (now.at, end), name, at)
    return AllotCredits(it.subscription_id, made, further, at)


def more_credits(
    it: Subscription, plan: PlanVersion, quantity: int, at: datetime, *, prorate: bool
) -> tuple[Allotment | None, NextCredits | None]:
    """What the new plan includes beyond the old one, for what is left until the next credits.

    Nothing is taken away: what was granted may have been spent.
    """
    period, included = it.period, plan.terms.credits
    assert period is not None, "it has begun"
    if included is None:
        return None, None
    number, start, further = _part(included, period, at)
    more = plan.terms.credits_of(quantity) - it.credits_units
    if more <= 0 or not prorate:
        return None, further
    end = _end(further, period)
    left = part_left(end - start, end - at, it.plan.terms.proration)
    units = more * left.numerator // left.denominator
    name = f"{period.number}.{number}.{it.changes + 1}"
    return _allotment(it, included, units, (at, end), name, at), further


def to_come(it: Subscription, at: datetime) -> int:
    """What was granted for the time until the next credits, as far as that is still to come."""
    period, included = it.period, it.plan.terms.credits
    if period is None:
        return 0
    start, end = period.start, period.end
    if included is not None:
        _, start, further = _part(included, period, at)
        end = _end(further, period)
    left = part_left(end - start, end - at, it.plan.terms.proration)
    return it.credits_units * left.numerator // left.denominator


def _part(
    included: IncludedCredits, period: Span, at: datetime
) -> tuple[int, datetime, NextCredits | None]:
    """Which part of the period it is: its number, when it began, and when the next credits come."""
    number, start = 0, _first(period)
    if included.every is not None:
        anchor = Anchor(start, period.anchor_day)
        number = period_at(anchor, included.every, max(at, start))
        start = boundary(anchor, included.every, number)
    return number, start, _credits(included, period, number + 1)


def _credits(included: IncludedCredits, period: Span, number: int) -> NextCredits | None:
    """The n-th of the period; None where the next ones come with the next period."""
    if included.every is None:
        return None
    at = boundary(Anchor(_first(period), period.anchor_day), included.every, number)
    return NextCredits(number, at) if at < period.end else None


def _first(period: Span) -> datetime:
    """Where parts of the period are counted from: what was paused does not count."""
    return period.start + timedelta(microseconds=period.paused_microseconds)


def _end(further: NextCredits | None, period: Span) -> datetime:
    return period.end if further is None else further.at


def _allotment(
    it: Subscription,
    included: IncludedCredits,
    units: int,
    span: tuple[datetime, datetime],
    name: str,
    at: datetime,
) -> Allotment | None:
    """`name` tells it from the others of the subscription, for ever."""
    start, end = span
    expires_at = None if included.rolls_over else end
    if not units or (expires_at is not None and expires_at <= at):
        return None
    grant_id = derived_id("gr", start, it.subscription_id, name)
    return Allotment(grant_id, Amount(included.amount.asset, units), expires_at, included.priority)
