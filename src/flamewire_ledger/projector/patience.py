"""Going on while the database is away: nothing is lost by waiting, because every step can be repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import psycopg
import structlog

from flamewire_ledger.store.event_store import StoreUnavailable

_log = structlog.get_logger(__name__)
_PAUSE_SECONDS_FIRST: Final = 0.05
_PAUSE_SECONDS_MAX: Final = 5.0
AWAY: Final = (psycopg.OperationalError, psycopg.InterfaceError, StoreUnavailable)

Result = TypeVar("Result")


async def insist(step: Callable[[], Awaitable[Result]]) -> Result:
    """Take a step that may be repeated until it is taken, with growing pauses in between.

    Only a database that does not answer is waited for; whatever else goes wrong is raised.
    """
    pause_seconds = _PAUSE_SECONDS_FIRST
    while True:
        try:
            return await step()
        except AWAY as error:
            _log.warning("the database does not answer", error=type(error).__name__)
        await asyncio.sleep(pause_seconds)
        pause_seconds = min(2 * pause_seconds, _PAUSE_SECONDS_MAX)
