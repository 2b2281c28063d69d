"""Top-up rules as they are asked for and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from flamewire_ledger.api.fields import AmountText, Body, View
from flamewire_ledger.api.models.payment_intents import PayWith

COOLDOWN_SECONDS_DEFAULT = 600
EXPIRES_SECONDS_DEFAULT = 3600


class SetTopUpBody(Body):
    """When credits run low, ask for a payment. Amounts are credits."""

    threshold: AmountText = Field(description="It is time when less than this is available.")
    target: AmountText | None = Field(default=None, description="Fill up to here; or `amount`.")
    amount: AmountText | None = Field(default=None, description="Add so much; or `target`.")
    currency: Literal["USD", "CREDIT"] = Field(
        default="USD", description="What the payment intents are in."
    )
    pay_with: Annotated[list[PayWith], Field(max_length=32)] = Field(
        default_factory=list, description="The ways to pay; without it, all there are."
    )
    per_day_max: AmountText | None = Field(
        default=None, description="Credits asked for within a day (UTC), at most."
    )
    per_month_max: AmountText | None = Field(
        default=None, description="Credits asked for within a month (UTC), at most."
    )
    cooldown_seconds: Annotated[int, Field(ge=0, le=31 * 86_400)] = COOLDOWN_SECONDS_DEFAULT
    expires_in_seconds: Annotated[int, Field(ge=60, le=86_400)] = Field(
        default=EXPIRES_SECONDS_DEFAULT, description="How long each intent and its rates last."
    )


class TopUpRequestView(View):
    payment_intent_id: str
    number: int
    amount: str
    amount_minor: str
    outcome: Literal["paid", "expired", "canceled", "failed", "taken_back"] | None = Field(
        description="null while the intent is open. taken_back: paid once, and undone by the chain for good."
    )
    requested_at: datetime
    closed_at: datetime | None


class TopUpRule(View):
    id: str
    object: Literal["top_up"]
    credit_account_id: str
    status: Literal["on", "removed"]
    threshold: str
    threshold_minor: str
    target: str | None
    target_minor: str | None
    amount: str | None
    amount_minor: str | None
    currency: str
    pay_with: list[PayWith]
    per_day_max: str | None
    per_day_max_minor: str | None
    per_month_max: str | None
    per_month_max_minor: str | None
    cooldown_seconds: int
    expires_in_seconds: int
    position: int


class TopUpView(TopUpRule):
    payment_intent_id: str | None = Field(description="Of the open request.")
    again_at: datetime = Field(description="There is no other request before.")
    refused: str | None = Field(description="Why the last one could not be made.")
    alarmed_at: datetime | None = Field(
        description="When there were three requests within ten minutes, the last time."
    )
    requests: list[TopUpRequestView] = Field(description="The last 20, the latest first.")
