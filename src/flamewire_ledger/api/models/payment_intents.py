"""Payment intents as they are asked for and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from flamewire_ledger.api.fields import (
    AmountText,
    Body,
    Identifier,
    Metadata,
    Page,
    Reference,
    Symbol,
    View,
)
from flamewire_ledger.domain.payment import Choice, Label, Status, TransferStatus

EXPIRES_SECONDS_DEFAULT = 900


class PayWith(Body):
    """A way to pay: an asset on a network, each by alias or by CAIP id."""

    network: Symbol = Field(examples=["bittensor"])
    asset: Symbol = Field(examples=["TAO"])


class CreatePaymentIntent(Body):
    """What is to be paid, and how it may be."""

    amount: AmountText
    currency: Symbol = Field(
        examples=["USD", "TAO"],
        description="ISO 4217, `CREDIT`, a symbol, `network:SYMBOL` or CAIP-19.",
    )
    network: Symbol | None = Field(
        default=None, description="Offer the assets of this network only.", examples=["bittensor"]
    )
    recipient: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        default=None,
        description=(
            "An address of yours to be paid at, instead of one made here. It needs `network`, has "
            "to be valid there, and serves one payment intent for ever: nothing but its address "
            "tells whom a transfer is for."
        ),
    )
    pay_with: Annotated[list[PayWith], Field(min_length=1, max_length=32)] | None = Field(
        default=None, description="The ways to pay; without it, all there are."
    )
    price_lock_id: Identifier | None = Field(
        default=None,
        description="A lock made before. It is used up, and the intent expires when it does.",
    )
    credit_account_id: Identifier | None = Field(
        default=None, description="Where the credits go that a full payment buys."
    )
    reference: Reference | None = Field(default=None, examples=["order-17"])
    metadata: Metadata = Field(default_factory=dict, description="Up to 50 texts of your own.")
    expires_in_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = Field(
        default=None, description="900 when absent, or what is left of the price lock."
    )
    tolerance: Annotated[
        str, Field(pattern=r"^0(\.[0-9]{1,6})?$", max_length=8, examples=["0.01"])
    ] = Field(
        default="0", description="The fraction of the amount that may be missing; 0.1 at most."
    )


class ResolvePaymentIntent(Body):
    """What becomes of money that is held."""

    choice: Choice
    reason: Reference


class PaymentOptionView(View):
    network: str
    chain_id: str = Field(description="CAIP-2")
    asset: str
    asset_id: str = Field(description="CAIP-19")
    amount: str
    amount_minor: str
    address: str
    uri: str
    memo: str | None = Field(
        description="What the payer has to attach, or the payment is not recognised; null for none."
    )
    price_lock_id: str | None


class AmountsView(View):
    """In the currency of the intent, at the locked rates."""

    requested: str
    requested_minor: str
    detected: str
    detected_minor: str
    confirmed: str
    confirmed_minor: str
    excess: str
    excess_minor: str
    due: str
    due_minor: str


class TransferView(View):
    network: str
    asset: str
    transaction_id: str
    index: int
    address: str
    amount: str
    amount_minor: str
    status: TransferStatus
    confirmations: int
    block_height: int | None
    seen_at: datetime


class RefundAddressView(View):
    network: str
    chain_id: str = Field(description="CAIP-2")
    address: str
    registered_address_id: str


class PaymentIntent(View):
    id: str
    object: Literal["payment_intent"]
    livemode: bool
    status: Status
    labels: list[Label]
    amount: str
    amount_minor: str
    currency: str
    currency_asset_id: str | None = Field(description="CAIP-19; null for what is on no chain.")
    reference: str | None
    metadata: dict[str, str]
    credit_account_id: str | None
    credits: str | None = Field(description="What a full payment buys.")
    invoice_id: str | None = Field(description="The invoice it is to pay.")
    tolerance: str
    payment_options: list[PaymentOptionView]
    amounts: AmountsView
    transfers: list[TransferView]
    refund_to: list[RefundAddressView] = Field(
        description="Where to send what is refunded, on each network: what the payer had registered for "
        "this payment, or for its credit account, when the refund was decided."
    )
    created_at: datetime
    expires_at: datetime
    position: int


class PaymentIntents(View):
    object: Literal["list"]
    data: list[PaymentIntent]
    has_more: bool


class ListPaymentIntents(Page):
    status: Status | None = None
    credit_account_id: Identifier | None = None
    reference: Reference | None = None
