"""The Feed Protocol: one source of prices. Whether what it says counts is decided elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from flamewire_ledger.domain.price_lock import Quote


class Feed(Protocol):
    """One source. Prices are Decimals, in `currency` a major unit."""

    @property
    def name(self) -> str: ...

    @property
    def currency(self) -> str:
        """The symbol of what it quotes in: `USD`, or a coin that is turned into dollars."""

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """The newest quote for each symbol the source knows, or FeedUnavailable.

        What it said instead of a price is a quote without one, with the reason in `dropped`.
        """


class FeedUnavailable(Exception):
    """The source did not answer, refused, or answered nonsense; the message holds no key."""
