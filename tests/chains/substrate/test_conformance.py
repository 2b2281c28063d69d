"""Substrate keeps the contract of chains, on a real node."""

from __future__ import annotations

import pytest

from tests.chains.conformance import ChainConformance

pytestmark = pytest.mark.slow


class TestSubstrateConformance(ChainConformance):
    """The cases are the suite's; conftest.py gives the world."""
