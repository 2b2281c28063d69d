"""Virtual time: an event loop that never waits, and the clocks that follow it.

Whoever sleeps lets time jump to the next moment at which something happens, so that hours pass in
seconds, and the same work always happens in the same order.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
# A run begins shortly before midnight of a year's last day: invoice numbers begin anew in it.
BEGINNING = datetime(2026, 12, 31, 23, 55, tzinfo=UTC)


class Stuck(Exception):
    """Everybody waits, and nothing is left that could happen."""


class _Timeless(selectors.SelectSelector):
    """Instead of waiting it lets the time go by."""

    elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Stuck("everybody waits, and nothing is left that could happen")
        self.elapsed += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds cost nothing. It does no input or output."""

    def __init__(self) -> None:
        self._timeless = _Timeless()
        super().__init__(self._timeless)

    def time(self) -> float:
        return self._timeless.elapsed


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run in virtual time, from its beginning on."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work())


class Clock:
    """Real time as the simulation has it, and sandbox time, which may be ahead of it."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def real_now(self) -> datetime:
        microseconds = round(asyncio.get_running_loop().time() * 1_000_000)
        return BEGINNING + timedelta(microseconds=microseconds)

    def now(self) -> datetime:
        """The time that merchants and payers live by."""
        return self.real_now() + self.ahead

    def on_a_machine(self, seconds_ahead: float) -> Callable[[], datetime]:
        """Sandbox time by a clock that is a little wrong, as those of machines are."""
        off = timedelta(microseconds=round(seconds_ahead * 1_000_000))
        return lambda: self.now() + off

    def advance(self, seconds: float) -> None:
        self.ahead += timedelta(microseconds=round(seconds * 1_000_000))
