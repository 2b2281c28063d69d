"""Valuation: what a posting was worth in the functional currency, by what had been recorded, and by nothing else.

No feed is asked. A price is one that somebody was promised (a lock), one that a transfer was counted at
when it came late (its worth), or a sample that was taken and written down. Where there is none of
them there is no value: it is never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal, TypeAlias

from flamewire_ledger.domain.money import Amount, Asset

USD: Final = "USD"
Source: TypeAlias = Literal["face", "lock", "worth", "sample"]
_AT_LOCK: Final = frozenset({"in_time", "honoured"})
_AT_WORTH: Final = frozenset({"repriced", "sold"})


@dataclass(frozen=True, slots=True)
class Sampled:
    """What a major unit cost in US dollars at a time, by whose word."""

    dollars: Decimal
    at: datetime
    source: str


@dataclass(frozen=True, slots=True)
class Lock:
    """What a major unit was promised to count for."""

    price: Decimal
    quote: str  # the code of the currency


@dataclass(frozen=True, slots=True)
class Recorded:
    """All that the log says about the price of one posting."""

    standing: str | None = None  # of the transfer that it books
    worth: Amount | None = None
    lock: Lock | None = None
    sample: Sampled | None = None  # of the asset
    currency_sample: Sampled | None = None  # of the functional currency, where that is no dollar


@dataclass(frozen=True, slots=True)
class Priced:
    """A value in base units of the currency, and the price of a major unit that it comes from."""

    units: int
    price: Fraction
    source: Source
    at: datetime | None = None  # of a sample
    by: str | None = None  # whose sample it is


def price_of(amount: Amount, recorded: Recorded, currency: Asset) -> Priced | None:
    """What the amount is worth in `currency`, rounded half to even; None when nothing says so.

    In order: money is worth what is written on it; a transfer counts at its lock, or when it was
    repriced at the worth it was given; a sale at what it brought; all else at the last sample that
    was known. What was held because it came too late has a sample before its lock, which was over.
    """
    if amount.asset.code == currency.code:
        return Priced(amount.units, Fraction(1), "face")
    sampled = _by_sample(amount, recorded, currency)
    if recorded.standing in _AT_LOCK:
        return _by_lock(amount, recorded, currency) or sampled
    if recorded.standing in _AT_WORTH:
        return _by_worth(amount, recorded, currency) or sampled
    return sampled or _by_lock(amount, recorded, currency)


def _by_lock(amount: Amount, recorded: Recorded, currency: Asset) -> Priced | None:
    if recorded.lock is None:
        return None
    factor = _into(recorded.lock.quote, recorded, currency)
    if factor is None:
        return None
    price = Fraction(recorded.lock.price) * factor
    return Priced(_rounded(amount, price, currency), price, "lock")


def _by_worth(amount: Amount, recorded: Recorded, currency: Asset) -> Priced | None:
    worth = recorded.worth
    if worth is None:
        return None
    factor = _into(worth.asset.code, recorded, currency)
    if factor is None:
        return None
    value = Fraction(worth.units, worth.asset.units_per_major) * factor
    price = value * amount.asset.units_per_major / amount.units
    return Priced(_rounded(amount, price, currency), price, "worth")


def _by_sample(amount: Amount, recorded: Recorded, currency: Asset) -> Priced | None:
    sample = recorded.sample
    factor = _into(USD, recorded, currency)
    if sample is None or factor is None:
        return None
    price = Fraction(sample.dollars) * factor
    units = _rounded(amount, price, currency)
    return Priced(units, price, "sample", sample.at, sample.source)


def _into(quote: str, recorded: Recorded, currency: Asset) -> Fraction | None:
    """What turns a price in `quote` into one in the functional currency."""
    if quote == currency.code:
        return Fraction(1)
    if quote == USD and recorded.currency_sample is not None:
        return 1 / Fraction(recorded.currency_sample.dollars)
    return None


def _rounded(amount: Amount, price: Fraction, currency: Asset) -> int:
    major = Fraction(amount.units, amount.asset.units_per_major) * price
    return round(major * currency.units_per_major)  # of a Fraction: exact, half to even
