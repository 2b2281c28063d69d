"""Where batches of events come from while a projector is live: the seam to a broker, and the store's tail.

A source is only the news: what it leaves out or says twice, the projector finds in the store or
drops. So without a broker the very same projector tails the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from flamewire_ledger.store.event_store import EventStore, RecordedEvent, StoreUnavailable
from flamewire_ledger.store.shares import AllOfThem, Shares, work_on

_log = structlog.get_logger(__name__)
_PAUSE_SECONDS_FIRST: Final = 0.1
_PAUSE_SECONDS_MAX: Final = 10.0


class Delivery(Protocol):
    """Contiguous events of one partition, oldest first, up to the position `last`.

    `events` is empty when they could not be carried: they are in the store.
    """

    @property
    def partition(self) -> int: ...

    @property
    def last(self) -> int: ...

    @property
    def events(self) -> Sequence[RecordedEvent]: ...

    async def done(self) -> None:
        """All that follows from it is durable."""

    async def failed(self) -> None:
        """It was not taken: offer it again."""


class Batches(Protocol):
    """Deliveries without an end."""

    def __aiter__(self) -> AsyncIterator[Delivery]: ...


@dataclass(frozen=True, slots=True)
class TailDelivery:
    """A batch from the store itself. Nobody waits for its settlement."""

    partition: int
    last: int
    events: Sequence[RecordedEvent]

    async def done(self) -> None:
        return

    async def failed(self) -> None:
        return


class TailBatches:
    """Reads every partition behind a position each, one batch ahead of whoever takes them."""

    def __init__(
        self,
        store: EventStore,
        after: Mapping[int, int],
        *,
        events_max: int = 2_000,
        poll_seconds: float = 1.0,
        carries: bool = True,
        shares: Shares | None = None,
    ) -> None:
        """`poll_seconds`: how long to wait for the store's bell before looking all the same. What does
        not carry events only tells how far the log goes. `shares`: the partitions to read; else all.
        """
        self._store = store
        self._after = after
        self._events_max = events_max
        self._poll_seconds = poll_seconds
        self._carries = carries
        self._shares = shares or AllOfThem(store.partitions)

    async def __aiter__(self) -> AsyncIterator[TailDelivery]:
        ahead: asyncio.Queue[TailDelivery | Exception] = asyncio.Queue(maxsize=1)

        async def read(partition: int) -> None:
            await self._read(partition, self._after.get(partition, 0), ahead)

        async def read_all() -> None:
            try:
                await work_on(self._shares, read)
            except Exception as error:  # noqa: BLE001 - the loop's edge: whoever iterates gets it
                await ahead.put(error)

        reading = asyncio.create_task(read_all())
        try:
            while True:
                news = await ahead.get()
                if isinstance(news, Exception):
                    raise news
                yield news
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(
        self, partition: int, position: int, ahead: asyncio.Queue[TailDelivery | Exception]
    ) -> None:
        try:
            await self._tail(partition, position, ahead)
        except Exception as error:  # noqa: BLE001 - the loop's edge: whoever iterates gets it
            await ahead.put(error)

    async def _tail(
        self, partition: int, position: int, ahead: asyncio.Queue[TailDelivery | Exception]
    ) -> None:
        pause_seconds = _PAUSE_SECONDS_FIRST
        while True:
            try:
                news = await self._news(partition, position)
                if news is None:
                    await self._store.wait_beyond(partition, position, self._poll_seconds)
                pause_seconds = _PAUSE_SECONDS_FIRST
            except StoreUnavailable as error:
                _log.warning("the store does not answer", partition=partition, error=str(error))
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(2 * pause_seconds, _PAUSE_SECONDS_MAX)
                continue
            if news is not None:
                position = news.last
                await ahead.put(news)

    async def _news(self, partition: int, position: int) -> TailDelivery | None:
        if self._carries:
            events = await self._store.read(partition, position, self._events_max)
            return TailDelivery(partition, events[-1].position, events) if events else None
        head = await self._store.head(partition)
        return TailDelivery(partition, head, ()) if head > position else None
