"""The Feed Protocol: one source of prices. Whether what it says counts is decided elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from flamewire_ledger.domain.price_lock import Quote


class Feed(Protocol):
    """One source. Prices are Decimals, in US dollars a major unit."""

    @property
    def name(self) -> str: ...

    async def quotes(self, symbols: Sequence[str]) -> Mapping[str, Quote]:
        """The newest quote for each symbol the source knows, or FeedUnavailable."""


class FeedUnavailable(Exception):
    """The source did not answer, refused, or answered nonsense; the message holds no key."""
