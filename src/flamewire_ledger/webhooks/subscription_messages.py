"""What a merchant is told of subscriptions: each time the subscription as it was then."""

from __future__ import annotations

from functools import reduce
from typing import Any, Final

from flamewire_ledger.domain import subscription as subscriptions
from flamewire_ledger.domain.subscription import Status, Subscription
from flamewire_ledger.webhooks.message import Kind, Shape, Time, Told, own_stream


class SubscriptionData(Shape):
    """A subscription."""

    subscription_id: str
    credit_account_id: str
    status: Status
    plan_id: str
    plan_code: str
    plan_version: int
    quantity: int
    reference: str | None
    period: int | None  # 1, 2, 3 …
    period_start: Time | None
    period_end: Time | None
    trial_ends_at: Time | None
    ends_with_period: bool
    resumes_at: Time | None  # of one that is paused
    reason: str | None  # of what was done to it
    invoice_id: str | None  # that this asks for, or is about


def _of(told: Told) -> SubscriptionData:
    subscription: Subscription | None = reduce(subscriptions.evolve, told.own, None)
    assert subscription is not None, "its stream holds at least the fact that is told"
    started, period = subscription.started, subscription.period
    return SubscriptionData(
        subscription_id=started.subscription_id,
        credit_account_id=started.credit_account_id,
        status=subscription.status,
        plan_id=subscription.plan.plan_id,
        plan_code=subscription.plan.code,
        plan_version=subscription.plan.version,
        quantity=subscription.quantity,
        reference=started.reference,
        period=None if period is None else period.number,
        period_start=None if period is None else period.start,
        period_end=None if period is None else period.end,
        trial_ends_at=started.trial_ends_at,
        ends_with_period=subscription.ends_with_period,
        resumes_at=subscription.resumes_at,
        reason=getattr(told.fact, "reason", None),
        invoice_id=_invoice_of(told.fact),
    )


def _invoice_of(fact: Any) -> str | None:
    bill = getattr(fact, "bill", None)
    found = getattr(fact, "invoice_id", None) if bill is None else bill.invoice_id
    return None if found is None else str(found)


def _kind(name: str, says: str, event: str) -> Kind:
    return Kind(
        f"subscription.{name}",
        says,
        (f"subscription.{event}.v1",),
        SubscriptionData,
        _of,
        own_stream,
    )


SUBSCRIPTION_KINDS: Final = (
    _kind("created", "An account was subscribed to a plan.", "started"),
    _kind("trial_started", "Its trial began.", "trial_started"),
    _kind("activated", "It is no trial any more.", "activated"),
    _kind("renewed", "A period began.", "renewed"),
    _kind("plan_changed", "It is on another plan, or on more or less of it.", "plan_changed"),
    _kind("past_due", "An invoice of it is open behind its due date.", "past_due"),
    _kind("recovered", "What was due of it is paid.", "recovered"),
    _kind("paused", "It stopped for a while.", "paused"),
    _kind("resumed", "It goes on.", "resumed"),
    _kind("cancel_scheduled", "It ends with this period.", "cancel_scheduled"),
    _kind("cancel_withdrawn", "It goes on behind this period after all.", "cancel_withdrawn"),
    _kind("canceled", "It has ended.", "canceled"),
)
