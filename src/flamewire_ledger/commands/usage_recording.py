"""Recording batches of usage that were claimed, once each, whoever does it and however often.

A batch is claimed first, with its items, and recorded then, under a command id made of its own id.
So whoever finds a claimed batch that is not settled may record it: the log takes the first, and
tells all others what it was. `kill -9` between any two steps leaves work, and never a doubt. A batch
that nobody can record is a dead letter: it is tried again now and then, and stops no other.
"""

from __future__ import annotations

import hashlib
import logging
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
from flamewire_ledger.commands.usage import (
    GIVEN_UP,
    Verdict,
    give_up,
    is_given_up,
    read_verdict,
    record,
)
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.meter import MeterDefined
from flamewire_ledger.domain.rejection import NotAllowed, NotFound, QueueFull, Rejection
from flamewire_ledger.store.event_store import (
    EventStore,
    RecordedEvent,
    StoreUnavailable,
    partition_of,
)
from flamewire_ledger.store.usage_items import Aside, ClaimedBatch, UsageItems, key_of

ACTOR: Final = "usage"
METERS_KEPT_MAX: Final = 10_000
FINISHED_AT_ONCE_MAX: Final = 20
CAUSE_MAX: Final = 500  # letters
_log = logging.getLogger(__name__)


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
        """Record batches, with what their items say; several are one round trip of the log. One that
        cannot be recorded, for a reason of its own, is put aside and is not in the answer.

        Raises UsageNotRecorded when one is not, for a reason that passes.
        """
        asides: list[Aside] = []
        sent = []
        for batch, readings in batches:
            try:
                sent.append((batch, readings, bundles_of(batch.items, readings)))
            except Exception as error:  # noqa: BLE001 - one that is broken must not stop the others
                asides.append(self._aside(batch, error))
        envelopes = [_envelope(batch, bundles) for batch, _, bundles in sent]
        outcomes = await self._writer.submit_many(envelopes) if envelopes else []
        found: dict[UUID, Recorded] = {}
        given_back: list[UUID] = []
        failed: Outcome | Failed | None = None
        for (batch, readings, bundles), outcome in zip(sent, outcomes, strict=True):
            match outcome:
                case Done():
                    assert outcome.answer is not None, "every batch has a verdict"
                    verdict = read_verdict(outcome.answer)
                    recorded = _recorded(outcome.position, verdict, bundles)
                case QueueFull() | Contended() | Failed(error=StoreUnavailable()):
                    # That says nothing of the batch, which another may have recorded.
                    failed = outcome
                    continue
                case Rejection():
                    recorded = Recorded(0, {place: outcome.code for place, _ in readings})
                case Failed():
                    asides.append(self._aside(batch, outcome.error))
                    continue
            found[batch.batch_id] = recorded
            given_back += _keys(batch, readings, recorded.refused)
        if found:
            positions = {batch_id: recorded.position for batch_id, recorded in found.items()}
            await self._items.settle(positions, given_back)
        if asides:
            await self._items.put_aside(asides)
        if failed is not None:
            raise UsageNotRecorded(f"usage was claimed and is not recorded yet: {failed}")
        return found

    async def finish(self, batch_ids: Sequence[UUID]) -> None:
        """Record batches that somebody else claimed; those that are settled are left alone. One that
        is not recorded does not stop the others: for a reason that passes, it is raised behind them;
        for one of its own, it is put aside.
        """
        failed: UsageNotRecorded | None = None
        for start in range(0, len(batch_ids), FINISHED_AT_ONCE_MAX):
            try:
                await self._finish_some(batch_ids[start : start + FINISHED_AT_ONCE_MAX])
            except UsageNotRecorded as error:
                failed = error
        await self._items.release()
        if failed is not None:
            raise failed

    async def _finish_some(self, batch_ids: Sequence[UUID]) -> None:
        try:
            some = await self._items.batches(batch_ids)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - bytes that are broken must not stop the others
            if len(batch_ids) > 1:
                for batch_id in batch_ids:
                    await self._finish_some([batch_id])
                return
            # Whose it is cannot be read either. What is put aside is not ordered by partition.
            await self._items.put_aside([Aside(batch_ids[0], 0, _say(error))])
            return
        ready, asides = [], []
        for batch in some:
            if batch.position is None:
                try:
                    ready.append((batch, await self.readings(batch)))
                except StoreUnavailable:
                    raise
                except Exception as error:  # noqa: BLE001 - as above
                    asides.append(self._aside(batch, error))
        if asides:
            await self._items.put_aside(asides)
        if ready:
            await self.record(ready)

    async def finish_old(self, seconds: float, limit: int) -> int:
        """Record what was claimed so long ago that whoever did is gone; how many that were."""
        batch_ids = await self._items.unfinished(seconds, limit)
        await self.finish(batch_ids)
        return len(batch_ids)

    async def give_up(self, batch_id: UUID, actor: str) -> None:
        """A batch that was put aside is never recorded, and its items can be sent again. The log
        says so: one that it has already is settled instead, and NotAllowed is raised.
        """
        merchant_id = await self._items.merchant_of(batch_id)
        if merchant_id is None:
            raise NotFound(f"there is no batch of usage {batch_id}")
        command = give_up(_origin(batch_id, merchant_id, actor), batch_id.hex)
        (outcome,) = await self._writer.submit_many([command])
        if not isinstance(outcome, Done) or outcome.answer is None:
            raise UsageNotRecorded(f"it could not be said that this usage is given up: {outcome}")
        verdict = read_verdict(outcome.answer)
        if not is_given_up(verdict):
            await self._items.settle(
                {batch_id: 0 if verdict.is_empty else outcome.position - verdict.behind}, ()
            )
            await self._items.release()
            raise NotAllowed("this batch of usage is recorded: it counts, and is aside no more")
        await self._items.give_up(batch_id)

    def _aside(self, batch: ClaimedBatch, error: Exception) -> Aside:
        _log.error("usage batch %s is put aside", batch.batch_id, exc_info=error)
        partition = partition_of(batch.merchant_id, self._store.partitions)
        return Aside(batch.batch_id, partition, _say(error))

    async def readings(self, batch: ClaimedBatch) -> list[tuple[int, Reading]]:
        """What the items of a claimed batch say, read again from their bytes."""
        partition = partition_of(batch.merchant_id, self._store.partitions)
        missing = {it: 0 for it in batch.meter_ids if it not in self._meters}
        if missing:
            for stream_id, events in (await self._store.load(partition, missing)).items():
                if not events:
                    raise LookupError(f"meter {stream_id} is not in the log")
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


def _origin(batch_id: UUID, merchant_id: str, actor: str) -> Origin:
    return Origin(
        command_id=command_id_of(batch_id),
        merchant_id=merchant_id,
        actor=actor,
        # What was claimed is what is recorded: nobody can come with other content.
        fingerprint=hashlib.sha256(batch_id.bytes).digest(),
    )


def _envelope(batch: ClaimedBatch, bundles: Sequence[Bundle]) -> Envelope:
    origin = _origin(batch.batch_id, batch.merchant_id, ACTOR)
    batch_id = batch.batch_id.hex
    return record(origin, batch.account_id, batch_id, bundles, batch.claimed_at)


def _say(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:CAUSE_MAX]


def _recorded(position: int, verdict: Verdict, bundles: Sequence[Bundle]) -> Recorded:
    if is_given_up(verdict):
        return Recorded(0, {place: GIVEN_UP for bundle in bundles for place in bundle.seqs})
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
