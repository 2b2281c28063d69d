"""Webhooks, as they run: for each partition at hand one that announces, one that delivers, and one
that forgets what ended long ago.

Whatever fails is begun anew with pauses: all that is known is in the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from flamewire_ledger.processes.announcing import Announcing
from flamewire_ledger.processes.webhook_delivery import Delivering
from flamewire_ledger.store.event_store import EventStore
from flamewire_ledger.store.shares import AllOfThem, Shares, work_on
from flamewire_ledger.store.webhook_queue import WebhookQueue

_log = structlog.get_logger(__name__)
_WAIT_SECONDS_FIRST: Final = 0.1
_WAIT_SECONDS_MAX: Final = 15.0
_FORGET_SECONDS: Final = 3600.0
_FORGET_AT_ONCE: Final = 1_000


class Meter(Protocol):
    """What telemetry counts by."""

    def set(self, name: str, value: float, /, **labels: str) -> None: ...


class Webhooks:
    """`run` works on its share of the partitions until it is cancelled; `catch_up` once on one."""

    def __init__(
        self,
        store: EventStore,
        announcing: Announcing,
        delivering: Delivering,
        queue: WebhookQueue,
        now: Callable[[], datetime],
        *,
        shares: Shares | None = None,
        days_kept: int = 30,
        poll_seconds: float = 1.0,
        meter: Meter | None = None,
    ) -> None:
        """`days_kept`: of deliveries that ended. `poll_seconds`: between two looks at the queue,
        when nothing tells of something new.
        """
        self._store = store
        self._announcing = announcing
        self._delivering = delivering
        self._queue = queue
        self._now = now
        self._shares = shares or AllOfThem(store.partitions)
        self._kept = timedelta(days=days_kept)
        self._poll_seconds = poll_seconds
        self._meter = meter

    async def run(self) -> None:
        await work_on(self._shares, self._work)

    async def catch_up(self, partition: int) -> int:
        """Announce all that is recorded, and try what is due; how many attempts those were."""
        await self._announce_all(partition)
        return await self._delivering.look(partition)

    async def forget(self, partition: int) -> int:
        """Drop what ended long ago; how many deliveries those were. What was put aside is tried."""
        await self._announcing.again(partition)
        dropped, before = 0, self._now() - self._kept
        while count := await self._queue.drop_ended(partition, before, _FORGET_AT_ONCE):
            dropped += count
        await self._queue.drop_secrets(self._now())
        return dropped

    async def _work(self, partition: int) -> None:
        bell = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_again(lambda: self._announce(partition, bell)))
            tasks.create_task(
                _again(lambda: self._delivering.run(partition, bell, self._poll_seconds))
            )
            tasks.create_task(_again(lambda: self._tidy(partition)))

    async def _announce(self, partition: int, bell: asyncio.Event) -> None:
        while True:
            await self._announce_all(partition)
            bell.set()
            position = await self._queue.position(partition)
            if self._meter is not None:
                labels = {"name": "webhooks", "partition": str(partition)}
                self._meter.set("process_position", position, **labels)
            await self._store.wait_beyond(partition, position, self._poll_seconds)

    async def _announce_all(self, partition: int) -> None:
        while await self._announcing.page(partition):
            pass  # a page leaves the rest to the next one
        while await self._announcing.replay(partition):
            if await self._announcing.page(partition):
                break  # what is new goes before what is old

    async def _tidy(self, partition: int) -> None:
        while True:
            await self.forget(partition)
            await asyncio.sleep(_FORGET_SECONDS)


async def _again(work: Callable[[], Awaitable[None]]) -> None:
    """Begin anew whatever fails, with pauses."""
    wait_seconds = _WAIT_SECONDS_FIRST
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - the loop's edge
            _log.warning("webhooks begin again", error=type(error).__name__, exc_info=error)
        lasted = loop.time() - began
        wait_seconds = _WAIT_SECONDS_FIRST if lasted > _WAIT_SECONDS_MAX else wait_seconds
        await asyncio.sleep(wait_seconds)
        wait_seconds = min(2 * wait_seconds, _WAIT_SECONDS_MAX)
