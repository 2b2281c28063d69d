"""Pricing: rates for what a request is denominated in, with the quotes they were made from.

Prices come from outside in US dollars; credits cost a fixed number of dollars. What a payer owes is
rounded up and what a buyer is given is rounded down, and neither is rounded twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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

    async def rate(
        self, base: Asset, quote: Asset, now: datetime
    ) -> tuple[Rate, tuple[Quote, ...]]:
        """What one `base` is worth in `quote`, and every quote behind it; or PriceUnavailable."""

    def history(self, symbol: str, limit: int) -> Sequence[PastPrice]:
        """The dollar prices of a symbol that were seen, oldest first."""


class PastPrice(Protocol):
    @property
    def dollars(self) -> Decimal: ...

    @property
    def quotes(self) -> tuple[Quote, ...]: ...

    @property
    def at(self) -> datetime: ...

    @property
    def is_stale(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Till:
    """The price board with the price of a credit, at one moment."""

    prices: Prices
    credit_price: Decimal  # US dollars
    now: datetime

    async def rate(self, base: Asset, quote: Asset) -> tuple[Rate, tuple[Quote, ...]]:
        """As the board's rate, and in credits too."""
        if quote != CREDIT:
            return await self.prices.rate(base, quote, self.now)
        rate, quotes = await self.prices.rate(base, USD, self.now)
        price = _ROUNDED.divide(rate.price, self.credit_price)
        return Rate(base, CREDIT, price), quotes

    async def credits_for(self, amount: Amount) -> Amount:
        """The credits that an amount buys, rounded down once."""
        if amount.asset == CREDIT:
            return amount
        price = Decimal(1)
        if amount.asset != USD:
            price = (await self.prices.rate(amount.asset, USD, self.now))[0].price
        worth = Fraction(amount.units, amount.asset.units_per_major) * Fraction(price)
        bought = worth / Fraction(self.credit_price) * CREDIT.units_per_major
        return Amount(CREDIT, bought.numerator // bought.denominator)
