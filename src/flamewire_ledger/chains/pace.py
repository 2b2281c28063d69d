"""How fast one endpoint is asked: no more than so many requests in any second.

Providers count in windows of their own, and each question of a batch for itself. So what was sent
within the last second is remembered: no window of a second, wherever it begins, holds more than is
allowed. A batch larger than that goes out at once, and is paid for by waiting longer behind it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

_WINDOW_SECONDS: Final = 1.0


class Pace:
    """Waits before a request where it would be one too many. Without a limit it never waits."""

    def __init__(
        self,
        requests_per_second: int | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if requests_per_second is not None and requests_per_second < 1:
            raise ValueError("at least one request a second has to be allowed")
        self._per_second = requests_per_second
        self._clock = clock
        self._sleep = sleep
        self._sent: deque[tuple[float, int]] = deque()
        self._turn = asyncio.Lock()  # who waits is served in order

    async def wait(self, requests: int = 1) -> None:
        """Until so many requests may be sent, or a whole second's worth if they are more."""
        if self._per_second is None:
            return
        async with self._turn:
            first = min(requests, self._per_second)
            while (seconds := self._seconds_until_free(first, self._per_second)) > 0:
                await self._sleep(seconds)
            sent_at = self._clock()
            while requests > 0:
                self._sent.append((sent_at, min(requests, self._per_second)))
                requests -= self._per_second
                sent_at += _WINDOW_SECONDS

    def _seconds_until_free(self, requests: int, per_second: int) -> float:
        now = self._clock()
        while self._sent and self._sent[0][0] <= now - _WINDOW_SECONDS:
            self._sent.popleft()
        excess = sum(sent for _, sent in self._sent) + requests - per_second
        for sent_at, sent in self._sent:
            if excess <= 0:
                break
            excess -= sent
            if excess <= 0:
                return sent_at + _WINDOW_SECONDS - now
        return 0.0
