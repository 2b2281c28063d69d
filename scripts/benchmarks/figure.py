"""A figure: what was measured, the reference it is to be read against, and what we aim for."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypedDict


class BenchmarkFailed(Exception):
    """Nothing was measured, or what was measured is not true: there is no figure to show."""


@dataclass(frozen=True, slots=True)
class Figure:
    """`ratio` is value / reference. With `less_is_better` false a larger value is better.

    An aim is for the value (`target`), for the ratio (`ratio_target`), or for both. `note` says what
    a reader has to know beside it, such as where the processor time went.
    """

    name: str
    value: float
    unit: str
    reference: float
    reference_name: str
    target: float | None = None
    less_is_better: bool = False
    ratio_target: float | None = None
    low: float | None = None  # of the runs whose median the value is
    high: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        return self.value / self.reference if self.reference else 0.0

    @property
    def is_met(self) -> bool | None:
        """Whether every target was met in this run; None without one."""
        aims = [(self.value, self.target), (self.ratio, self.ratio_target)]
        met = [
            found <= aim if self.less_is_better else found >= aim
            for found, aim in aims
            if aim is not None
        ]
        return all(met) if met else None

    @property
    def aim(self) -> str:
        """The targets in words; empty without one."""
        sign = "≤" if self.less_is_better else "≥"
        words = [] if self.target is None else [f"{sign} {self.target:,.6g}"]
        if self.ratio_target is not None:
            words.append(f"{sign} {self.ratio_target:g} × reference")
        return ", ".join(words)


def median_of(times: int, measure: Callable[[], float]) -> float:
    """The median of several runs, after one that is not counted."""
    measure()
    return statistics.median(measure() for _ in range(times))


class Spread(TypedDict):
    """As a Figure takes it."""

    value: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """The median of several runs, the lowest and the highest."""
    return {"value": statistics.median(values), "low": min(values), "high": max(values)}
