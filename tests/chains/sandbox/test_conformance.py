"""The sandbox chains keep the contract of chains."""

from __future__ import annotations

import pytest

from flamewire_ledger.chains.sandbox.networks import KINDS
from tests.chains.conformance import ChainConformance
from tests.chains.sandbox_world import SandboxWorld


class TestSandboxConformance(ChainConformance):
    @pytest.fixture(params=KINDS)
    def world(self, request: pytest.FixtureRequest) -> SandboxWorld:
        return SandboxWorld(request.param)
