"""What can become true of a subscription.

Each fact says what it leaves: the status, and when time alone changes something next (`next_at`); and
since when it is past due, where that may have changed. So whoever looks for what is due needs no
rules of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal, TypeAlias

from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.party import Party
from flamewire_ledger.domain.plan_terms import MeteredPrice, PlanEntitlement, PlanVersion

Status: TypeAlias = Literal["scheduled", "trialing", "active", "past_due", "paused", "canceled"]
PauseReason: TypeAlias = Literal["asked", "unpaid"]
CancelReason: TypeAlias = Literal["asked", "unpaid"]


@dataclass(frozen=True, slots=True)
class Span:
    """A period that is paid for: from its start until just before its end.

    `anchor_day` is the day of the month its successors want to begin on. `paused_microseconds` is
    how much of it did not count.
    """

    number: int  # 1, 2, 3 …
    start: datetime
    end: datetime
    anchor_day: int
    paused_microseconds: int = 0


@dataclass(frozen=True, slots=True)
class BillLine:
    """As a line of the invoice that follows. `is_credit`: given back, not asked for."""

    description: str
    quantity: str
    unit_price: str | None
    amount: Amount
    tax_rate: str | None
    start: datetime
    end: datetime
    is_credit: bool = False


@dataclass(frozen=True, slots=True)
class Bill:
    """What an invoice is made of; its id is decided here, so that it is made once."""

    invoice_id: str
    lines: tuple[BillLine, ...]
    due_days: int
    prices_include_tax: bool


@dataclass(frozen=True, slots=True)
class BilledUsage:
    """What a meter had counted when it was last billed, and at which price: what comes late is an
    adjustment on the next bill. `lacking_units` is what all that was billed with it lacked of a
    commitment, which was asked for as well; less than nothing where there was more, None without one.
    """

    price: MeteredPrice
    tax_rate: str | None
    start: datetime
    end: datetime
    quantity: str  # a plain decimal
    lacking_units: int | None = None


@dataclass(frozen=True, slots=True)
class Carried:
    """What was given back beyond what was asked for: it comes off the next bill."""

    tax_rate: str | None
    amount: Amount


@dataclass(frozen=True, slots=True)
class Allotment:
    """Credits to be granted. None where they would have lapsed before they came."""

    grant_id: str
    amount: Amount
    expires_at: datetime | None
    priority: int


@dataclass(frozen=True, slots=True)
class NextCredits:
    """When credits come next within the period; they are the n-th (0: with its beginning) of it."""

    number: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Refund:
    """What is given back of lines of an invoice, by a credit note."""

    credit_note_id: str
    invoice_id: str
    lines: tuple[RefundLine, ...]


@dataclass(frozen=True, slots=True)
class RefundLine:
    line: int  # 1, 2, 3 … of the invoice
    amount: Amount


@dataclass(frozen=True, slots=True)
class SubscriptionStarted:
    type: ClassVar = "subscription.started.v1"
    subscription_id: str
    credit_account_id: str
    plan: PlanVersion
    quantity: int
    starts_at: datetime
    trial_ends_at: datetime | None
    reference: str | None
    started_at: datetime
    status: Status = "scheduled"
    next_at: datetime | None = None
    bill_to: Party | None = None  # whom its invoices name, and where they go


@dataclass(frozen=True, slots=True)
class SubscriptionTrialStarted:
    type: ClassVar = "subscription.trial_started.v1"
    subscription_id: str
    credit_account_id: str
    plan: PlanVersion
    ends_at: datetime
    allotment: Allotment | None
    trial_started_at: datetime
    status: Status = "trialing"
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionActivated:
    """The first period that is paid for begins: the fact behind this one says it."""

    type: ClassVar = "subscription.activated.v1"
    subscription_id: str
    credit_account_id: str
    plan: PlanVersion
    activated_at: datetime
    status: Status = "active"
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionRenewed:
    """A period begins. The bill is of what is paid in advance for it, and of what the one before it
    used.
    """

    type: ClassVar = "subscription.renewed.v1"
    subscription_id: str
    credit_account_id: str
    plan: PlanVersion
    quantity: int
    period: Span
    bill: Bill | None
    carried: tuple[Carried, ...]
    allotment: Allotment | None
    next_credits: NextCredits | None  # within the period
    renewed_at: datetime
    status: Status = "active"
    next_at: datetime | None = None
    usage: tuple[BilledUsage, ...] = ()  # until the period, as far as more of it may come


@dataclass(frozen=True, slots=True)
class SubscriptionCreditsAllotted:
    """Credits of a part of the period: a month of a year."""

    type: ClassVar = "subscription.credits_allotted.v1"
    subscription_id: str
    credit_account_id: str
    allotment: Allotment | None
    next_credits: NextCredits | None
    allotted_at: datetime
    status: Status = "active"
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionPlanChangeScheduled:
    """At the end of the period. The plan and quantity it has: what was scheduled is not."""

    type: ClassVar = "subscription.plan_change_scheduled.v1"
    subscription_id: str
    plan: PlanVersion
    quantity: int
    scheduled_at: datetime
    status: Status = "active"
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionPlanChanged:
    """`period` is the one that goes on, or a new one where the plans' intervals differ; None before
    the first. `is_prorated`: from here on, the period is charged in advance on these terms.
    """

    type: ClassVar = "subscription.plan_changed.v1"
    subscription_id: str
    credit_account_id: str
    plan: PlanVersion
    quantity: int
    removed: tuple[PlanEntitlement, ...]  # features of the plan before that this one has not
    period: Span | None
    bill: Bill | None
    carried: tuple[Carried, ...]
    allotment: Allotment | None
    next_credits: NextCredits | None
    changed_at: datetime
    status: Status = "active"
    next_at: datetime | None = None
    usage: tuple[BilledUsage, ...] = ()  # until the change
    is_prorated: bool = False
    credits_units: int = 0  # granted for the whole time until the next credits


@dataclass(frozen=True, slots=True)
class SubscriptionPaused:
    type: ClassVar = "subscription.paused.v1"
    subscription_id: str
    credit_account_id: str
    entitlements: tuple[PlanEntitlement, ...]
    reason: PauseReason
    resumes_at: datetime | None
    paused_at: datetime
    status: Status = "paused"
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionResumed:
    """What was left of the period is still to come: it ends later by as long as the pause was."""

    type: ClassVar = "subscription.resumed.v1"
    subscription_id: str
    credit_account_id: str
    plan: PlanVersion
    period: Span
    next_credits: NextCredits | None
    resumed_at: datetime
    status: Status = "active"
    next_at: datetime | None = None
    past_due_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionCancelScheduled:
    type: ClassVar = "subscription.cancel_scheduled.v1"
    subscription_id: str
    ends_at: datetime
    scheduled_at: datetime
    status: Status = "active"
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionCancelWithdrawn:
    type: ClassVar = "subscription.cancel_withdrawn.v1"
    subscription_id: str
    withdrawn_at: datetime
    status: Status = "active"
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionCanceled:
    """`bill`: of what was used until the end. `refund`: of what was paid in advance and is not used.
    `carried`: what neither could give back. `usage`: as billed until the end, as far as more of it may
    come, which it does until `closes_at`.
    """

    type: ClassVar = "subscription.canceled.v1"
    subscription_id: str
    credit_account_id: str
    entitlements: tuple[PlanEntitlement, ...]
    reason: CancelReason
    bill: Bill | None
    refund: Refund | None
    carried: tuple[Carried, ...]
    canceled_at: datetime
    status: Status = "canceled"
    next_at: datetime | None = None
    usage: tuple[BilledUsage, ...] = ()
    closes_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionClosed:
    """It had ended, and no more usage of it can come. `bill`: of what came late for its last one."""

    type: ClassVar = "subscription.closed.v1"
    subscription_id: str
    credit_account_id: str
    bill: Bill | None
    carried: tuple[Carried, ...]
    closed_at: datetime
    status: Status = "canceled"
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionPastDue:
    """An invoice of it is open behind its due date."""

    type: ClassVar = "subscription.past_due.v1"
    subscription_id: str
    invoice_id: str
    past_due_at: datetime
    status: Status = "past_due"
    next_at: datetime | None = None
    past_due_since: datetime | None = None  # the first of the invoices that are


@dataclass(frozen=True, slots=True)
class SubscriptionRecovered:
    """This invoice of it is not overdue any more; `past_due_since` says whether others are."""

    type: ClassVar = "subscription.recovered.v1"
    subscription_id: str
    invoice_id: str
    recovered_at: datetime
    status: Status = "active"
    next_at: datetime | None = None
    past_due_since: datetime | None = None


SubscriptionEvent: TypeAlias = (
    SubscriptionStarted
    | SubscriptionTrialStarted
    | SubscriptionActivated
    | SubscriptionRenewed
    | SubscriptionCreditsAllotted
    | SubscriptionPlanChangeScheduled
    | SubscriptionPlanChanged
    | SubscriptionPaused
    | SubscriptionResumed
    | SubscriptionCancelScheduled
    | SubscriptionCancelWithdrawn
    | SubscriptionCanceled
    | SubscriptionClosed
    | SubscriptionPastDue
    | SubscriptionRecovered
)
