"""Ethereum keeps the contract of chains, on a real node."""

from __future__ import annotations

from tests.chains.conformance import ChainConformance


class TestEthereumConformance(ChainConformance):
    """The cases are the suite's; conftest.py gives the world."""
