"""A world with a model of Sui in it, told by a node on a loopback port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chains.sui.sui_world import SuiWorld
from tests.services.sui.wallet import Signer


@pytest.fixture
async def world(sui_signer: Signer, tmp_path: Path) -> AsyncIterator[SuiWorld]:
    made = SuiWorld(sui_signer, tmp_path)
    yield made
    await made.aclose()
