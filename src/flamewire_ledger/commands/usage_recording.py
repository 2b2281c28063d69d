"""Recording batches of usage that were claimed, once each, whoever does it and however often.

A batch is claimed first, with its items, and recorded then, under a command id made of its own id.
So whoever finds a claimed batch that is not settled may record it: the log takes the first, and
tells all others what it was. `kill -9` between any two steps leaves work, and never a doubt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

from flamewire_ledger.commands.decider import Contended, Done, Envelope, Failed, Outcome
from flamewire_ledger.commands.metering import (
    Bundle,
    Item,
    Metered,
    Meters,
    Reading,
    bundles_of,
    read_item,
)
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.usage import Verdict, read_verdict, record
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.meter import MeterDefined
from flamewire_ledger.domain.rejection import QueueFull, Rejection
from flamewire_ledger.store.event_store import (
    EventStore,
    RecordedEvent,
    StoreUnavailable,
    partition_of,
)
from flamewire_ledger.store.usage_items import ClaimedBatch, UsageItems, key_of

ACTOR: Final = "usage"
METERS_KEPT_MAX: Final = 10_000
FINISHED_AT_ONCE_MAX: Final = 20


class Writes(Protocol):
    async def submit_many(self, envelopes: Sequence[Envelope]) -> Sequence[Outcome | Failed]: ...


class Decodes(Protocol):
    def decode(self, recorded: RecordedEvent) -> Any: ...


class UsageNotRecorded(StoreUnavailable):
    """Claimed and not recorded, for a reason that passes: it will be, by whoever comes next."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch. `refused`: places of its items that were left out, with the reason.

    `position` is that of usage.recorded; 0 when all of it was left out.
    """

    position: int
    refused: Mapping[int, str]


class UsageRecorder:
    """Records claimed batches, and settles them."""

    def __init__(
        self, items: UsageItems, store: EventStore, codec: Decodes, writer: Writes
    ) -> None:
        self._items = items
        self._store = store
        self._codec = codec
        self._writer = writer
        self._meters: dict[str, Metered] = {}

    async def record(
        self, batches: Sequence[tuple[ClaimedBatch, Sequence[tuple[int, Reading]]]]
    ) -> Mapping[UUID, Recorded]:
        """Record batches, with what their items say; several are one round trip of the log.

        Raises UsageNotRecorded when one is not, for a reason that passes.
        """
        bundles = {batch.batch_id: bundles_of(batch.items, readings) for batch, readings in batches}
        envelopes = [_envelope(batch, bundles[batch.batch_id]) for batch, _ in batches]
        outcomes = await self._writer.submit_many(envelopes)
        found: dict[UUID, Recorded] = {}
        given_back: list[UUID] = []
        failed: Outcome | Failed | None = None
        for (batch, readings), outcome in zip(batches, outcomes, strict=True):
            match outcome:
                case Done():
                    assert outcome.answer is not None, "every batch has a verdict"
                    verdict = read_verdict(outcome.answer)
                    recorded = _recorded(outcome.position, verdict, bundles[batch.batch_id])
                case QueueFull():
                    # That says nothing of the batch, which another may have recorded.
                    failed = outcome
                    continue
                case Rejection():
                    recorded = Recorded(0, {place: outcome.code for place, _ in readings})
                case Failed() | Contended():
                    failed = outcome
                    continue
            found[batch.batch_id] = recorded
            given_back += _keys(batch, readings, recorded.refused)
        if found:
            positions = {batch_id: recorded.position for batch_id, recorded in found.items()}
            await self._items.settle(positions, given_back)
        if failed is not None:
            raise UsageNotRecorded(f"usage was claimed and is not recorded yet: {failed}")
        return found

    async def finish(self, batch_ids: Sequence[UUID]) -> None:
        """Record batches that somebody else claimed; those that are settled are left alone. One that
        is not recorded does not stop the others.
        """
        failed: UsageNotRecorded | None = None
        for start in range(0, len(batch_ids), FINISHED_AT_ONCE_MAX):
            some = await self._items.batches(batch_ids[start : start + FINISHED_AT_ONCE_MAX])
            open_ = [batch for batch in some if batch.position is None]
            if open_:
                try:
                    await self.record([(batch, await self.readings(batch)) for batch in open_])
                except UsageNotRecorded as error:
                    failed = error
        if failed is not None:
            raise failed

    async def finish_old(self, seconds: float, limit: int) -> int:
        """Record what was claimed so long ago that whoever did is gone; how many that were."""
        batch_ids = await self._items.unfinished(seconds, limit)
        await self.finish(batch_ids)
        return len(batch_ids)

    async def readings(self, batch: ClaimedBatch) -> list[tuple[int, Reading]]:
        """What the items of a claimed batch say, read again from their bytes."""
        partition = partition_of(batch.merchant_id, self._store.partitions)
        missing = {it: 0 for it in batch.meter_ids if it not in self._meters}
        if missing:
            for stream_id, events in (await self._store.load(partition, missing)).items():
                defined = self._codec.decode(events[0])
                assert isinstance(defined, MeterDefined), "a meter begins with its definition"
                self._meters[stream_id] = Metered.of(defined)
        meters = Meters(self._meters[it] for it in batch.meter_ids)
        if len(self._meters) > METERS_KEPT_MAX:
            self._meters.clear()
        found = []
        for place in batch.taken:
            item = read_item(batch.items[place])
            assert isinstance(item, Item), "it was read when it was claimed"
            reading = meters.read(item)
            assert isinstance(reading, Reading), "it was read when it was claimed"
            found.append((place, reading))
        return found


def command_id_of(batch_id: UUID) -> UUID:
    """The command that a batch is recorded under."""
    return command_id("usage", str(batch_id))


def _envelope(batch: ClaimedBatch, bundles: Sequence[Bundle]) -> Envelope:
    origin = Origin(
        command_id=command_id_of(batch.batch_id),
        merchant_id=batch.merchant_id,
        actor=ACTOR,
        # What was claimed is what is recorded: nobody can come with other content.
        fingerprint=hashlib.sha256(batch.batch_id.bytes).digest(),
    )
    batch_id = batch.batch_id.hex
    return record(origin, batch.account_id, batch_id, bundles, batch.claimed_at)


def _recorded(position: int, verdict: Verdict, bundles: Sequence[Bundle]) -> Recorded:
    refused = {
        place: verdict.refused[bundle.fact.number]
        for bundle in bundles
        if bundle.fact.number in verdict.refused
        for place in bundle.seqs
    }
    return Recorded(0 if verdict.is_empty else position - verdict.behind, refused)


def _keys(
    batch: ClaimedBatch, readings: Sequence[tuple[int, Reading]], places: Mapping[int, str]
) -> list[UUID]:
    if not places:
        return []
    merchant_id = batch.merchant_id
    return [
        key_of(merchant_id, reading.item.source, reading.item.id)
        for place, reading in readings
        if place in places
    ]
