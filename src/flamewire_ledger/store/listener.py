"""Hears of appends over LISTEN, on a connection of its own that is made again whenever it breaks.

A bell and nothing more: notifications are lost while there is no connection, so whoever waits also
looks now and then.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import Final

import psycopg

from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.ending import end

_log = logging.getLogger(__name__)
_RECONNECT_SECONDS: Final = 0.5


class Listener:
    """Keeps the highest position heard of for each partition."""

    def __init__(self, connections: Connections, listen: bytes) -> None:
        self._connections = connections
        self._listen = listen
        self._heard: defaultdict[int, int] = defaultdict(int)
        self._bells: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self._task: asyncio.Task[None] | None = None
        self.reconnects = 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="store listener")

    async def stop(self) -> None:
        if self._task is not None:
            await end(self._task)
            self._task = None

    def heard(self, partition: int) -> int:
        return self._heard[partition]

    def bell(self, partition: int) -> asyncio.Event:
        """Rings once, at the next append; take it before you look, or one between is missed."""
        return self._bells[partition]

    async def _run(self) -> None:
        while True:
            try:
                await self._hear()
            except (psycopg.Error, OSError) as error:
                self.reconnects += 1
                _log.warning("listening again in %s s: %s", _RECONNECT_SECONDS, error)
            self._ring_all()
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _hear(self) -> None:
        async with await self._connections.connect() as connection:
            await connection.execute(self._listen)
            self._heard.clear()  # of another server, perhaps, that was ahead of this one
            self._ring_all()  # whatever was appended while nobody listened
            async for notification in connection.notifies():
                partition, _, head = notification.payload.partition(" ")
                self._ring(int(partition), int(head))

    def _ring(self, partition: int, head: int) -> None:
        self._heard[partition] = max(self._heard[partition], head)
        self._bells.pop(partition, asyncio.Event()).set()

    def _ring_all(self) -> None:
        for bell in list(self._bells.values()):
            bell.set()
        self._bells.clear()
