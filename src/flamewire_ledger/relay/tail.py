"""The relay: tails each partition of the store and publishes what was committed, in order, at
least once.

The event table is the outbox. The checkpoint moves when the broker has confirmed, so a crash in
between repeats a batch, which its readers drop. While the broker is away nothing piles up here:
the relay holds one batch, and the store holds the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import structlog

from flamewire_ledger.relay.message import BODY_BYTES_MAX, Message, pack
from flamewire_ledger.store.event_store import EventStore, RecordedEvent
from flamewire_ledger.store.shares import AllOfThem, Shares, work_on

_log = structlog.get_logger(__name__)
_WAIT_SECONDS_FIRST: Final = 0.1
_WAIT_SECONDS_MAX: Final = 15.0


class BrokerUnavailable(Exception):
    """The broker is away, blocked, or did not confirm. What was sent may have arrived: send it
    again.
    """


class Publisher(Protocol):
    """The way to the broker."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish in order; return when all are confirmed, else raise BrokerUnavailable."""


class Turn(Protocol):
    """The right to relay a partition, with its checkpoint."""

    @property
    def position(self) -> int:
        """The last position known to be with the broker."""

    async def move(self, position: int) -> None:
        """Move the checkpoint. Raises StoreUnavailable when the turn may have been lost."""


class Turns(Protocol):
    """One relay at a time works on a partition; the others stand by."""

    def take(self, partition: int) -> AbstractAsyncContextManager[Turn]:
        """Wait until it is ours. Should two believe so for a moment, some messages come twice."""


class Meter(Protocol):
    """What telemetry counts by."""

    def add(self, name: str, amount: int = 1, /, **labels: str) -> None: ...

    def set(self, name: str, value: float, /, **labels: str) -> None: ...


class Relay:
    """`run` relays every partition until cancelled; `drain` works off what there is."""

    def __init__(
        self,
        store: EventStore,
        publisher: Publisher,
        turns: Turns,
        *,
        batch_events_max: int = 4000,
        body_bytes_max: int = BODY_BYTES_MAX,
        pause_seconds: float = 0.02,
        poll_seconds: float = 5.0,
        shares: Shares | None = None,
        meter: Meter | None = None,
    ) -> None:
        """`shares`: which partitions are ours to relay; without them all whose turn we get.

        `batch_events_max`: at once, in several messages that are confirmed together; the next as
        many are read meanwhile.

        `pause_seconds`: from the beginning of a message to that of the next one at the least, so
        that under load one carries what would else be many, each confirmed for itself.

        `poll_seconds`: how long to wait for the store's bell before looking all the same.
        """
        self._store = store
        self._publisher = publisher
        self._turns = turns
        self._batch_events_max = batch_events_max
        self._body_bytes_max = body_bytes_max
        self._pause_seconds = pause_seconds
        self._poll_seconds = poll_seconds
        self._shares = shares or AllOfThem(store.partitions)
        self._meter = meter

    async def run(self) -> None:
        """Go on until cancelled; whatever fails is tried again, with growing pauses."""
        await work_on(self._shares, self._run_partition)

    async def drain(self, partition: int, turn: Turn) -> int:
        """Publish everything behind the turn's checkpoint; returns the position reached."""
        reading = self._read(partition, turn.position)
        try:
            while events := await reading:
                reading = self._read(partition, events[-1].position)
                await self._publisher.publish(list(pack(events, self._body_bytes_max)))
                await turn.move(events[-1].position)
                if self._meter is not None:
                    label = str(partition)
                    self._meter.add("relay_events", len(events), partition=label)
                    self._meter.set("relay_position", turn.position, partition=label)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return turn.position

    def _read(self, partition: int, after: int) -> asyncio.Task[Sequence[RecordedEvent]]:
        return asyncio.ensure_future(self._store.read(partition, after, self._batch_events_max))

    async def _run_partition(self, partition: int) -> None:
        wait_seconds = _WAIT_SECONDS_FIRST
        while True:
            try:
                async with self._turns.take(partition) as turn:
                    while True:
                        paused = asyncio.create_task(asyncio.sleep(self._pause_seconds))
                        position = await self.drain(partition, turn)
                        wait_seconds = _WAIT_SECONDS_FIRST
                        await paused
                        await self._store.wait_beyond(partition, position, self._poll_seconds)
            except Exception as error:  # noqa: BLE001 - the loop's edge
                _log.warning("the relay begins again", partition=partition, error=str(error))
                if self._meter is not None:
                    self._meter.add("relay_failures", 1, partition=str(partition))
            await asyncio.sleep(wait_seconds)
            wait_seconds = min(2 * wait_seconds, _WAIT_SECONDS_MAX)
