"""What the board knows becomes samples and alerts in the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.money import Asset
from flamewire_ledger.domain.price import owner_id, price_id
from flamewire_ledger.domain.rejection import PriceUnavailable
from flamewire_ledger.prices.board import PriceBoard
from flamewire_ledger.processes.price_recording import PriceRecording
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.memory import MemoryEventStore
from tests.prices.stand_in import StandIn

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TAO, USD = Asset("bittensor:TAO", 9), Asset("USD", 2)


class Recorder:
    """Five sources, their board, and a ledger in memory that records."""

    def __init__(self) -> None:
        self.now = NOON
        self.stand_in = StandIn(lambda: self.now)
        self.board = PriceBoard(self.stand_in.feeds())
        self.codec = Codec()
        self.store = MemoryEventStore(lambda: self.now)
        self.writer = Writer(self.store, self.codec)
        self.recording = self.another()

    def another(self, **given: Any) -> PriceRecording:
        return PriceRecording(self.board, self.writer, lambda: self.now, livemode=False, **given)

    async def later(self, **by: float) -> list[str]:
        """Look when so much time has passed; what was recorded then."""
        self.now += timedelta(**by)
        before = await self.store.head(0)
        await self.recording.look()
        return [event.type for event in await self.store.read(0, before, 100)]

    async def facts(self) -> list[Any]:
        return [self.codec.decode(event) for event in await self.store.read(0, 0, 1_000)]


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    made = Recorder()
    running = asyncio.create_task(made.writer.run())
    yield made
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_what_nobody_asked_for_is_not_recorded(recorder: Recorder) -> None:
    assert await recorder.later(minutes=1) == []
    assert not await recorder.recording.has_something()
    assert recorder.stand_in.asked == []


async def test_what_was_asked_for_is_recorded_from_then_on(recorder: Recorder) -> None:
    await recorder.board.rate(TAO, USD, recorder.now)
    assert await recorder.later(seconds=1) == ["price.recorded.v1"] * 2  # USDT turns into dollars
    assert await recorder.later(seconds=1) == []
    recorder.stand_in.prices["TAO"] = Decimal(415)
    assert await recorder.later(seconds=65) == ["price.recorded.v1"]
    last = (await recorder.facts())[-1]
    assert (last.symbol, last.dollars) == ("TAO", Decimal(415))
    (event,) = await recorder.store.read(0, 2, 1)
    assert event.stream_id == price_id("TAO", livemode=False)
    assert event.merchant_id == owner_id(livemode=False)


async def test_what_is_followed_always_needs_nobody_to_ask(recorder: Recorder) -> None:
    recorder.recording = recorder.another(always=["SUI"])
    assert "price.recorded.v1" in await recorder.later(seconds=1)


async def test_what_has_no_price_is_not_followed(recorder: Recorder) -> None:
    with pytest.raises(PriceUnavailable):
        await recorder.board.rate(Asset("NOPE", 0), USD, recorder.now)
    assert "NOPE" not in await recorder.board.followed()


async def test_two_recorders_take_no_more_samples_than_one(recorder: Recorder) -> None:
    await recorder.board.rate(TAO, USD, recorder.now)
    await recorder.later(seconds=1)
    recorder.recording = recorder.another()
    assert await recorder.later(seconds=30) == []


async def test_a_source_that_goes_silent_and_comes_back_is_said_once_each(
    recorder: Recorder,
) -> None:
    await recorder.board.rate(TAO, USD, recorder.now)
    await recorder.later(seconds=1)
    recorder.stand_in.faults = {"kraken": "down"}
    said: list[str] = []
    for _ in range(12):
        said += await recorder.later(seconds=61)
    assert said.count("price.source_went_stale.v1") == 2  # of TAO and of USDT
    stale = [it for it in await recorder.facts() if it.type == "price.source_went_stale.v1"]
    assert {it.source for it in stale} == {"kraken:TAO-USD", "kraken:USDT-USD"}
    assert "did not answer" in stale[0].reason
    recorder.stand_in.faults = {}
    said = []
    for _ in range(6):
        said += await recorder.later(seconds=61)
    assert said.count("price.source_returned.v1") == 2


async def test_a_source_that_lies_is_a_deviation(recorder: Recorder) -> None:
    await recorder.board.rate(TAO, USD, recorder.now)
    await recorder.later(seconds=1)
    recorder.stand_in.faults = {"coinbase": "tenfold"}
    assert (await recorder.later(seconds=61)).count("price.deviation_detected.v1") == 2
    recorder.stand_in.faults = {}
    assert (await recorder.later(seconds=61)).count("price.deviation_ended.v1") == 2


async def test_a_crash_is_recorded_when_it_is_believed(recorder: Recorder) -> None:
    await recorder.board.rate(TAO, USD, recorder.now)
    await recorder.later(seconds=1)
    recorder.stand_in.prices["TAO"] = Decimal(300)
    assert "price.recorded.v1" not in await recorder.later(seconds=61)  # said once
    said = await recorder.later(seconds=61)
    assert said == ["price.recorded.v1", "price.deviation_detected.v1"]
    assert (await recorder.facts())[-1].kind == "moved"
