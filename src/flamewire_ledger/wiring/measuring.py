"""The writer's figures, told to the meters once a second: counting a command costs it nothing that way."""

from __future__ import annotations

import asyncio
from typing import Final

from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.telemetry import Meters

_SECONDS: Final = 1.0
OUTCOMES: Final = ("recorded", "replayed", "rejected", "contended", "failed")


async def measure_writer(
    writer: Writer, meters: Meters, *, every_seconds: float = _SECONDS
) -> None:
    """Until cancelled. What happened since the last look is told when it is cancelled, too."""
    told = WriterMeter(writer, meters)
    try:
        while True:
            told.tell()
            await asyncio.sleep(every_seconds)
    finally:
        told.tell()


class WriterMeter:
    """Remembers what it has told of one writer."""

    def __init__(self, writer: Writer, meters: Meters) -> None:
        self._writer = writer
        self._meters = meters
        self._batches = 0
        self._outcomes = dict.fromkeys(OUTCOMES, 0)

    def tell(self) -> None:
        counts = self._writer.counts
        self._meters.set("writer_queued", self._writer.queued)
        self._meters.add("append_batches", counts.batches - self._batches)
        self._batches = counts.batches
        for outcome in OUTCOMES:
            count: int = getattr(counts, outcome)
            self._meters.add("commands", count - self._outcomes[outcome], outcome=outcome)
            self._outcomes[outcome] = count
