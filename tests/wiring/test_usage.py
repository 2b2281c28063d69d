"""Usage that nobody finished is finished, also when the database was away in between."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.wiring.usage import BATCHES_MAX, OLD_SECONDS, finish_usage


class Recorder:
    def __init__(self) -> None:
        self.asked: list[tuple[float, int]] = []

    async def finish_old(self, seconds: float, limit: int) -> int:
        self.asked.append((seconds, limit))
        if len(self.asked) == 1:
            raise StoreUnavailable("the database is away")
        return 1


async def test_an_absence_of_the_database_does_not_end_it():
    recorder: Any = Recorder()
    running = asyncio.create_task(finish_usage(recorder, every_seconds=0))
    while len(recorder.asked) < 3:
        await asyncio.sleep(0)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert set(recorder.asked) == {(OLD_SECONDS, BATCHES_MAX)}
