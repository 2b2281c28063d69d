"""Usage that nobody finished is finished, also when the database was away in between."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from flamewire_ledger.settings import read_settings
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.store.usage_items import NewBatch, PostgresUsageItems, key_of
from flamewire_ledger.wiring import open_ledger
from flamewire_ledger.wiring.operator import operate
from flamewire_ledger.wiring.usage import BATCHES_MAX, OLD_SECONDS, finish_usage, usage_recorder


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


async def test_an_operator_sees_tries_and_gives_up_usage_that_cannot_be_recorded(ledger_url: str):
    async with open_ledger(read_settings(), ledger_url) as ledger, operate(ledger) as operator:
        items, letters = PostgresUsageItems(ledger.connections), operator.dead_letters
        key = key_of("mer_1", "gateway", "a")
        batch = NewBatch(uuid4(), "ca_tom", [key], [b"{}"])
        await items.claim("mer_1", datetime.now(UTC), ["me_gone"], [batch])
        async with ledger.writing() as writer:
            await usage_recorder(ledger, writer).finish([batch.batch_id])

        (letter,) = await letters.list()
        assert letter["reader"] == f"usage:{batch.batch_id}"
        assert "me_gone" in letter["cause"]
        shown = await letters.show(letter["id"])
        assert shown is not None
        assert (shown["merchant_id"], shown["credit_account_id"]) == ("mer_1", "ca_tom")
        assert await letters.retry(letter["id"]) == 1
        assert [it["attempts"] for it in await letters.list()] == [2]

        await letters.discard(letter["id"])

        assert await letters.list() == []
        assert await items.places([key]) == {}, "it can be sent again"
        assert await items.unfinished(-1, 10) == []
