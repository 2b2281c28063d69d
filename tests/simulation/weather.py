"""The weather: which fault happens when, as the seed decides, and how often each has happened."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random


class Seed:
    """One stream of chance for each who needs one, so that a change to one leaves the others."""

    def __init__(self, number: int) -> None:
        self.number = number

    def chance(self, name: str) -> Random:
        return Random(f"{self.number}/{name}")


class Line:
    """What a process has to everything that is durable; cut when the process is killed."""

    def __init__(self) -> None:
        self.is_cut = False


class Weather:
    """Faults happen while it is not calm. `counts` has how often each did."""

    def __init__(self, seed: Seed) -> None:
        self._chance = seed.chance("weather")
        self._severity = self._chance.choice([0.3, 1, 1, 3])
        self.counts: Counter[str] = Counter()
        self.is_calm = False
        self._store_down_until = 0.0

    def happens(self, fault: str, probability: float) -> bool:
        """Whether this fault happens now; counted when it does. Some runs have more, some less."""
        if self.is_calm or self._chance.random() >= probability * self._severity:
            return False
        self.counts[fault] += 1
        return True

    @property
    def is_store_down(self) -> bool:
        return not self.is_calm and asyncio.get_running_loop().time() < self._store_down_until

    def take_store_down(self) -> None:
        self.counts["the store is down for a while"] += 1
        seconds = self._chance.choice([0.5, 2, 8, 40])
        self._store_down_until = asyncio.get_running_loop().time() + seconds

    async def delay(self) -> None:
        """An answer takes its time: mostly next to none, now and then seconds."""
        if self.happens("an answer is slow", 0.02):
            await asyncio.sleep(self._chance.uniform(0.1, 4))
        else:
            await asyncio.sleep(self._chance.uniform(0, 0.01))

    def seconds(self, low: float, high: float) -> float:
        return self._chance.uniform(low, high)

    def number(self, low: int, high: int) -> int:
        return self._chance.randint(low, high)
