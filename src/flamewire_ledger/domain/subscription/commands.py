"""What may be asked of a subscription. Periods, bills and credits come worked out, by `billing`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from flamewire_ledger.domain.party import Party
from flamewire_ledger.domain.plan_terms import PlanVersion
from flamewire_ledger.domain.subscription.facts import (
    Allotment,
    Bill,
    BilledUsage,
    CancelReason,
    Carried,
    NextCredits,
    PauseReason,
    Refund,
    Span,
)


@dataclass(frozen=True, slots=True)
class StartSubscription:
    """`with_trial`: as long as the plan says, where it says any."""

    subscription_id: str
    credit_account_id: str
    plan: PlanVersion
    quantity: int
    starts_at: datetime
    with_trial: bool
    reference: str | None
    at: datetime
    bill_to: Party | None = None


@dataclass(frozen=True, slots=True)
class BeginTrial:
    subscription_id: str
    allotment: Allotment | None
    at: datetime


@dataclass(frozen=True, slots=True)
class BeginPeriod:
    """The first, or the one that follows the one that has ended."""

    subscription_id: str
    plan: PlanVersion
    quantity: int
    period: Span
    bill: Bill | None
    carried: tuple[Carried, ...]
    allotment: Allotment | None
    next_credits: NextCredits | None
    at: datetime
    usage: tuple[BilledUsage, ...] = ()


@dataclass(frozen=True, slots=True)
class AllotCredits:
    subscription_id: str
    allotment: Allotment | None
    next_credits: NextCredits | None
    at: datetime


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """Now. `period` None: before the first. `is_prorated`: the rest of it is charged on the new terms."""

    subscription_id: str
    plan: PlanVersion
    quantity: int
    period: Span | None
    bill: Bill | None
    carried: tuple[Carried, ...]
    allotment: Allotment | None
    next_credits: NextCredits | None
    at: datetime
    usage: tuple[BilledUsage, ...] = ()
    is_prorated: bool = False
    credits_units: int = 0


@dataclass(frozen=True, slots=True)
class SchedulePlanChange:
    """At the end of the period, or of the trial."""

    subscription_id: str
    plan: PlanVersion
    quantity: int
    at: datetime


@dataclass(frozen=True, slots=True)
class PauseSubscription:
    subscription_id: str
    reason: PauseReason
    resumes_at: datetime | None
    at: datetime


@dataclass(frozen=True, slots=True)
class ResumeSubscription:
    """Also withdraws a cancellation that was scheduled, unless it is time that resumes it."""

    subscription_id: str
    at: datetime
    by_time: bool = False


@dataclass(frozen=True, slots=True)
class ScheduleCancel:
    """At the end of the period, or of the trial."""

    subscription_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CancelSubscription:
    subscription_id: str
    reason: CancelReason
    bill: Bill | None
    refund: Refund | None
    carried: tuple[Carried, ...]
    at: datetime
    usage: tuple[BilledUsage, ...] = ()
    closes_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CloseSubscription:
    """What came late for the last bill of one that has ended."""

    subscription_id: str
    bill: Bill | None
    carried: tuple[Carried, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class NotePastDue:
    subscription_id: str
    invoice_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class NoteSettled:
    """An invoice of it is not open any more: paid, void, or given up."""

    subscription_id: str
    invoice_id: str
    at: datetime


SubscriptionCommand: TypeAlias = (
    StartSubscription
    | BeginTrial
    | BeginPeriod
    | AllotCredits
    | ChangePlan
    | SchedulePlanChange
    | PauseSubscription
    | ResumeSubscription
    | ScheduleCancel
    | CancelSubscription
    | CloseSubscription
    | NotePastDue
    | NoteSettled
)
