"""The shop that these tests are about."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.webhooks.shop import Shop, a_shop


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with a_shop() as made:
        yield made
