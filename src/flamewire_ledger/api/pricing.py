"""Pricing: rates for what a request is denominated in, with the quotes they were made from.

Prices come from outside in US dollars; credits cost a fixed number of dollars. What a payer owes is
rounded up and what a buyer is given is rounded down, and neither is rounded twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_DOWN, Context, Decimal
from fractions import Fraction
from typing import Final, Protocol

from flamewire_ledger.api.currencies import USD
from flamewire_ledger.domain.credit_account import CREDIT
from flamewire_ledger.domain.money import Amount, Asset, Rate
from flamewire_ledger.domain.price_lock import Quote

# Rounded down, so that the amount a payer owes is never too little.
_ROUNDED: Final = Context(prec=18, rounding=ROUND_DOWN)


class Prices(Protocol):
    """prices/board.py keeps it."""

    async def pair(self, base: Asset, quote: Asset, now: datetime) -> Pair:
        """What one `base` is worth in `quote`, and every quote behind it; or PriceUnavailable."""


class Pair(Protocol):
    @property
    def rate(self) -> Rate: ...

    @property
    def quotes(self) -> tuple[Quote, ...]: ...

    @property
    def at(self) -> datetime: ...

    @property
    def is_stale(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Priced:
    """A rate, every quote it was made from, and how old it is."""

    rate: Rate
    quotes: tuple[Quote, ...]
    at: datetime
    is_stale: bool


@dataclass(frozen=True, slots=True)
class Till:
    """The price board with the price of a credit, at one moment."""

    prices: Prices
    credit_price: Decimal  # US dollars
    now: datetime
    _known: dict[tuple[str, str], Priced] = field(default_factory=dict)  # one moment, one rate

    async def rate(self, base: Asset, quote: Asset) -> Priced:
        """As the board's rate, and in credits too; the same however often it is asked for."""
        pair = base.code, quote.code
        known = self._known.get(pair)
        if known is None:
            known = self._known[pair] = await self._rate(base, quote)
        return known

    async def _rate(self, base: Asset, quote: Asset) -> Priced:
        found = await self.prices.pair(base, USD if quote == CREDIT else quote, self.now)
        rate = found.rate
        if quote == CREDIT:
            rate = Rate(base, CREDIT, self.in_credits(rate.price))
        return Priced(rate, found.quotes, found.at, found.is_stale)

    def in_credits(self, dollars: Decimal) -> Decimal:
        return _ROUNDED.divide(dollars, self.credit_price)

    async def credits_for(self, amount: Amount) -> Amount:
        """The credits that an amount buys, rounded down once."""
        if amount.asset == CREDIT:
            return amount
        price = Decimal(1)
        if amount.asset != USD:
            price = (await self.prices.pair(amount.asset, USD, self.now)).rate.price
        worth = Fraction(amount.units, amount.asset.units_per_major) * Fraction(price)
        bought = worth / Fraction(self.credit_price) * CREDIT.units_per_major
        return Amount(CREDIT, bought.numerator // bought.denominator)
