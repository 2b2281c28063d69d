"""Hears over LISTEN that somebody pays on a sandbox chain or moves the sandbox clock, in whatever process.

A bell and nothing more: whoever relies on it also looks now and then, and always while `rings` is
None, because then nobody listens.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from contextlib import suppress
from importlib.resources import files
from typing import Final, TypeAlias

import psycopg

from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.store.statements import read_statements

_log = logging.getLogger(__name__)
_SQL: Final = {
    name: statement.query
    for name, statement in read_statements(files(__package__) / "sandbox_bell.sql").items()
}
_AGAIN_SECONDS: Final = 0.5

Rings: TypeAlias = tuple[int, int]


class SandboxBell:
    """`run` listens until it is cancelled, on a connection of its own."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._is_listening = False
        self._times = 0  # that listening has begun: what rang before is not known
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._waiting: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def rings(self, name: str) -> Rings | None:
        """How often it rang: another value is news. Ask before you look, or one between is missed."""
        return (self._times, self._counts[name]) if self._is_listening else None

    def next_ring(self, name: str) -> asyncio.Event:
        """Is set once, when it rings next; take it before you look, or one between is missed."""
        return self._waiting[name]

    async def ring(self, name: str) -> None:
        """Tell every process. A ring that does not get out is made up for by those who look."""
        self._hear(name)
        with suppress(StoreUnavailable):
            async with self._connections.use() as connection:
                await connection.execute(_SQL["ring"], {"name": name})

    async def run(self) -> None:
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError) as error:
                _log.warning("listening again in %s s: %s", _AGAIN_SECONDS, error)
            finally:
                self._is_listening = False
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen(self) -> None:
        async with await self._connections.connect() as connection:
            await connection.execute(_SQL["listen"])
            self._times += 1
            self._is_listening = True
            async for notification in connection.notifies():
                self._hear(notification.payload)

    def _hear(self, name: str) -> None:
        self._counts[name] += 1
        self._waiting.pop(name, asyncio.Event()).set()
