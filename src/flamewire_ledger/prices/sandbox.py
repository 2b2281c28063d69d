"""Sandbox feeds: three sources that differ by a little, around prices that never change.

The middle one says the base price, so the median is exactly that: 25 USD are 0.060606061 TAO,
always.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from flamewire_ledger.domain.price_lock import Quote

# US dollars a major unit.
BASE_PRICES: Final[Mapping[str, Decimal]] = {
    "TAO": Decimal("412.5"),
    "ETH": Decimal(3200),
    "SUI": Decimal("3.2"),
    "POL": Decimal("0.4"),
    "BNB": Decimal(640),
    "AVAX": Decimal(25),
    "USDC": Decimal(1),
    "USDT": Decimal(1),
    "EUR": Decimal("1.08"),
    "GBP": Decimal("1.27"),
    "CHF": Decimal("1.12"),
    "CAD": Decimal("0.73"),
    "AUD": Decimal("0.66"),
    "JPY": Decimal("0.0067"),
}
_SPREAD_PPM: Final = 500


class SandboxFeed:
    """One source, so many parts per million above (or below) the base prices."""

    currency: Final = "USD"

    def __init__(
        self,
        name: str,
        now: Callable[[], datetime],
        above_ppm: int = 0,
        prices: Mapping[str, Decimal] = BASE_PRICES,
    ) -> None:
        self._name = name
        self._now = now
        self._factor = 1 + Decimal(above_ppm) / 1_000_000
        self._prices = prices

    @property
    def name(self) -> str:
        return self._name

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        return {
            symbol: Quote(self._name, self._prices[symbol] * self._factor, self._now())
            for symbol in symbols
            if symbol in self._prices
        }


def sandbox_feeds(now: Callable[[], datetime]) -> tuple[SandboxFeed, ...]:
    """Three sources on the sandbox clock, so that no price is ever missing there."""
    return (
        SandboxFeed("sandbox-low", now, -_SPREAD_PPM),
        SandboxFeed("sandbox-middle", now),
        SandboxFeed("sandbox-high", now, _SPREAD_PPM),
    )
