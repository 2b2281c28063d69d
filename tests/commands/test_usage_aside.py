"""A batch of usage that cannot be recorded is put aside for an operator, and stops no other; the items
in memory and in Postgres alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from flamewire_ledger.commands.usage_recording import UsageRecorder
from flamewire_ledger.domain.rejection import NotAllowed, NotFound
from flamewire_ledger.store.connections import Connections
from flamewire_ledger.store.usage_items import (
    ClaimedBatch,
    MemoryUsageItems,
    PostgresUsageItems,
    UsageItems,
    key_of,
)
from flamewire_ledger.wiring.usage import finish_usage
from tests.commands.test_usage_recording import MERCHANT, Office, office


@pytest.fixture(params=["memory", "postgres"])
async def items(request: pytest.FixtureRequest, ledger_url: str) -> AsyncIterator[UsageItems]:
    if request.param == "memory":
        yield MemoryUsageItems()
        return
    connections = Connections(ledger_url, size_max=3)
    yield PostgresUsageItems(connections)
    await connections.close()


async def _claimed(one: Office, *ids: str) -> ClaimedBatch:
    claimed = await one.claim(*ids)
    assert claimed is not None
    return claimed[0]


def _key(id_: str) -> Any:
    return key_of(MERCHANT, "gateway", id_)


async def _spoil_reading(one: Office, bad: ClaimedBatch, spoil: pytest.MonkeyPatch) -> None:
    """Its items do not say any more what they said when they were claimed."""
    readings = UsageRecorder.readings

    async def readings_of(self: UsageRecorder, batch: ClaimedBatch) -> Any:
        assert batch.batch_id != bad.batch_id, "it was read when it was claimed"
        return await readings(self, batch)

    spoil.setattr(UsageRecorder, "readings", readings_of)


async def _spoil_bytes(one: Office, bad: ClaimedBatch, spoil: pytest.MonkeyPatch) -> None:
    """Its bytes cannot be unpacked, and so whatever is read together with it cannot."""
    batches = one.items.batches

    async def batches_of(batch_ids: Any) -> Any:
        if bad.batch_id in batch_ids:
            raise ValueError("no zstd frame")
        return await batches(batch_ids)

    spoil.setattr(one.items, "batches", batches_of)


async def _spoil_sums(one: Office, bad: ClaimedBatch, spoil: pytest.MonkeyPatch) -> None:
    from flamewire_ledger.commands import usage_recording

    bundles_of = usage_recording.bundles_of

    def adding_up(raws: Any, readings: Any) -> Any:
        if list(raws) == list(bad.items):
            raise ArithmeticError("it does not add up")
        return bundles_of(raws, readings)

    spoil.setattr(usage_recording, "bundles_of", adding_up)


@pytest.mark.parametrize("spoil", [_spoil_reading, _spoil_bytes, _spoil_sums])
async def test_a_batch_that_cannot_be_recorded_stops_no_other(
    items: UsageItems, spoil: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    async with office(items) as one:
        bad = await _claimed(one, "bad")
        await _claimed(one, "good", "too")
        with monkeypatch.context() as broken:
            await spoil(one, bad, broken)
            await one.recorder.finish_old(-1, 10)
            assert await one.recorded() == [2]
            assert set(await items.aside([_key("bad"), _key("good")])) == {_key("bad")}
            # However many there are of its kind: they come behind what nobody has tried.
            await _claimed(one, "later")
            assert await one.recorder.finish_old(-1, 1) == 1
            assert await one.recorded() == [2, 1]

        await one.recorder.finish([bad.batch_id])

        assert await one.recorded() == [2, 1, 1]
        assert set(await items.aside([_key("bad")])) == set()
        assert set(await items.counted([_key("bad")])) == {_key("bad")}


async def test_what_an_operator_gives_up_is_never_recorded_and_can_be_sent_again(
    items: UsageItems, monkeypatch: pytest.MonkeyPatch
):
    async with office(items) as one:
        bad = await _claimed(one, "a", "b")
        with monkeypatch.context() as broken:
            await _spoil_reading(one, bad, broken)
            await one.recorder.finish([bad.batch_id])

        await one.recorder.give_up(bad.batch_id, "cli")

        await one.recorder.finish([bad.batch_id])
        readings = await one.recorder.readings(bad)
        late = await one.recorder.record([(bad, readings)])  # by somebody who still had it in hand
        assert late[bad.batch_id].refused == {0: "given_up", 1: "given_up"}
        assert await one.recorded() == []
        assert await items.unfinished(-1, 10) == []
        await _claimed(one, "a", "b")
        await one.recorder.finish_old(-1, 10)
        assert await one.recorded() == [2]


async def test_what_is_recorded_cannot_be_given_up(items: UsageItems):
    async with office(items) as one:
        batch = await _claimed(one, "a")

        async def forget(positions: Any, given_back: Any) -> None:
            """Died before it was settled."""

        settle, items.settle = items.settle, forget  # type: ignore[method-assign]
        await one.recorder.finish([batch.batch_id])
        items.settle = settle  # type: ignore[method-assign]

        with pytest.raises(NotAllowed):
            await one.recorder.give_up(batch.batch_id, "cli")

        assert set(await items.counted([_key("a")])) == {_key("a")}
        assert await one.recorded() == [1]
        with pytest.raises(NotFound):
            await one.recorder.give_up(type(batch.batch_id)(int=7), "cli")


async def test_a_fault_in_deciding_is_of_its_batch_alone(
    items: UsageItems, monkeypatch: pytest.MonkeyPatch
):
    from flamewire_ledger.domain import usage

    async with office(items) as one:
        bad = await _claimed(one, "a", "b", "c")
        good = await _claimed(one, "d")
        decide = usage.decide

        def broken(state: Any, command: Any) -> Any:
            if getattr(command, "batch_id", "") == bad.batch_id.hex:
                raise RuntimeError("out of its depth")
            return decide(state, command)

        with monkeypatch.context() as spoilt:
            spoilt.setattr(usage, "decide", broken)
            found = await one.recorder.record(
                [(each, await one.recorder.readings(each)) for each in (bad, good)]
            )
        assert list(found) == [good.batch_id]
        assert set(await items.aside([_key("a"), _key("d")])) == {_key("a")}


async def test_whatever_fails_does_not_end_finishing():
    asked: list[int] = []

    class Broken:
        async def finish_old(self, seconds: float, limit: int) -> int:
            asked.append(limit)
            raise RuntimeError("a fault of ours")

    running = asyncio.create_task(finish_usage(Broken(), every_seconds=0))  # type: ignore[arg-type]
    while len(asked) < 3:
        await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
