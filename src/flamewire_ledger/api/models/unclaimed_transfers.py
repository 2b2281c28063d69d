"""Unclaimed transfers as they are answered, and what may be decided about them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from flamewire_ledger.api.fields import Body, Identifier, Page, Reference, Symbol, View
from flamewire_ledger.domain.unclaimed_transfer import GivenUp, UnclaimedStatus, WhyUnclaimed


class UnclaimedTransferView(View):
    """A transfer to an address of many payments that is none of theirs by its mark or amount."""

    id: str
    object: Literal["unclaimed_transfer"]
    livemode: bool
    status: UnclaimedStatus = Field(
        description="`confirmed` waits for a decision: it is on the books, in suspense."
    )
    why: WhyUnclaimed
    network: str
    chain_id: str = Field(description="CAIP-2")
    asset: str
    asset_code: str
    transaction_id: str
    index: int
    address: str
    mark: str | None = Field(description="What its transaction says; null for nothing.")
    amount: str
    amount_minor: str
    confirmations: int
    block_height: int | None
    payment_intent_id: str | None = Field(description="Which it was assigned to.")
    reason: str | None = Field(description="Of the last decision.")
    seen_at: datetime
    confirmed_at: datetime | None
    decided_at: datetime | None
    position: int


class UnclaimedTransfers(View):
    object: Literal["list"]
    data: list[UnclaimedTransferView]
    has_more: bool


class ListUnclaimedTransfers(Page):
    status: UnclaimedStatus | None = None
    network: Symbol | None = None
    payment_intent_id: Identifier | None = None


class AssignUnclaimedTransfer(Body):
    """Which payment it is for. The payment gets it as a transfer of its own."""

    payment_intent_id: Identifier
    reason: Reference


class ResolveUnclaimedTransfer(Body):
    """What becomes of it when it is no payment's."""

    choice: GivenUp
    reason: Reference
