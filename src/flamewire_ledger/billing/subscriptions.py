"""What a subscription costs, worked out: from its state and what was used to the command that is due.

A preview and the invoice that is then made come from the same functions, so they are the same. What
is given back of a period rounds down, what is asked for the rest of one rounds up.

What a newcomer would get wrong: fixed prices are of the period that begins, metered ones of the
period that has ended, on the terms it was lived on; one bill has both.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import assert_never

from flamewire_ledger.billing.arrears import (
    LATE,
    Usage,
    UsageKey,
    arrears,
    billed_usage,
    late_at_last,
    late_keys,
    usage_until,
)
from flamewire_ledger.billing.included_credits import (
    allot,
    first_credits,
    more_credits,
    of_trial,
    to_come,
)
from flamewire_ledger.billing.periods import (
    Anchor,
    boundary,
    for_the_rest,
    part_left,
    unused,
)
from flamewire_ledger.billing.settling import settled
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.plan_terms import FixedPrice, PlanVersion
from flamewire_ledger.domain.subscription import (
    BeginPeriod,
    BeginTrial,
    Bill,
    BillLine,
    CancelReason,
    CancelSubscription,
    Carried,
    ChangePlan,
    CloseSubscription,
    PauseSubscription,
    Refund,
    RefundLine,
    ResumeSubscription,
    Span,
    Subscription,
    SubscriptionCommand,
)

__all__ = [
    "Upcoming",
    "Usage",
    "UsageKey",
    "begin",
    "cancel",
    "change",
    "close",
    "due",
    "upcoming",
    "usage_due",
    "usage_until",
]


@dataclass(frozen=True, slots=True)
class Upcoming:
    """The next invoice as it would be, if nothing changes. `bill` None: nothing will be asked for."""

    at: datetime
    period: Span | None  # that begins; None where it ends
    bill: Bill | None
    carried: tuple[Carried, ...]


def usage_due(it: Subscription, at: datetime) -> tuple[UsageKey, ...]:
    """What has to be known of usage to do what is due by time."""
    match it.due_step(at):
        case "end_of_period":
            assert it.period is not None, "it has an end"
            return usage_until(it, it.period.end)
        case "unpaid" if it.plan.terms.when_unpaid == "cancel":
            return usage_until(it, _last_moment(it, at))
        case "close":
            return late_keys(it)
        case _:
            return ()


def due(it: Subscription, usage: Usage, at: datetime) -> SubscriptionCommand | None:
    """The command for what is due by time; None: nothing is."""
    step = it.next_step
    if step is None or step[1] > at:
        return None
    match step[0]:
        case "start":
            if it.started.trial_ends_at is not None:
                return BeginTrial(it.subscription_id, of_trial(it, at), at)
            return begin(it, usage, at)
        case "end_of_trial" | "end_of_period":
            if it.ends_with_period:
                return cancel(it, usage, at, prorate=False)
            return begin(it, usage, at)
        case "credits":
            return allot(it, at)
        case "resume":  # when it was to be, however late that is done
            return ResumeSubscription(it.subscription_id, step[1], by_time=True)
        case "unpaid":
            if it.plan.terms.when_unpaid == "cancel":
                return cancel(it, usage, at, prorate=True, reason="unpaid")
            # That it is past due may be noted late: time it has lived since is not paused.
            at = max(step[1], it.latest_at or step[1])
            return PauseSubscription(it.subscription_id, "unpaid", None, at)
        case "close":
            return close(it, usage, at)
        case other:
            assert_never(other)


def upcoming(it: Subscription, usage: Usage) -> Upcoming | None:
    """The next invoice, from what is known now. `usage` as `usage_until` the end of the period asks."""
    if it.is_canceled or it.paused_at is not None:
        return None
    if it.ends_with_period:
        if it.period is None:
            return None
        last = cancel(it, usage, it.period.end, prorate=False)
        return Upcoming(it.period.end, None, last.bill, last.carried)
    at = _next_start(it)
    next_one = begin(it, usage, at)
    return Upcoming(at, next_one.period, next_one.bill, next_one.carried)


def begin(it: Subscription, usage: Usage, at: datetime) -> BeginPeriod:
    """The period that begins where the last one, the trial or nothing ended."""
    plan, quantity = it.scheduled or (it.plan, it.quantity)
    start = _next_start(it)
    period = _span(it, plan, start)
    due_by_now = arrears(it, usage, start, Fraction(1), it.charged_units)
    lines = [*due_by_now, *_fixed(plan, quantity, period)]
    bill, carried = _billed(it, plan, lines, start, str(period.number))
    allotment, further = first_credits(it, plan, quantity, period, at)
    return BeginPeriod(
        *(it.subscription_id, plan, quantity, period, bill, carried, allotment, further, at),
        usage=billed_usage(it, usage, start, Fraction(1), it.charged_units),
    )


def change(
    it: Subscription, plan: PlanVersion, quantity: int, usage: Usage, at: datetime, *, prorate: bool
) -> ChangePlan:
    """Another plan or quantity now.

    With the same interval the period goes on: what is left of it is given back on the old terms and
    asked for on the new ones. With another, a new period begins.
    """
    period = it.period
    if period is None:
        return ChangePlan(
            it.subscription_id, plan, quantity, None, None, it.carried, None, it.next_credits, at
        )
    left = _left(it, at) if prorate else Fraction(0)
    same_interval = plan.terms.interval == it.plan.terms.interval
    charged, before = _charged(it)
    given_back = [
        _line(charged, fixed, before, (at, period.end), left, is_credit=True)
        for fixed in charged.terms.fixed
        if left
    ]
    committed, kept = Fraction(0), 0
    if same_interval:
        lines = [*arrears(it, usage, at), *given_back]
        lines += [
            _line(plan, fixed, quantity, (at, period.end), left)
            for fixed in plan.terms.fixed
            if left
        ]
        allotment, further = more_credits(it, plan, quantity, at, prorate=prorate)
        had = it.credits_units  # it stays, so that going back and forth grants nothing
    else:
        period = _span(it, plan, at)
        kept = it.charged_units - sum(line.amount.units for line in given_back)
        committed = 1 - left
        lines = [*arrears(it, usage, at, committed, kept), *given_back]
        lines += _fixed(plan, quantity, period)
        had = to_come(it, at) if prorate else 0
        allotment, further = first_credits(it, plan, quantity, period, at, had)
    bill, carried = _billed(it, plan, lines, at, f"{period.number}.{it.changes + 1}")
    return ChangePlan(
        *(it.subscription_id, plan, quantity, period, bill, carried, allotment, further, at),
        usage=billed_usage(it, usage, at, committed, kept),
        is_prorated=bool(left),
        credits_units=had
        if same_interval and not left
        else max(had, plan.terms.credits_of(quantity)),
    )


def cancel(
    it: Subscription,
    usage: Usage,
    at: datetime,
    *,
    prorate: bool,
    reason: CancelReason = "asked",
) -> CancelSubscription:
    """The end: what was used is billed, what was paid in advance and is not used is given back."""
    period = it.period
    if period is None:
        return CancelSubscription(it.subscription_id, reason, None, None, it.carried, at)
    until = _last_moment(it, at)
    left = _left(it, until) if prorate else Fraction(0)
    unused_units = _unused_in_advance(it, left)
    kept = it.charged_units - sum(unused_units.values())
    lines = arrears(it, usage, until, 1 - left, kept, is_last=True)
    bill, carried = _billed(it, it.plan, lines, until, f"{period.number}.end")
    refund, rest = _refund(it, unused_units, until)
    if rest:
        owed = Amount(it.plan.terms.currency, rest)
        carried = (*carried, Carried(_charged(it)[0].terms.tax_rate, owed))
    billed = billed_usage(it, usage, until, 1 - left, kept, is_last=True)
    closes_at = max((each.end + LATE for each in billed), default=None)
    return CancelSubscription(
        it.subscription_id, reason, bill, refund, carried, at, billed, closes_at
    )


def close(it: Subscription, usage: Usage, at: datetime) -> CloseSubscription:
    """What came late for one that has ended is on a bill of its own, once nothing more can come."""
    assert it.period is not None, "what was used was used in a period"
    name = f"{it.period.number}.closed"
    bill, carried = _billed(it, it.plan, late_at_last(it, usage), it.closes_at or at, name)
    return CloseSubscription(it.subscription_id, bill, carried, at)


# Periods.


def _next_start(it: Subscription) -> datetime:
    if it.period is not None:
        return it.period.end
    return it.started.trial_ends_at or it.started.starts_at


def _span(it: Subscription, plan: PlanVersion, start: datetime) -> Span:
    """The period that begins there. The day of the month that is wanted outlives short months."""
    number, wanted = (
        (0, start.day) if it.period is None else (it.period.number, it.period.anchor_day)
    )
    day = wanted if start.day == min(wanted, monthrange(start.year, start.month)[1]) else start.day
    end = boundary(Anchor(start, day), plan.terms.interval, 1)
    return Span(number + 1, start, end, day)


def _last_moment(it: Subscription, at: datetime) -> datetime:
    """When it ends, if it ends now: a pause has ended it before, and nothing goes on behind a period."""
    assert it.period is not None, "it has begun"
    return min(it.paused_at or at, it.period.end)


def _left(it: Subscription, at: datetime) -> Fraction:
    assert it.period is not None, "it has begun"
    paused = timedelta(microseconds=it.period.paused_microseconds)
    length = it.period.end - it.period.start - paused
    return part_left(length, it.period.end - at, it.plan.terms.proration)


# Lines.


def _fixed(plan: PlanVersion, quantity: int, period: Span) -> list[BillLine]:
    span = (period.start, period.end)
    return [_line(plan, fixed, quantity, span, Fraction(1)) for fixed in plan.terms.fixed]


def _line(
    plan: PlanVersion,
    fixed: FixedPrice,
    quantity: int,
    span: tuple[datetime, datetime],
    left: Fraction,
    *,
    is_credit: bool = False,
) -> BillLine:
    whole = Amount(fixed.unit_amount.asset, fixed.unit_amount.units * quantity)
    amount = unused(whole, left) if is_credit else for_the_rest(whole, left)
    unit_price = fixed.unit_amount.text if left == 1 else None
    description = f"{fixed.name}: not used" if is_credit else fixed.name
    return BillLine(
        description, str(quantity), unit_price, amount, plan.terms.tax_rate, *span, is_credit
    )


def _billed(
    it: Subscription, plan: PlanVersion, lines: Sequence[BillLine], at: datetime, name: str
) -> tuple[Bill | None, tuple[Carried, ...]]:
    """`name` tells the bill from the others of the subscription, for ever."""
    start = at if it.period is None else it.period.start
    kept, carried = settled(lines, it.carried, start)
    if not kept:
        return None, carried
    invoice_id = derived_id("inv", at, it.subscription_id, name)
    return Bill(invoice_id, kept, plan.terms.due_days, plan.terms.prices_include_tax), carried


def _charged(it: Subscription) -> tuple[PlanVersion, int]:
    """What the period was charged in advance on: a change without proration leaves that."""
    return it.charged_on or (it.plan, it.quantity)


def _unused_in_advance(it: Subscription, left: Fraction) -> dict[str, int]:
    """What is not used of what was charged in advance, by the name of its price."""
    plan, quantity = _charged(it)
    asset = plan.terms.currency
    return {
        fixed.name: unused(Amount(asset, fixed.unit_amount.units * quantity), left).units
        for fixed in plan.terms.fixed
    }


def _refund(
    it: Subscription, unused_units: Mapping[str, int], until: datetime
) -> tuple[Refund | None, int]:
    """What a credit note gives back of what was paid in advance, and what of it no note can."""
    terms, wanted = _charged(it)[0].terms, dict(unused_units)
    missing = sum(wanted.values())
    if it.standing is None or not missing:
        return None, missing
    at_rate = [line for line in it.standing.lines if line.tax_rate == terms.tax_rate]
    room = sum(-line.amount.units if line.is_credit else line.amount.units for line in at_rate)
    lines: list[RefundLine] = []
    for number, line in enumerate(it.standing.lines, start=1):
        # What was used until then was billed with it; a pause may have moved the period's end on.
        is_in_advance = it.usage_from is not None and line.end > it.usage_from
        is_in_advance = is_in_advance and not line.is_credit
        if not is_in_advance or line.tax_rate != terms.tax_rate:
            continue
        units = min(wanted.pop(line.description, 0), line.amount.units, room)
        if units:
            lines.append(RefundLine(number, Amount(terms.currency, units)))
            room -= units
            missing -= units
    if not lines:
        return None, missing
    note_id = derived_id("cn", until, it.subscription_id, "end")
    return Refund(note_id, it.standing.invoice_id, tuple(lines)), missing
