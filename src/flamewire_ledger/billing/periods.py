"""Periods: where one ends and the next begins, and which part of one is left.

A period goes from its start until just before its end. Months and years are counted from an anchor,
never from the period before: what is anchored on the 31st ends on the last day of shorter months,
and is back on the 31st in the next long one. Everything is UTC, so a day has 24 hours.

    anchor 31 January, monthly  →  31 January · 28 February · 31 March · 30 April …
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Final, assert_never

from flamewire_ledger.billing.rounding import apportion
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.plan_terms import Interval, Proration

_DAY: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)
_MONTHS_IN_A_YEAR: Final = 12


class PeriodError(ValueError):
    """A question about time that has no answer. The sentence says why."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """The moment that periods are counted from. `day` is the day of the month they want to begin on:
    that of the moment itself, unless it is short of it already (28 February, for the 31st).
    """

    at: datetime
    day: int

    @classmethod
    def of(cls, at: datetime) -> Anchor:
        if at.tzinfo is not UTC:
            raise PeriodError("periods are counted in UTC")
        return cls(at, at.day)


def boundary(anchor: Anchor, interval: Interval, number: int) -> datetime:
    """Where the n-th period (0, 1, 2 …) begins, which is where the one before it ends."""
    count = number * interval.count
    match interval.unit:
        case "day":
            return anchor.at + timedelta(days=count)
        case "week":
            return anchor.at + timedelta(weeks=count)
        case "month":
            return _months_on(anchor, count)
        case "year":
            return _months_on(anchor, count * _MONTHS_IN_A_YEAR)
        case _:
            assert_never(interval.unit)


def period(anchor: Anchor, interval: Interval, number: int) -> tuple[datetime, datetime]:
    """The n-th period: its start, and its end."""
    return boundary(anchor, interval, number), boundary(anchor, interval, number + 1)


def period_at(anchor: Anchor, interval: Interval, at: datetime) -> int:
    """The number of the period that holds this moment. Raises PeriodError for one before the anchor."""
    if at < anchor.at:
        raise PeriodError("there is no period before the first")
    # No period is longer than this, so the guess is never too far; and it is off by few.
    number = (at - anchor.at) // _longest(interval)
    while boundary(anchor, interval, number + 1) <= at:
        number += 1
    return number


def _longest(interval: Interval) -> timedelta:
    days = {"day": 1, "week": 7, "month": 31, "year": 366}[interval.unit]
    return interval.count * days * _DAY


def _months_on(anchor: Anchor, count: int) -> datetime:
    months = anchor.at.year * _MONTHS_IN_A_YEAR + anchor.at.month - 1 + count
    year, month = divmod(months, _MONTHS_IN_A_YEAR)
    day = min(anchor.day, monthrange(year, month + 1)[1])
    return anchor.at.replace(year=year, month=month + 1, day=day)


def part_left(length: timedelta, left: timedelta, by: Proration) -> Fraction:
    """Which part of a period of this length is left: exact, from 0 to 1.

    By days, the day on which something happens is still to come: days are counted from the start of
    the period, not from midnight. Without proration nothing is ever left.
    """
    if length <= timedelta(0):
        raise PeriodError("a period has a length")
    left = max(timedelta(0), min(left, length))
    match by:
        case "second":
            return Fraction(left // _MICROSECOND, length // _MICROSECOND)
        case "day":
            whole = -(-length // _DAY)
            return Fraction(whole - (length - left) // _DAY, whole) if left else Fraction(0)
        case "none":
            return Fraction(0)
        case _:
            assert_never(by)


def for_the_rest(amount: Amount, left: Fraction) -> Amount:
    """What is owed for the part that is left, rounded up."""
    exact = amount.units * left
    return Amount(amount.asset, -(-exact.numerator // exact.denominator))


def unused(amount: Amount, left: Fraction) -> Amount:
    """What is given back for the part that is left, rounded down: with what the part before it costs,
    rounded up, it is the whole.
    """
    return Amount(amount.asset, amount.units * left.numerator // left.denominator)


def split(amount: Amount, parts: Sequence[Fraction]) -> tuple[Amount, ...]:
    """The amount in parts of it that add up to 1; what they come to is the amount, to the last unit.

    Raises PeriodError when the parts do not add up.
    """
    if sum(parts, Fraction(0)) != 1:
        raise PeriodError("parts of a whole add up to one")
    major = Fraction(amount.units, amount.asset.units_per_major)
    return apportion([major * part for part in parts], amount.asset)
