"""The gateway of examples/ against a ledger in memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.conftest import catalog, ledger, read_models_template, read_models_url

__all__ = ["catalog", "ledger", "read_models_template", "read_models_url"]
EXAMPLE = Path(__file__).parents[2] / "examples" / "rpc_gateway"


@pytest.fixture(scope="session", autouse=True)
def its_modules() -> Iterator[None]:
    """As they are when Python runs the folder: they import each other by their plain names."""
    sys.path.insert(0, str(EXAMPLE))
    yield
    sys.path.remove(str(EXAMPLE))
