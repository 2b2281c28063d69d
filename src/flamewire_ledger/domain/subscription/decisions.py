"""What is decided on a subscription.

What is due by time comes first: while a renewal is outstanding, nothing else changes, so that each
period is billed on the terms it was lived on.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias, assert_never

from flamewire_ledger.domain.plan_terms import PlanEntitlement, PlanVersion
from flamewire_ledger.domain.rejection import AlreadyExists, Malformed, NotAllowed, NotFound
from flamewire_ledger.domain.subscription.closing import close
from flamewire_ledger.domain.subscription.commands import (
    AllotCredits,
    BeginPeriod,
    BeginTrial,
    CancelSubscription,
    ChangePlan,
    CloseSubscription,
    NotePastDue,
    NoteSettled,
    PauseSubscription,
    ResumeSubscription,
    ScheduleCancel,
    SchedulePlanChange,
    StartSubscription,
    SubscriptionCommand,
)
from flamewire_ledger.domain.subscription.facts import (
    Span,
    SubscriptionActivated,
    SubscriptionCanceled,
    SubscriptionCancelScheduled,
    SubscriptionCancelWithdrawn,
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
from flamewire_ledger.domain.subscription.state import Subscription, evolve

QUANTITY_MAX: Final = 1_000_000
STARTS_WITHIN: Final = timedelta(days=3660)  # of now, before or after
_MICROSECOND: Final = timedelta(microseconds=1)
Facts: TypeAlias = tuple[SubscriptionEvent, ...]


def decide(subscription: Subscription | None, command: SubscriptionCommand) -> Facts:
    """Facts that follow from the command, or a Rejection. An empty tuple: nothing new to say."""
    return _standing(subscription, _decided(subscription, command))


def _standing(subscription: Subscription | None, facts: Facts) -> Facts:
    """The facts, each with the status it leaves and when time changes it next."""
    stamped: list[SubscriptionEvent] = []
    for fact in facts:
        subscription = evolve(subscription, fact)
        step = subscription.next_step
        next_at = None if step is None else step[1]
        if isinstance(fact, SubscriptionPastDue | SubscriptionRecovered | SubscriptionResumed):
            fact = replace(fact, past_due_since=subscription.past_due_since)
        stamped.append(replace(fact, status=subscription.status, next_at=next_at))
    return tuple(stamped)


def _decided(subscription: Subscription | None, command: SubscriptionCommand) -> Facts:
    if isinstance(command, StartSubscription):
        return _start(subscription, command)
    if subscription is None:
        raise NotFound(f"there is no subscription {command.subscription_id}")
    if isinstance(command, NotePastDue | NoteSettled | CloseSubscription):
        return _note(subscription, command)
    if subscription.is_canceled:
        if isinstance(command, CancelSubscription):
            return ()
        raise NotAllowed("the subscription has ended: start another")
    match command:
        case BeginTrial():
            return _begin_trial(subscription, command)
        case BeginPeriod():
            return _begin_period(subscription, command)
        case AllotCredits():
            return _allot(subscription, command)
        case ChangePlan():
            return _change(subscription, command)
        case SchedulePlanChange():
            return _schedule_change(subscription, command)
        case PauseSubscription():
            return _pause(subscription, command)
        case ResumeSubscription():
            return _resume(subscription, command)
        case ScheduleCancel():
            return _schedule_cancel(subscription, command)
        case CancelSubscription():
            return (_canceled(subscription, command),)
        case _:
            assert_never(command)


def _start(subscription: Subscription | None, command: StartSubscription) -> Facts:
    if subscription is not None:
        raise AlreadyExists(f"subscription {command.subscription_id} exists")
    _check_quantity(command.quantity)
    if abs(command.starts_at - command.at) > STARTS_WITHIN:
        raise Malformed("it starts within ten years of now", pointer="/start_at")
    days = command.plan.terms.trial_days if command.with_trial else 0
    return (
        SubscriptionStarted(
            subscription_id=command.subscription_id,
            credit_account_id=command.credit_account_id,
            plan=command.plan,
            quantity=command.quantity,
            starts_at=command.starts_at,
            trial_ends_at=command.starts_at + timedelta(days=days) if days else None,
            reference=command.reference,
            started_at=command.at,
            bill_to=command.bill_to,
        ),
    )


def _check_quantity(quantity: int) -> None:
    if not 1 <= quantity <= QUANTITY_MAX:
        raise Malformed(f"a quantity is 1 to {QUANTITY_MAX}", pointer="/quantity")


def _begin_trial(it: Subscription, command: BeginTrial) -> Facts:
    ends_at = it.started.trial_ends_at
    if it.due_step(command.at) != "start" or ends_at is None:
        return ()
    return (
        SubscriptionTrialStarted(
            subscription_id=it.subscription_id,
            credit_account_id=it.started.credit_account_id,
            plan=it.plan,
            ends_at=ends_at,
            allotment=command.allotment,
            trial_started_at=command.at,
        ),
    )


def _begin_period(it: Subscription, command: BeginPeriod) -> Facts:
    if it.due_step(command.at) not in ("start", "end_of_trial", "end_of_period"):
        return ()
    before = it.period
    if before is not None and command.period.number <= before.number:
        return ()
    number, start = (1, command.period.start) if before is None else (before.number + 1, before.end)
    if (command.period.number, command.period.start) != (number, start):
        raise NotAllowed("periods follow each other without a gap: work it out again")
    facts: list[SubscriptionEvent] = []
    if (command.plan, command.quantity) != (it.plan, it.quantity):
        facts.append(_plan_changed(it, command, period=None))
    account_id = it.started.credit_account_id
    if not it.is_active:
        facts.append(
            SubscriptionActivated(it.subscription_id, account_id, command.plan, command.at)
        )
    facts.append(
        SubscriptionRenewed(
            subscription_id=it.subscription_id,
            credit_account_id=account_id,
            plan=command.plan,
            quantity=command.quantity,
            period=command.period,
            bill=command.bill,
            carried=command.carried,
            allotment=command.allotment,
            next_credits=command.next_credits,
            renewed_at=command.at,
            usage=command.usage,
        )
    )
    return tuple(facts)


def _allot(it: Subscription, command: AllotCredits) -> Facts:
    if it.due_step(command.at) != "credits":
        return ()
    return (
        SubscriptionCreditsAllotted(
            subscription_id=it.subscription_id,
            credit_account_id=it.started.credit_account_id,
            allotment=command.allotment,
            next_credits=command.next_credits,
            allotted_at=command.at,
        ),
    )


def check_change(it: Subscription, plan: PlanVersion, quantity: int, at: datetime) -> None:
    """Raises NotAllowed where the subscription may not change so, or not now."""
    _check_quantity(quantity)
    check_cancel(it, at)
    _nothing_due(it, at)
    if it.paused_at is not None:
        raise NotAllowed("a subscription that is paused is resumed before its plan is changed")
    if plan.terms.currency != it.plan.terms.currency:
        raise NotAllowed("a subscription stays in its currency: start another", pointer="/plan")
    if plan.terms.prices_include_tax != it.plan.terms.prices_include_tax:
        raise NotAllowed(
            "prices go on with tax, or without: start another subscription", pointer="/plan"
        )


def check_cancel(it: Subscription, at: datetime) -> None:
    """Raises NotAllowed where the subscription has ended, or what is asked comes from before what is
    recorded: it waited somewhere, or clocks differ.
    """
    if it.is_canceled:
        raise NotAllowed("the subscription has ended: start another")
    if it.latest_at is not None and at < it.latest_at:
        raise NotAllowed("something else became of it in the meantime: try again in a moment")


def _nothing_due(it: Subscription, at: datetime) -> None:
    if it.due_step(at) is not None:
        raise NotAllowed("its renewal is being made: try again in a moment")


def _change(it: Subscription, command: ChangePlan) -> Facts:
    check_change(it, command.plan, command.quantity, command.at)
    if (command.plan, command.quantity) == (it.plan, it.quantity):
        return ()
    return (_plan_changed(it, command, period=command.period),)


def _plan_changed(
    it: Subscription, command: ChangePlan | BeginPeriod, *, period: Span | None
) -> SubscriptionPlanChanged:
    """With a period: billed by itself. Without: what begins behind it is."""
    is_alone = period is not None
    kept = {each.feature for each in command.plan.terms.entitlements}
    return SubscriptionPlanChanged(
        subscription_id=it.subscription_id,
        credit_account_id=it.started.credit_account_id,
        plan=command.plan,
        quantity=command.quantity,
        removed=tuple(each for each in _entitlements(it) if each.feature not in kept),
        period=period,
        bill=command.bill if is_alone else None,
        carried=command.carried if is_alone else it.carried,
        allotment=command.allotment if is_alone else None,
        next_credits=command.next_credits if is_alone else it.next_credits,
        changed_at=command.at,
        usage=command.usage if is_alone else (),
        is_prorated=isinstance(command, ChangePlan) and command.is_prorated,
        credits_units=command.credits_units
        if isinstance(command, ChangePlan)
        else it.credits_units,
    )


def _schedule_change(it: Subscription, command: SchedulePlanChange) -> Facts:
    check_change(it, command.plan, command.quantity, command.at)
    wanted = (command.plan, command.quantity)
    if wanted == (it.scheduled or (it.plan, it.quantity)):
        return ()
    return (SubscriptionPlanChangeScheduled(it.subscription_id, *wanted, command.at),)


def _pause(it: Subscription, command: PauseSubscription) -> Facts:
    if it.paused_at is not None:
        return ()
    if command.reason == "asked":
        check_cancel(it, command.at)
        _nothing_due(it, command.at)
    elif it.due_step(command.at) != "unpaid":
        return ()
    if it.period is None or command.at >= it.period.end:
        raise NotAllowed(f"a subscription that is {it.status} cannot be paused")
    if command.resumes_at is not None and command.resumes_at <= command.at:
        raise Malformed("it resumes later than now", pointer="/resume_at")
    return (
        SubscriptionPaused(
            subscription_id=it.subscription_id,
            credit_account_id=it.started.credit_account_id,
            entitlements=_entitlements(it),
            reason=command.reason,
            resumes_at=command.resumes_at,
            paused_at=command.at,
        ),
    )


def _entitlements(it: Subscription) -> tuple[PlanEntitlement, ...]:
    """What is to be taken away: nothing where none was given yet."""
    return it.plan.terms.entitlements if it.is_active or it.is_trialing else ()


def _resume(it: Subscription, command: ResumeSubscription) -> Facts:
    facts: Facts = ()
    if not command.by_time:
        check_cancel(it, command.at)
    if it.ends_with_period and not command.by_time:
        facts = (SubscriptionCancelWithdrawn(it.subscription_id, command.at),)
    if it.paused_at is None:
        return facts
    return (*facts, _resumed(it, command.at))


def _resumed(it: Subscription, at: datetime) -> SubscriptionResumed:
    assert it.paused_at is not None, "it is paused"
    assert it.period is not None, "only periods are paused"
    at = max(at, it.paused_at)  # what mends it may have happened before it was paused for it
    pause = at - it.paused_at
    end = it.period.end + pause
    further = it.next_credits
    if further is not None:
        further = replace(further, at=further.at + pause)
    wanted = it.period.anchor_day
    period = replace(
        it.period,
        end=end,
        # The last day of a short month is still the 31st that is wanted.
        anchor_day=wanted
        if end.day == min(wanted, monthrange(end.year, end.month)[1])
        else end.day,
        paused_microseconds=it.period.paused_microseconds + pause // _MICROSECOND,
    )
    return SubscriptionResumed(
        subscription_id=it.subscription_id,
        credit_account_id=it.started.credit_account_id,
        plan=it.plan,
        period=period,
        next_credits=further,
        resumed_at=at,
    )


def _schedule_cancel(it: Subscription, command: ScheduleCancel) -> Facts:
    _nothing_due(it, command.at)
    if it.ends_with_period:
        return ()
    ends_at = it.started.trial_ends_at if it.is_trialing else None
    if it.period is not None:
        ends_at = it.period.end
    if ends_at is None:
        raise NotAllowed("it has not started: cancel it now")
    return (SubscriptionCancelScheduled(it.subscription_id, ends_at, command.at),)


def _canceled(it: Subscription, command: CancelSubscription) -> SubscriptionCanceled:
    return SubscriptionCanceled(
        subscription_id=it.subscription_id,
        credit_account_id=it.started.credit_account_id,
        # A pause has taken them away already.
        entitlements=() if it.paused_at is not None else _entitlements(it),
        reason=command.reason,
        bill=command.bill,
        refund=command.refund,
        carried=command.carried,
        canceled_at=command.at,
        usage=command.usage,
        closes_at=command.closes_at,
    )


def _note(it: Subscription, command: NotePastDue | NoteSettled | CloseSubscription) -> Facts:
    """What is noted of one that has ended, too."""
    match command:
        case CloseSubscription():
            return close(it, command)
        case NotePastDue():
            if command.invoice_id in it.overdue or it.is_canceled:
                return ()
            return (SubscriptionPastDue(it.subscription_id, command.invoice_id, command.at),)
        case NoteSettled():
            if command.invoice_id not in it.overdue:
                return ()
            recovered = SubscriptionRecovered(it.subscription_id, command.invoice_id, command.at)
            after = evolve(it, recovered)
            if after.overdue or after.paused_because != "unpaid" or after.is_canceled:
                return (recovered,)
            return (recovered, _resumed(after, command.at))
        case _:
            assert_never(command)
