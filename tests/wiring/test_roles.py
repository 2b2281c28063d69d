"""The roles of a process: what ends it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from flamewire_ledger.wiring.roles import _until


async def _cancelled() -> None:
    raise asyncio.CancelledError


async def _broken() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("role", "error", "says"),
    [(_cancelled, RuntimeError, "projector was cancelled"), (_broken, ZeroDivisionError, None)],
    ids=["cancelled from within", "broken"],
)
async def test_a_role_that_ends_by_itself_is_told_by_its_name(
    role: Any, error: Any, says: str | None
):
    async def checks() -> list[Any]:
        return [SimpleNamespace(name="projector", is_ready=False)]

    health: Any = SimpleNamespace(own_checks=checks)
    tasks = [asyncio.create_task(role(), name="projector")]
    async with asyncio.timeout(10):
        with pytest.raises(error, match=says):
            await _until(asyncio.Event(), health, tasks, lambda: None)
