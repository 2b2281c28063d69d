"""The Protocol of a format, and what passes through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Protocol

from flamewire_ledger.billing.journal import Entry, Moment
from flamewire_ledger.billing.trial import Gain
from flamewire_ledger.exports.opening import Opening


class FormatUnavailable(Exception):
    """A library that the format needs is not installed; the sentence says how to install it."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What an export is of. `begins`: no posting is before it."""

    moment: Moment
    begins: datetime


class Format(Protocol):
    """Writes one export, once: head, accounts, commodities, what stood there before, events in their
    order, end.
    """

    media_type: str
    extension: str

    def head(self, heading: Heading) -> bytes: ...

    def account(self, account: str) -> bytes:
        """Each account once, by name, before anything is posted to it."""

    def commodity(self, code: str, decimals: int) -> bytes:
        """Each asset once, by code, behind the accounts."""

    def opening(self, opening: Opening) -> bytes:
        """What stood on the accounts before the first event, where an export begins in the middle."""

    def event(self, entries: Sequence[Entry], gains: Sequence[Gain]) -> bytes:
        """All postings of one event, and what was gained or lost by them."""

    def end(self) -> bytes: ...


_PRICE_DIGITS = 12  # behind the point, of a price that does not end


def plain(number: Fraction) -> str:
    """A decimal without an exponent and without needless zeros; rounded where it does not end."""
    scaled = round(number * 10**_PRICE_DIGITS)
    whole, part = divmod(abs(scaled), 10**_PRICE_DIGITS)
    text = f"{whole}.{part:0{_PRICE_DIGITS}d}".rstrip("0").rstrip(".")
    return f"-{text}" if scaled < 0 else text
