"""Runs of the simulator that several tests read."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from tests.simulation.world import Report, simulate

ACTIONS = 600


@pytest.fixture(scope="session")
def run_of() -> Callable[[int], Report]:
    """The run of a seed, which is the same whenever it is run: once, then. Nobody changes its report."""
    return cache(lambda seed: simulate(seed, ACTIONS))
