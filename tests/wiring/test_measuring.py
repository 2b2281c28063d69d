"""The writer's figures reach the meters, each thing counted once."""

from __future__ import annotations

import asyncio

from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.telemetry import Meters
from flamewire_ledger.wiring.measuring import WriterMeter
from tests.commands.counter import CODEC, empty, fill
from tests.commands.watched_store import WatchedStore


def numbers(meters: Meters) -> dict[str, float]:
    return {
        name + "".join(labels.values()): value
        for _, name, labels, value in meters.samples()
        if not name.endswith("_created")
    }


async def test_what_the_writer_did_is_told_once():
    meters = Meters()
    writer = Writer(WatchedStore(), CODEC)
    meter = WriterMeter(writer, meters)
    waiting = asyncio.create_task(writer.submit_many([fill("a", 5), fill("b", 1), empty("c", 1)]))
    await asyncio.sleep(0)
    meter.tell()
    assert numbers(meters)["flamewire_writer_queued"] == 3

    running = asyncio.create_task(writer.run())
    await waiting
    meter.tell()
    meter.tell()
    told = numbers(meters)
    assert told["flamewire_writer_queued"] == 0
    assert told["flamewire_commands_totalrecorded"] == 2
    assert told["flamewire_commands_totalrejected"] == 1
    assert told["flamewire_append_batches_total"] == writer.counts.batches
    writer.stop()
    await running
