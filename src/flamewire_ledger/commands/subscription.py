"""Commands on subscriptions, as envelopes. What a period costs is worked out on the state that the
command is decided on, so that a change that came in between is never billed on the terms before it.

What an account used is billed by one subscription: that is decided on a stream of the account's own,
in the same append. Usage is read before: where the state has come to need other usage, the command is refused and may
be sent again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flamewire_ledger.billing import subscriptions as billing
from flamewire_ledger.billing.subscriptions import Usage
from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.origin import Answer, Origin
from flamewire_ledger.commands.plan import PLAN
from flamewire_ledger.domain import metered_billing, subscription
from flamewire_ledger.domain.metered_billing import BillMeters, ReleaseMeters, stream_of
from flamewire_ledger.domain.party import Party
from flamewire_ledger.domain.plan import known
from flamewire_ledger.domain.rejection import NotFound
from flamewire_ledger.domain.subscription import (
    CancelSubscription,
    SchedulePlanChange,
    StartSubscription,
    Subscription,
    SubscriptionCommand,
    SubscriptionEvent,
)

SUBSCRIPTION: Final = Decider(
    "subscription", subscription.evolve, subscription.Subscription, "subscription.4"
)
METERED_BILLING: Final = Decider(
    "metered_billing",
    metered_billing.evolve,
    metered_billing.MeteredBilling,
    "metered_billing.1",
)


@dataclass(frozen=True, slots=True)
class Start:
    """On the plan as it is sold now; what is due at once (the trial, the first period) begins."""

    subscription_id: str
    credit_account_id: str
    plan_id: str
    quantity: int
    starts_at: datetime
    with_trial: bool
    reference: str | None
    at: datetime
    bill_to: Party | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """To a plan as it is sold now, or (None) to another quantity on the terms there are. `now`, or at
    the end of the period.
    """

    subscription_id: str
    credit_account_id: str
    plan_id: str | None
    quantity: int | None
    now: bool
    prorate: bool
    usage: Usage
    at: datetime


@dataclass(frozen=True, slots=True)
class CancelNow:
    subscription_id: str
    credit_account_id: str
    prorate: bool
    usage: Usage
    at: datetime


@dataclass(frozen=True, slots=True)
class Advance:
    """The one thing that is due by time, if it still is."""

    subscription_id: str
    credit_account_id: str
    usage: Usage
    at: datetime


def envelope(
    origin: Origin, command: SubscriptionCommand, answer: Answer | None = None
) -> Envelope:
    """One command on one subscription, with everything in it."""
    stream_id = command.subscription_id

    def decide(states: Mapping[str, Any]) -> Facts:
        return {stream_id: subscription.decide(states[stream_id], command)}

    return origin.envelope((Subject(stream_id, SUBSCRIPTION),), decide, answer)


def start(origin: Origin, command: Start, answer: Answer | None = None) -> Envelope:
    """Subscribe a credit account to a plan."""
    stream_id = command.subscription_id

    def decide(states: Mapping[str, Any]) -> Facts:
        plan = known(states[command.plan_id]).for_sale
        started = StartSubscription(
            stream_id,
            command.credit_account_id,
            plan,
            command.quantity,
            command.starts_at,
            command.with_trial,
            command.reference,
            command.at,
            command.bill_to,
        )
        facts = subscription.decide(states[stream_id], started)
        state = _folded(states[stream_id], facts)
        step = billing.due(state, {}, command.at)
        facts = (*facts, *(subscription.decide(state, step) if step else ()))
        return _alone(states, command, _folded(states[stream_id], facts), facts)

    subjects = (Subject(command.plan_id, PLAN), *_subjects(command))
    return origin.envelope(subjects, decide, answer)


def change(origin: Origin, command: Change, answer: Answer | None = None) -> Envelope:
    """Change plan, quantity, or both."""
    stream_id, plan_id = command.subscription_id, command.plan_id

    def decide(states: Mapping[str, Any]) -> Facts:
        state = _known(states[stream_id], stream_id)
        plan = state.plan if plan_id is None else known(states[plan_id]).for_sale
        quantity = state.quantity if command.quantity is None else command.quantity
        if not command.now:
            later = SchedulePlanChange(stream_id, plan, quantity, command.at)
            facts = subscription.decide(state, later)
            return _alone(states, command, _folded(state, facts), facts)
        # Refused first where it may not be, then worked out.
        subscription.check_change(state, plan, quantity, command.at)
        at_once = billing.change(
            state, plan, quantity, command.usage, command.at, prorate=command.prorate
        )
        facts = subscription.decide(state, at_once)
        return _alone(states, command, _folded(state, facts), facts)

    subjects = _subjects(command)
    if plan_id is not None:
        subjects = (Subject(plan_id, PLAN), *subjects)
    return origin.envelope(subjects, decide, answer)


def cancel(origin: Origin, command: CancelNow, answer: Answer | None = None) -> Envelope:
    """End it now."""
    stream_id = command.subscription_id

    def decide(states: Mapping[str, Any]) -> Facts:
        state = _known(states[stream_id], stream_id)
        if state.is_canceled:
            return {stream_id: ()}
        subscription.check_cancel(state, command.at)
        ending: CancelSubscription = billing.cancel(
            state, command.usage, command.at, prorate=command.prorate
        )
        facts = subscription.decide(state, ending)
        return _alone(states, command, _folded(state, facts), facts)

    return origin.envelope(_subjects(command), decide, answer)


def advance(origin: Origin, command: Advance) -> Envelope:
    """What time has made due: one step, so that after an outage each has its own facts."""
    stream_id = command.subscription_id

    def decide(states: Mapping[str, Any]) -> Facts:
        state = _known(states[stream_id], stream_id)
        step = billing.due(state, command.usage, command.at)
        facts = () if step is None else subscription.decide(state, step)
        return _alone(states, command, _folded(state, facts), facts)

    return origin.envelope(_subjects(command), decide)


def _subjects(command: Start | Change | CancelNow | Advance) -> tuple[Subject, ...]:
    return (
        Subject(command.subscription_id, SUBSCRIPTION),
        Subject(stream_of(command.credit_account_id), METERED_BILLING),
    )


def _alone(
    states: Mapping[str, Any],
    command: Start | Change | CancelNow | Advance,
    after: Subscription,
    facts: tuple[SubscriptionEvent, ...],
) -> Facts:
    """The facts, with which meters no other subscription of the account bills from here on. Raises
    NotAllowed where another does. Time takes no meter: what it brings was taken when it was asked for.
    """
    account_id, at = command.credit_account_id, command.at
    assert account_id == after.started.credit_account_id, "whose subscription it is, is known"
    stream_id = stream_of(account_id)
    it = (account_id, after.subscription_id, _metered(after), at)
    claim = BillMeters(*it) if isinstance(command, Start | Change) else ReleaseMeters(*it)
    told = metered_billing.decide(states[stream_id], claim)
    return {after.subscription_id: facts, stream_id: told}


def _metered(it: Subscription) -> tuple[str, ...]:
    """The meters that it bills, and will."""
    if it.is_canceled:
        return ()
    plans = [it.plan] if it.scheduled is None else [it.plan, it.scheduled[0]]
    return tuple(dict.fromkeys(each.meter_id for plan in plans for each in plan.terms.metered))


def _known(state: Subscription | None, subscription_id: str) -> Subscription:
    if state is None:
        raise NotFound(f"there is no subscription {subscription_id}")
    return state


def _folded(state: Subscription | None, facts: tuple[SubscriptionEvent, ...]) -> Subscription:
    for fact in facts:
        state = subscription.evolve(state, fact)
    assert state is not None, "starting leaves a subscription"
    return state
