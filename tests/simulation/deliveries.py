"""Deliveries to a reactor that come twice, late, in the wrong order, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from flamewire_ledger.store.event_store import EventStore, RecordedEvent
from tests.simulation.weather import Weather

_KEPT_BACK_MAX = 20


@dataclass(frozen=True)
class Delivery:
    partition: int
    events: Sequence[RecordedEvent]

    async def done(self) -> None: ...

    async def failed(self) -> None: ...


class Deliveries:
    """News of every event, roughly in order. What it loses, the reactor has to find by itself."""

    def __init__(self, store: EventStore, weather: Weather) -> None:
        self._store = store
        self._weather = weather
        self._kept_back: list[Delivery] = []

    async def __aiter__(self) -> AsyncIterator[Delivery]:
        positions = [await self._store.head(each) for each in range(self._store.partitions)]
        while True:
            await asyncio.sleep(self._weather.seconds(0.05, 0.5))
            for partition, position in enumerate(positions):
                size = self._weather.number(1, 8)
                events = await self._store.read(partition, position, size)
                if events:
                    positions[partition] = events[-1].position
                    for delivery in self._as_they_come(Delivery(partition, events)):
                        yield delivery

    def _as_they_come(self, delivery: Delivery) -> list[Delivery]:
        weather = self._weather
        if weather.happens("a delivery is lost", 0.03):
            return []
        if weather.happens("a delivery is overtaken", 0.05):
            self._kept_back = [*self._kept_back, delivery][-_KEPT_BACK_MAX:]
            return []
        coming = [delivery]
        if weather.happens("a delivery comes twice", 0.05):
            coming.append(delivery)
        if self._kept_back and weather.number(0, 3) == 0:
            coming.append(self._kept_back.pop(0))
        return coming
