"""Credit accounts, grants and holds as they are asked for and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from flamewire_ledger.api.fields import (
    AmountText,
    Body,
    Name,
    Page,
    Reference,
    Time,
    View,
)
from flamewire_ledger.domain.credit_account import PRIORITY_DEFAULT, Source

HOLD_SECONDS_DEFAULT = 3600


class CreateCreditAccount(Body):
    external_id: Reference | None = Field(
        default=None, description="Your name for it.", examples=["customer-1"]
    )
    name: Name | None = None
    overage_max: AmountText = Field(
        default="0", description="How far below zero it may go, in credits."
    )


class GrantCreditsBody(Body):
    amount: AmountText
    source: Source
    priority: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=PRIORITY_DEFAULT, description="Smaller burns first."
    )
    expires_at: Time | None = None


class ConsumeCreditsBody(Body):
    amount: AmountText
    reference: Reference | None = None


class HoldCreditsBody(Body):
    amount: AmountText
    expires_in_seconds: Annotated[int, Field(ge=1, le=2_592_000)] = HOLD_SECONDS_DEFAULT


class CaptureHoldBody(Body):
    amount: AmountText | None = Field(default=None, description="All of it when absent.")
    reference: Reference | None = None


class BalanceView(View):
    """granted + owed + transferred_in = available + held + consumed + expired + reversed +
    transferred_out.
    """

    available: str
    available_minor: str
    held: str
    held_minor: str
    granted: str
    granted_minor: str
    consumed: str
    consumed_minor: str
    expired: str
    expired_minor: str
    reversed: str
    reversed_minor: str
    owed: str
    owed_minor: str
    transferred_in: str
    transferred_in_minor: str
    transferred_out: str
    transferred_out_minor: str


class GrantView(View):
    id: str
    object: Literal["credit_grant"]
    amount: str
    amount_minor: str
    remaining: str
    remaining_minor: str
    held: str
    held_minor: str
    source: Source
    priority: int
    expires_at: datetime | None
    payment_intent_id: str | None
    created_at: datetime


class CreditAccountView(View):
    id: str
    object: Literal["credit_account"]
    external_id: str | None
    name: str | None
    overage_max: str
    overage_max_minor: str
    balance: BalanceView
    grants: list[GrantView] = Field(
        description="Those with something left or held, what burns first in front; 1000 at most."
    )
    created_at: datetime
    position: int


class CreditAccountSummary(View):
    id: str
    object: Literal["credit_account"]
    external_id: str | None
    name: str | None
    overage_max: str
    overage_max_minor: str
    balance: BalanceView
    created_at: datetime
    position: int


class CreditAccounts(View):
    object: Literal["list"]
    data: list[CreditAccountSummary]
    has_more: bool


class SliceView(View):
    grant_id: str
    amount: str
    amount_minor: str


class GrantMade(GrantView):
    credit_account_id: str
    balance: BalanceView
    position: int


class Consumption(View):
    object: Literal["credit_consumption"]
    credit_account_id: str
    amount: str
    amount_minor: str
    overage: str
    overage_minor: str
    reference: str | None
    slices: list[SliceView] = Field(description="Of which grants it was burnt.")
    balance: BalanceView
    created_at: datetime
    position: int


class HoldView(View):
    id: str
    object: Literal["credit_hold"]
    credit_account_id: str
    status: Literal["held", "captured", "released", "expired"]
    amount: str
    amount_minor: str
    captured: str
    captured_minor: str
    reference: str | None
    expires_at: datetime
    position: int


class HoldChanged(HoldView):
    balance: BalanceView


class Holds(View):
    object: Literal["list"]
    data: list[HoldView]
    has_more: bool


class EntryView(View):
    """One change; `available` and `held` are what it did to them, with their sign."""

    object: Literal["credit_entry"]
    id: str = Field(description="The cursor of this list.")
    kind: str
    amount: str
    amount_minor: str
    available: str
    available_minor: str
    held: str
    held_minor: str
    balance: str = Field(description="What is available after it.")
    balance_minor: str
    grant_id: str | None
    hold_id: str | None
    payment_intent_id: str | None
    reference: str | None
    refund_of: str | None = Field(description="The entry that is refunded, wholly or in part.")
    transfer_id: str | None
    other_account_id: str | None = Field(description="Where a transfer went or came from.")
    slices: list[SliceView]
    created_at: datetime
    position: int


class Entries(View):
    object: Literal["list"]
    data: list[EntryView]
    has_more: bool


class ListCreditAccounts(Page):
    external_id: Reference | None = None


class ListHolds(Page):
    status: Literal["held", "captured", "released", "expired"] | None = None
