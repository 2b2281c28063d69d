"""A figure: what was measured, the reference it is to be read against, and what we aim for."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`ratio` is value / reference. With `less_is_more` false a larger value is better."""

    name: str
    value: float
    unit: str
    reference: float
    reference_name: str
    target: float | None = None
    less_is_better: bool = False

    @property
    def ratio(self) -> float:
        return self.value / self.reference if self.reference else 0.0

    @property
    def is_met(self) -> bool | None:
        """Whether the target was met in this run; None without one."""
        if self.target is None:
            return None
        return self.value <= self.target if self.less_is_better else self.value >= self.target


def median_of(times: int, measure: Callable[[], float]) -> float:
    """The median of several runs, after one that is not counted."""
    measure()
    return statistics.median(measure() for _ in range(times))
