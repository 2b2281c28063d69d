"""Sui keeps the contract of chains, as far as a chain that is never reorganised can be asked to."""

from __future__ import annotations

from tests.chains.conformance import ChainConformance


class TestSuiConformance(ChainConformance):
    """The cases are the suite's; conftest.py gives the world."""
