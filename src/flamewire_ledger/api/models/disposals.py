"""Disposals: what left the wallets by somebody's hand, as it is told to the ledger and as it is answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from flamewire_ledger.api.fields import (
    AmountText,
    Body,
    Identifier,
    Page,
    Reference,
    Symbol,
    Time,
    View,
)
from flamewire_ledger.domain.disposal import LOTS_MAX, Kind


class Proceeds(Body):
    """What a sale brought, net of what it cost, in money of a state."""

    amount: AmountText
    currency: Symbol = Field(description="An ISO 4217 code.")


class RecordDisposal(Body):
    """What left a wallet, outside of this ledger. Nothing is sent by it."""

    network: Symbol
    asset: Symbol
    amount: AmountText
    kind: Kind = Field(
        description="`sale` for money, with `proceeds`; `withdrawal` by the owner; `fee` of a "
        "network; `refund` of what is payable to payers."
    )
    proceeds: Proceeds | None = None
    lots: Annotated[list[Identifier], Field(max_length=LOTS_MAX)] = Field(
        default_factory=list,
        description="Specific identification: the lots it is taken from, in this order. Together "
        "they have the amount. They count in reports with `method=specific`.",
    )
    reference: Reference | None = None
    made_at: Time | None = Field(default=None, description="When it happened; by default now.")


class ProceedsView(View):
    amount: str
    amount_minor: str
    currency: str


class DisposalView(View):
    id: str
    object: Literal["disposal"]
    network: str
    asset: str
    asset_code: str
    amount: str
    amount_minor: str
    kind: Kind
    proceeds: ProceedsView | None
    lots: list[str]
    reference: str | None
    made_at: str
    position: int


class Disposals(View):
    object: Literal["list"]
    data: list[DisposalView]
    has_more: bool


class ListDisposals(Page):
    """The last first."""
