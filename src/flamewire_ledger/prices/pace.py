"""A pace: so many requests a second to one source, and a few more at once after a quiet while.

Who would have to wait longer than a bound is told so at once, instead of queueing for an answer
that nobody waits for any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from flamewire_ledger.prices.feed import FeedUnavailable


class Pace:
    """One source's, by the clock that `now` tells."""

    def __init__(
        self,
        requests_per_second: float,
        now: Callable[[], datetime],
        *,
        burst: int = 5,
        wait_seconds_max: float = 2.5,
    ) -> None:
        self._between = 1 / requests_per_second
        self._now = now
        self._ahead_max = burst * self._between
        self._wait_seconds_max = wait_seconds_max
        self._next_at = float("-inf")

    def wait_seconds(self) -> float:
        """Take the next turn: how long to wait for it. Raises FeedUnavailable where that is too long."""
        now = self._now().timestamp()
        turn = max(self._next_at, now - self._ahead_max + self._between)
        if turn > now + self._wait_seconds_max + self._between:
            turn = now  # nobody took turns so far ahead: the clock was put back
        wait = max(0.0, turn - now)
        if wait > self._wait_seconds_max:
            raise FeedUnavailable("it is asked as often as it allows already")
        self._next_at = turn + self._between
        return wait

    async def turn(self) -> None:
        """Come back when the next request may be sent."""
        wait = self.wait_seconds()
        if wait:
            await asyncio.sleep(wait)
