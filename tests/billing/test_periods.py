"""Periods tile the time line, keep to their anchor, and come apart without losing a unit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.billing.periods import (
    Anchor,
    PeriodError,
    boundary,
    for_the_rest,
    part_left,
    period,
    period_at,
    split,
    unused,
)
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.plan_terms import COUNTS_MAX, Interval

USD = Asset("USD", 2)
MONTHLY, YEARLY = Interval("month"), Interval("year")


def at(year: int, month: int, day: int, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


times = st.datetimes(datetime(1990, 1, 1), datetime(2090, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
anchors = times.map(Anchor.of)
intervals = st.sampled_from(sorted(COUNTS_MAX)).flatmap(
    lambda unit: st.integers(1, min(40, COUNTS_MAX[unit])).map(lambda count: Interval(unit, count))
)
fractions = st.fractions(0, 1)


def test_the_31st_is_the_last_day_of_shorter_months_and_comes_back():
    anchor = Anchor.of(at(2026, 1, 31, 9))
    assert [boundary(anchor, MONTHLY, n) for n in range(5)] == [
        at(2026, 1, 31, 9),
        at(2026, 2, 28, 9),
        at(2026, 3, 31, 9),
        at(2026, 4, 30, 9),
        at(2026, 5, 31, 9),
    ]


def test_february_has_29_days_in_leap_years_and_only_then():
    anchor = Anchor.of(at(2024, 2, 29))
    found = [boundary(anchor, YEARLY, n) for n in range(5)]
    assert [it.day for it in found] == [29, 28, 28, 28, 29]
    assert boundary(Anchor.of(at(2027, 12, 30)), MONTHLY, 2) == at(2028, 2, 29)


def test_an_anchor_that_stands_on_a_short_day_remembers_the_long_one():
    assert boundary(Anchor(at(2026, 2, 28), 31), MONTHLY, 1) == at(2026, 3, 31)


def test_enterprise_terms_are_any_number_of_units():
    anchor = Anchor.of(at(2026, 8, 31))
    assert boundary(anchor, Interval("month", 18), 1) == at(2028, 2, 29)
    assert boundary(anchor, Interval("week", 2), 1) == at(2026, 9, 14)
    assert boundary(anchor, Interval("day", 45), 2) == at(2026, 11, 29)


def test_another_time_zone_is_no_anchor():
    with pytest.raises(PeriodError):
        Anchor.of(datetime(2026, 1, 1))  # noqa: DTZ001


@given(anchors, intervals, st.integers(0, 30))
def test_periods_follow_each_other_without_gap_or_overlap(anchor, interval, number):
    start, end = period(anchor, interval, number)
    assert start < end
    assert period(anchor, interval, number + 1)[0] == end


@given(anchors, intervals, st.integers(0, 40))
def test_one_after_the_other_they_are_where_counting_puts_them(anchor, interval, number):
    start = boundary(anchor, interval, number)
    assert boundary(Anchor(start, anchor.day), interval, 1) == boundary(
        anchor, interval, number + 1
    )


@given(anchors, intervals, st.integers(0, 10**9))
def test_every_moment_is_in_exactly_one_period(anchor, interval, seconds):
    moment = anchor.at + timedelta(seconds=seconds)
    start, end = period(anchor, interval, period_at(anchor, interval, moment))
    assert start <= moment < end


def test_there_is_nothing_before_the_first():
    with pytest.raises(PeriodError):
        period_at(Anchor.of(at(2026, 1, 2)), MONTHLY, at(2026, 1, 1))


def test_the_part_that_is_left_is_exact():
    month = timedelta(days=30)
    assert part_left(month, timedelta(days=10), "second") == Fraction(1, 3)
    assert part_left(month, timedelta(seconds=1), "second") == Fraction(1, 2_592_000)
    assert part_left(month, timedelta(0), "second") == 0
    assert part_left(month, month, "second") == 1


def test_by_days_the_day_that_has_begun_is_still_to_come():
    month = timedelta(days=30)
    assert part_left(month, month, "day") == 1
    assert part_left(month, timedelta(days=19, hours=1), "day") == Fraction(20, 30)
    assert part_left(month, timedelta(hours=1), "day") == Fraction(1, 30)
    assert part_left(month, timedelta(0), "day") == 0


def test_without_proration_nothing_is_left():
    assert part_left(timedelta(days=30), timedelta(days=10), "none") == 0


@given(st.integers(0, 10**15), fractions)
def test_what_was_used_and_what_is_given_back_are_the_whole(units, left):
    amount = Amount(USD, units)
    assert for_the_rest(amount, 1 - left) + unused(amount, left) == amount


@given(st.integers(0, 10**15), st.lists(fractions, max_size=12))
def test_parts_add_up_to_the_last_unit(units, cuts):
    edges = [Fraction(0), *sorted(cuts), Fraction(1)]
    parts = [after - before for before, after in pairwise(edges)]
    shares = split(Amount(USD, units), parts)
    assert sum(it.units for it in shares) == units
    assert all(abs(it.units - units * part) < 1 for it, part in zip(shares, parts, strict=True))


def test_parts_that_are_no_whole_are_refused():
    with pytest.raises(PeriodError):
        split(Amount(USD, 100), [Fraction(1, 2), Fraction(1, 3)])
