"""Refunds, transfers, allowances and recurring grants as they are asked for and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from flamewire_ledger.api.fields import (
    AmountText,
    Body,
    Identifier,
    Page,
    Reference,
    Time,
    View,
)
from flamewire_ledger.api.models.credit_accounts import BalanceView, SliceView
from flamewire_ledger.domain.credit_account import PRIORITY_DEFAULT, Every, Source

SECONDS_MAX = 10 * 366 * 86_400


class RefundCreditsBody(Body):
    """Of which consumption: its entry, or the reference it was made with where that is the only one."""

    entry: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,17}$")] | None = Field(
        default=None,
        description="The id of the entry: the `position` that the consumption was answered with.",
        examples=["1234"],
    )
    reference: Reference | None = Field(
        default=None,
        description="Instead of `entry`: looked for among the last 10,000 entries of the account.",
    )
    amount: AmountText | None = Field(
        default=None, description="All that was not refunded before, when absent."
    )
    reason: Reference | None = None


class CreditRefund(View):
    id: str
    object: Literal["credit_refund"]
    credit_account_id: str
    entry: str
    reference: str | None
    reason: str | None
    amount: str
    amount_minor: str
    slices: list[SliceView] = Field(
        description="To which grants it went back: those that were burnt, the last first."
    )
    settled: list[SliceView] = Field(
        description="What had been owed for it and settled, to the grants that had settled it."
    )
    lapsed: str = Field(description="Of it, what lapsed at once: its grants had expired.")
    lapsed_minor: str
    no_longer_owed: str
    no_longer_owed_minor: str
    balance: BalanceView
    created_at: datetime
    position: int


class RefundPurchaseBody(Body):
    amount: AmountText | None = Field(
        default=None, description="Credits to take back; all that is left when absent."
    )
    reason: Reference | None = None


class MoneyView(View):
    currency: str
    amount: str
    amount_minor: str


class PurchaseRefundView(View):
    object: Literal["credit_purchase_refund"]
    credit_account_id: str
    grant_id: str
    payment_intent_id: str
    amount: str
    amount_minor: str
    payable: list[MoneyView] = Field(
        description="What is to be returned, in what was paid: it is booked, and sent by you."
    )
    reason: str | None
    balance: BalanceView
    created_at: datetime
    position: int


class TransferCreditsBody(Body):
    to: Identifier = Field(description="The account they go to.")
    amount: AmountText
    reference: Reference | None = None


class TransferredPart(View):
    from_grant_id: str
    grant_id: str
    amount: str
    amount_minor: str


class CreditTransfer(View):
    id: str
    object: Literal["credit_transfer"]
    credit_account_id: str
    to: str
    amount: str
    amount_minor: str
    reference: str | None
    grants: list[TransferredPart] = Field(
        description="Each part goes on with the source, priority, expiry, payment and cost it had."
    )
    balance: BalanceView
    to_balance: BalanceView
    created_at: datetime
    position: int


class SetOverageBody(Body):
    overage_max: AmountText = Field(description="How far below zero it may go, in credits.")
    reason: Reference | None = None


class OverageView(View):
    object: Literal["credit_overage"]
    credit_account_id: str
    overage_max: str
    overage_max_minor: str
    balance: BalanceView
    position: int


class SetRecurringGrantBody(Body):
    amount: AmountText
    every: Every
    source: Literal["promotion", "granted"] = "granted"
    anchor: Time | None = Field(
        default=None,
        description=(
            "When a period begins, and by that all others; now when absent. Of an anchor in the "
            "past, the first grant is that of the next period."
        ),
    )
    expires_after_seconds: Annotated[int, Field(ge=1, le=SECONDS_MAX)] | None = Field(
        default=None, description="Counted from the beginning of each period."
    )
    priority: Annotated[int, Field(ge=0, le=1000)] = PRIORITY_DEFAULT
    until: Time | None = Field(default=None, description="No period begins then or later.")


class RecurringGrantView(View):
    id: str
    object: Literal["recurring_grant"]
    credit_account_id: str
    status: Literal["active", "over", "canceled"]
    amount: str
    amount_minor: str
    every: Every
    anchor: datetime
    source: Source
    priority: int
    expires_after_seconds: int | None
    until: datetime | None
    next_at: datetime | None
    created_at: datetime
    position: int


class RecurringGrants(View):
    object: Literal["list"]
    data: list[RecurringGrantView]
    has_more: bool


class CancelRecurringGrantBody(Body):
    reason: Reference | None = None


class ListRecurringGrants(Page):
    pass
