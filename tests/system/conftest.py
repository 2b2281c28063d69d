"""One running ledger for the tests that only look, and fresh ones for those that break things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.running_ledger import RunningLedger


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLedger]:
    running = RunningLedger(tmp_path_factory.mktemp("ledger"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def own_ledger(tmp_path: Path) -> Iterator[RunningLedger]:
    running = RunningLedger(tmp_path / "data", as_typed=True)
    running.start()
    yield running
    running.stop()
