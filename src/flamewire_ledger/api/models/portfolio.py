"""A portfolio as it is asked for and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from flamewire_ledger.api.fields import AsOf, Limit, Symbol, View


class GetPortfolio(AsOf):
    valuation: Symbol = Field(
        default="USD",
        examples=["USD"],
        description="What everything is valued in: a currency, or an asset by its symbol.",
    )
    limit: Limit = Field(
        default=100, description="How many holdings; assets of the configured networks come first."
    )


class HoldingPrice(View):
    """What one of the asset is worth in the currency of the valuation, and who says so."""

    price: str
    at: datetime
    is_stale: bool = Field(description="The sources could not be trusted since `at`.")
    sources: list[str] = Field(
        description="Those whose quotes counted. Of a recorded price: `quorum`, or who filled it in."
    )


class Holding(View):
    """One asset on one network. `settled`, `unapplied`, `suspense` and `refunds_payable` add up to
    `balance`."""

    network: str
    chain_id: str | None = Field(description="CAIP-2; null when the network is not set up now.")
    asset: str
    asset_code: str
    asset_id: str | None = Field(description="CAIP-19")
    balance: str
    balance_minor: str
    settled: str = Field(description="The merchant's own.")
    settled_minor: str
    unapplied: str = Field(description="Arrived, and not put to use yet.")
    unapplied_minor: str
    suspense: str = Field(description="Arrived in what nobody had asked for.")
    suspense_minor: str
    refunds_payable: str = Field(description="Decided to be given back, and not sent yet.")
    refunds_payable_minor: str
    price: HoldingPrice | None
    value: str | None = Field(description="Of the balance, rounded down; null without a price.")
    value_minor: str | None
    reason: str | None = Field(description="Why there is no value.")


class Portfolio(View):
    object: Literal["portfolio"]
    valuation: str
    holdings: list[Holding]
    total: str = Field(description="The values added up.")
    total_minor: str
    is_partial: bool = Field(
        description="The total lacks holdings without a value or beyond `limit`."
    )
    has_more: bool = Field(description="There are more holdings than `limit`.")
    valued_at: datetime = Field(
        description="Of what time the prices are: now, or what `as_of` means. Then they are those "
        "that were recorded, at most a day old."
    )
    as_of: int | None
