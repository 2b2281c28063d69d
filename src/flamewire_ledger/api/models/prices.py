"""Prices and price locks as they are asked for and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from flamewire_ledger.api.fields import Body, Fresh, Identifier, Limit, Symbol, Time, View


class CreatePriceLock(Body):
    base: Symbol = Field(
        examples=["TAO"],
        description="What will be paid: a symbol, `network:SYMBOL` or CAIP-19. Of a symbol that lives on "
        "several networks it is the first one's: `base_asset_id` says which.",
    )
    quote: Symbol = Field(examples=["USD"], description="What the payment will be denominated in.")
    network: Symbol | None = Field(
        default=None, examples=["sui"], description="Where it will be paid, to say which is meant."
    )


class QuoteView(View):
    source: str
    price: str | None = Field(description="In US dollars; null when it named none.")
    said: str | None = Field(description="In its own words, where it quotes in something else.")
    quoted_at: datetime
    dropped: str | None = Field(description="Why it did not count; null when it did.")


class PricingView(View):
    """`price` is market_price × (1 − spread) ÷ (1 − discount), rounded to so many significant digits."""

    market_price: str = Field(description="What the sources agreed on.")
    quoted_at: datetime
    is_stale: bool = Field(description="The sources could not be trusted since `quoted_at`.")
    rule: str | None = Field(description="The price rule; null for the market's price as it is.")
    sources: list[str] = Field(
        description="Whose word alone counted, by the rule; none: everybody's."
    )
    spread_ppm: int
    discount_ppm: int
    digits: int | None
    rounding: str | None


class PriceLockView(View):
    id: str
    object: Literal["price_lock"]
    status: Literal["locked", "used", "expired"]
    base: str
    base_asset_id: str | None = Field(description="CAIP-19")
    quote: str
    price: str = Field(description="What one of the base is worth in the quote.")
    quotes: list[QuoteView]
    pricing: PricingView | None = Field(description="How the price came out of the quotes.")
    payment_intent_id: str | None
    created_at: datetime
    expires_at: datetime
    position: int


class PriceView(View):
    object: Literal["price"]
    base: str
    quote: str
    price: str = Field(description="As a lock would promise it.")
    market_price: str = Field(description="What the sources agree on.")
    rule: str | None = Field(description="The price rule that lies between the two.")
    is_stale: bool = Field(description="The sources could not be trusted since `at`.")
    quotes: list[QuoteView]
    at: datetime


class PastPriceView(View):
    price: str
    source: str = Field(description="`quorum`, or the source whose word alone it was.")
    at: datetime


class PriceHistory(View):
    object: Literal["list"]
    base: str
    quote: str
    data: list[PastPriceView]
    has_more: bool


class ListPrices(Fresh):
    limit: Limit = Field(default=100, description="How many, the newest first.")
    before: Time | None = Field(
        default=None,
        description="Only what was before this time: the last one's, for the next page.",
    )
    since: Time | None = Field(default=None, description="Only what was at this time or later.")


class PriceAlertView(View):
    id: str
    object: Literal["price_alert"]
    type: str = Field(description="Of the event: `price.deviation_detected.v1`, and others.")
    symbol: str
    facts: dict[str, Any] = Field(description="What the event says; see docs/reference/events.md.")
    at: datetime


class PriceAlerts(View):
    object: Literal["list"]
    data: list[PriceAlertView]
    has_more: bool


class ListPriceAlerts(Fresh):
    limit: Limit = Field(default=20, description="How many, 100 at most.")
    starting_after: Identifier | None = Field(
        default=None, description="The id of the last one you have: what follows it."
    )
