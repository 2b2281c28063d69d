"""Commands on subscriptions, as envelopes. What a period costs is worked out on the state that the
command is decided on, so that a change that came in between is never billed on the terms before it.

Usage is read before: where the state has come to need other usage, the command is refused and may
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
from flamewire_ledger.domain import subscription
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
    plan_id: str | None
    quantity: int | None
    now: bool
    prorate: bool
    usage: Usage
    at: datetime


@dataclass(frozen=True, slots=True)
class CancelNow:
    subscription_id: str
    prorate: bool
    usage: Usage
    at: datetime


@dataclass(frozen=True, slots=True)
class Advance:
    """The one thing that is due by time, if it still is."""

    subscription_id: str
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
        return {stream_id: (*facts, *(subscription.decide(state, step) if step else ()))}

    subjects = (Subject(command.plan_id, PLAN), Subject(stream_id, SUBSCRIPTION))
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
            return {stream_id: subscription.decide(state, later)}
        # Refused first where it may not be, then worked out.
        subscription.check_change(state, plan, quantity, command.at)
        at_once = billing.change(
            state, plan, quantity, command.usage, command.at, prorate=command.prorate
        )
        return {stream_id: subscription.decide(state, at_once)}

    subjects: tuple[Subject, ...] = (Subject(stream_id, SUBSCRIPTION),)
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
        return {stream_id: subscription.decide(state, ending)}

    return origin.envelope((Subject(stream_id, SUBSCRIPTION),), decide, answer)


def advance(origin: Origin, command: Advance) -> Envelope:
    """What time has made due: one step, so that after an outage each has its own facts."""
    stream_id = command.subscription_id

    def decide(states: Mapping[str, Any]) -> Facts:
        state = _known(states[stream_id], stream_id)
        step = billing.due(state, command.usage, command.at)
        return {stream_id: () if step is None else subscription.decide(state, step)}

    return origin.envelope((Subject(stream_id, SUBSCRIPTION),), decide)


def _known(state: Subscription | None, subscription_id: str) -> Subscription:
    if state is None:
        raise NotFound(f"there is no subscription {subscription_id}")
    return state


def _folded(state: Subscription | None, facts: tuple[SubscriptionEvent, ...]) -> Subscription:
    for fact in facts:
        state = subscription.evolve(state, fact)
    assert state is not None, "starting leaves a subscription"
    return state
