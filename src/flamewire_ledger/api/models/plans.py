"""Plans as they are asked for and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from flamewire_ledger.api.fields import AmountText, Body, Identifier, Name, Page, Symbol, View
from flamewire_ledger.domain.plan_terms import (
    ENTITLEMENTS_MAX,
    NET_DAYS_MAX,
    PRICES_MAX,
    TRIAL_DAYS_MAX,
    Proration,
    Unit,
    WhenUnpaid,
)

Days = Annotated[int, Field(ge=0, le=NET_DAYS_MAX)]


class IntervalBody(Body):
    unit: Unit
    count: Annotated[int, Field(ge=1, le=3660)] = 1


class FixedPriceBody(Body):
    name: Name
    amount: AmountText


class MeteredPriceBody(Body):
    name: Name
    meter_id: Identifier = Field(description="The id of a meter.")
    price: dict[str, Any] = Field(
        description="A `standard`, `graduated`, `volume`, `package` or `percentage` price.",
        examples=[{"model": "standard", "unit_price": "0.001"}],
    )


class IncludedCreditsBody(Body):
    amount: AmountText
    every: IntervalBody | None = Field(
        default=None, description="In parts of the period, such as each month of a year."
    )
    rolls_over: bool = Field(
        default=False, description="What is left stays; else it lapses when the next are granted."
    )
    priority: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=50, description="Smaller burns first."
    )


class EntitlementBody(Body):
    feature: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    kind: Literal["flag", "quantity", "credits"] = "flag"
    meter_id: Identifier | None = Field(default=None, description="Of a quantity.")
    limit: AmountText | None = Field(default=None, description="Of a quantity.")
    period: Literal["day", "month"] | None = Field(default=None, description="Of a quantity.")


class PlanTermsBody(Body):
    """Fixed prices are asked for in advance, metered ones in arrears."""

    name: Name
    currency: Symbol = Field(examples=["USD"])
    interval: IntervalBody
    fixed_prices: Annotated[list[FixedPriceBody], Field(max_length=PRICES_MAX)] = Field(
        default_factory=list
    )
    metered_prices: Annotated[list[MeteredPriceBody], Field(max_length=PRICES_MAX)] = Field(
        default_factory=list
    )
    included_credits: IncludedCreditsBody | None = None
    entitlements: Annotated[list[EntitlementBody], Field(max_length=ENTITLEMENTS_MAX)] = Field(
        default_factory=list
    )
    trial_days: Annotated[int, Field(ge=0, le=TRIAL_DAYS_MAX)] = 0
    trial_credits: AmountText | None = None
    commitment: AmountText | None = Field(
        default=None, description="The least that a period comes to."
    )
    proration: Proration = "second"
    due_days: Days = 14
    unpaid_days: Days = Field(
        default=14, description="From past due on, until `when_unpaid` is done."
    )
    when_unpaid: WhenUnpaid = "pause"
    tax_rate: AmountText | None = Field(default=None, description="Percent.", examples=["19"])
    prices_include_tax: bool = False


class CreatePlan(PlanTermsBody):
    code: Identifier = Field(description="Your name for it; one plan has it.", examples=["pro"])


class RevisePlan(PlanTermsBody):
    """The new terms, whole. Who has the plan stays on the terms they have."""


class IntervalView(View):
    unit: Unit
    count: int


class FixedPriceView(View):
    name: str
    amount: str
    amount_minor: str


class MeteredPriceView(View):
    name: str
    meter_id: str
    price: dict[str, Any]


class IncludedCreditsView(View):
    amount: str
    amount_minor: str
    every: IntervalView | None
    rolls_over: bool
    priority: int


class EntitlementView(View):
    feature: str
    kind: Literal["flag", "quantity", "credits"]
    meter_id: str | None
    limit: str | None
    period: Literal["day", "month"] | None


class PlanView(View):
    id: str
    object: Literal["plan"]
    code: str
    version: int
    status: Literal["active", "archived"]
    name: str
    currency: str
    interval: IntervalView
    fixed_prices: list[FixedPriceView]
    metered_prices: list[MeteredPriceView]
    included_credits: IncludedCreditsView | None
    entitlements: list[EntitlementView]
    trial_days: int
    trial_credits: str | None
    trial_credits_minor: str | None
    commitment: str | None
    commitment_minor: str | None
    proration: Proration
    due_days: int
    unpaid_days: int
    when_unpaid: WhenUnpaid
    tax_rate: str | None
    prices_include_tax: bool
    created_at: datetime
    position: int


class Plans(View):
    object: Literal["list"]
    data: list[PlanView]
    has_more: bool


class ListPlans(Page):
    code: Identifier | None = None
