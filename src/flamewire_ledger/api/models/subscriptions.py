"""Subscriptions as they are asked for and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from flamewire_ledger.api.fields import Body, Fresh, Identifier, Page, Reference, Time, View
from flamewire_ledger.api.models.invoices import PartyBody, PartyView
from flamewire_ledger.domain.subscription import QUANTITY_MAX, Status

Quantity = Annotated[int, Field(ge=1, le=QUANTITY_MAX)]
When = Literal["now", "period_end"]


class CreateSubscription(Body):
    credit_account_id: Identifier
    plan: Identifier = Field(description="The id of a plan, or its code.", examples=["pro"])
    quantity: Quantity = 1
    trial: bool = Field(default=True, description="As long as the plan says, where it says any.")
    start_at: Time | None = Field(
        default=None, description="Now when absent. Periods that are over by now are billed each."
    )
    reference: Reference | None = None
    bill_to: PartyBody | None = Field(
        default=None, description="Whom its invoices name, and where they are sent."
    )


class ChangePlanBody(Body):
    plan: Identifier | None = Field(
        default=None, description="The id or code; the terms there are when absent."
    )
    quantity: Quantity | None = None
    when: When = "now"
    prorate: bool = Field(
        default=True, description="Now: give back what is not used, ask for the rest."
    )


class PauseBody(Body):
    resume_at: Time | None = Field(default=None, description="When it goes on by itself.")


class CancelBody(Body):
    when: When = "period_end"
    prorate: bool = Field(
        default=True, description="Now: give back what is not used, by a credit note."
    )


class PlanOfSubscription(View):
    id: str
    code: str
    version: int
    name: str


class BillingPeriodView(View):
    number: int
    start: datetime
    end: datetime


class ScheduledChangeView(View):
    plan: PlanOfSubscription
    quantity: int


class SubscriptionView(View):
    id: str
    object: Literal["subscription"]
    status: Status
    credit_account_id: str
    plan: PlanOfSubscription
    quantity: int
    current_period: BillingPeriodView | None
    starts_at: datetime
    trial_ends_at: datetime | None
    cancel_at_period_end: bool
    scheduled_change: ScheduledChangeView | None
    resumes_at: datetime | None
    past_due_at: datetime | None
    credit: str = Field(
        description="Given back, and not yet asked for less: it comes off the next bill."
    )
    credit_minor: str
    currency: str
    next_at: datetime | None = Field(description="When time changes something next.")
    reference: str | None
    bill_to: PartyView | None
    created_at: datetime
    canceled_at: datetime | None
    position: int


class Subscriptions(View):
    object: Literal["list"]
    data: list[SubscriptionView]
    has_more: bool


class ListSubscriptions(Page):
    status: Status | None = None
    credit_account_id: Identifier | None = None
    plan: Identifier | None = Field(default=None, description="The id of a plan.")


class UpcomingLine(View):
    description: str
    quantity: str
    unit_price: str | None
    amount: str
    amount_minor: str
    tax_rate: str | None
    period_start: datetime
    period_end: datetime
    is_credit: bool


class UpcomingInvoice(View):
    """What is asked for next, from what is known now."""

    object: Literal["upcoming_invoice"]
    subscription_id: str
    invoice_id: str | None = Field(description="Of the invoice that will be; none over nothing.")
    at: datetime
    period: BillingPeriodView | None
    currency: str
    lines: list[UpcomingLine]
    net: str
    net_minor: str
    tax: str
    tax_minor: str
    total: str
    total_minor: str
    credit: str = Field(description="What is carried on beyond it.")
    credit_minor: str


class GetUpcoming(Fresh):
    """The next invoice of one subscription."""
