"""How much is measured: the settings of `scripts/bench`, as each benchmark gets them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class Options:
    """None leaves the choice to the benchmark."""

    seconds: float | None = None  # of each measured time, without its warm-up
    runs: int = 3  # whose median is shown, where runs are short
    workers: int | None = None  # API processes of `flamewire up`
    accounts: int = 1_000
    commands_per_second: float | None = None  # for what runs at a given rate
    kill: bool = False  # soak: kill processes as it goes
    small_events: int = 100_000  # growth: the two sizes that are compared
    large_events: int = 10_000_000

    def lasting(self, seconds: float) -> Self:
        """With these seconds, unless others were asked for."""
        return self if self.seconds is not None else replace(self, seconds=seconds)

    @property
    def measured_seconds(self) -> float:
        assert self.seconds is not None, "the benchmark has chosen"
        return self.seconds

    @property
    def warm_up_seconds(self) -> float:
        return min(3.0, self.measured_seconds / 4)
