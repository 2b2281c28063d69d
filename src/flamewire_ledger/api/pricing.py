"""Pricing: rates for what a request is denominated in, with the quotes they were made from.

Prices come from outside in US dollars; credits cost a fixed number of dollars. What a payer owes is
rounded up and what a buyer is given is rounded down, and neither is rounded twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_DOWN, Context, Decimal
from fractions import Fraction
from typing import Final, Protocol

from flamewire_ledger.api.currencies import USD
from flamewire_ledger.billing.price_rules import PriceRule, rule_for
from flamewire_ledger.domain.credit_account import CREDIT
from flamewire_ledger.domain.money import Amount, Asset, Rate
from flamewire_ledger.domain.price_lock import Pricing, Quote

# Rounded down, so that the amount a payer owes is never too little.
_ROUNDED: Final = Context(prec=18, rounding=ROUND_DOWN)


class Prices(Protocol):
    """prices/board.py keeps it."""

    async def pair(
        self, base: Asset, quote: Asset, now: datetime, sources: frozenset[str] | None = None
    ) -> Pair:
        """What one `base` is worth in `quote`, and every quote behind it; or PriceUnavailable.
        `sources`: only by the word of these."""


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
    """A rate, every quote it was made from, how it came out of them, and how old it is."""

    rate: Rate
    quotes: tuple[Quote, ...]
    at: datetime
    is_stale: bool
    pricing: Pricing


def _by(rule: PriceRule, pricing: Pricing) -> Pricing:
    return replace(
        pricing,
        rule=rule.name,
        sources=rule.sources,
        spread_ppm=rule.spread_ppm,
        discount_ppm=rule.discount_ppm,
        digits=rule.digits,
        rounding=rule.rounding,
    )


@dataclass(frozen=True, slots=True)
class Till:
    """The price board with the price of a credit, at one moment."""

    prices: Prices
    credit_price: Decimal  # US dollars
    now: datetime
    rules: Sequence[PriceRule] = ()
    _known: dict[tuple[str, str], Priced] = field(default_factory=dict)  # one moment, one rate

    async def rate(self, base: Asset, quote: Asset) -> Priced:
        """The rate that is promised, by the rules, in credits too; the same however often it is
        asked for."""
        pair = base.code, quote.code
        known = self._known.get(pair)
        if known is None:
            known = self._known[pair] = await self._rate(base, quote)
        return known

    async def market(self, base: Asset, quote: Asset) -> Priced:
        """The rate as the sources say it, which nobody promises."""
        return await self._priced(base, quote, None)

    async def _rate(self, base: Asset, quote: Asset) -> Priced:
        return await self._priced(base, quote, rule_for(self.rules, base.symbol, quote.symbol))

    async def _priced(self, base: Asset, quote: Asset, rule: PriceRule | None) -> Priced:
        sources = frozenset(rule.sources) if rule is not None and rule.sources else None
        sold, counter = (USD if it == CREDIT else it for it in (base, quote))
        found = await self.prices.pair(sold, counter, self.now, sources)
        market = found.rate.price
        if base == CREDIT:
            market = _ROUNDED.multiply(market, self.credit_price)
        if quote == CREDIT:
            market = self.in_credits(market)
        pricing = Pricing(market, found.at, found.is_stale)
        if rule is not None and base.symbol != quote.symbol:
            pricing = _by(rule, pricing)
            market = rule.applied(market)
        return Priced(Rate(base, quote, market), found.quotes, found.at, found.is_stale, pricing)

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
