"""How often a source is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flamewire_ledger.prices.feed import FeedUnavailable
from flamewire_ledger.prices.pace import Pace

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Clock:
    at = NOON

    def now(self) -> datetime:
        return self.at


def test_a_few_at_once_and_then_one_after_the_other() -> None:
    pace = Pace(2, Clock().now, burst=3)
    assert [pace.wait_seconds() for _ in range(6)] == [0, 0, 0, 0.5, 1, 1.5]


def test_who_would_wait_too_long_is_told_at_once_and_takes_no_turn() -> None:
    clock = Clock()
    pace = Pace(0.5, clock.now, burst=1, wait_seconds_max=2.5)
    assert [pace.wait_seconds(), pace.wait_seconds()] == [0, 2]
    for _ in range(3):
        with pytest.raises(FeedUnavailable):
            pace.wait_seconds()
    clock.at += timedelta(seconds=2)
    assert pace.wait_seconds() == 2


def test_a_quiet_while_gives_no_more_than_a_burst() -> None:
    clock = Clock()
    pace = Pace(1, clock.now, burst=2)
    clock.at += timedelta(hours=1)
    assert [pace.wait_seconds() for _ in range(3)] == [0, 0, 1]


def test_a_clock_that_is_put_back_does_not_silence_a_source() -> None:
    clock = Clock()
    pace = Pace(1, clock.now, burst=1)
    pace.wait_seconds()
    clock.at -= timedelta(hours=1)
    assert pace.wait_seconds() == 0
