"""The writer: takes commands, gives each to the lane of its partition, and waits for what becomes of
them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from flamewire_ledger.commands.batch import BatchExecutor
from flamewire_ledger.commands.decider import Envelope, Failed, Outcome
from flamewire_ledger.commands.lane import Lane, WriterCounts
from flamewire_ledger.commands.patience import PatientStore
from flamewire_ledger.commands.pending import Caller, Pending
from flamewire_ledger.domain.rejection import QueueFull
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import EventStore, StoreUnavailable, partition_of


class Writer:
    """Executes commands in batches; `run` has to be running for `submit` to come back.

    Several writers, in several processes, may work on one store: who loses a race decides again, and takes turns
    with the others as long as they are at the same streams.
    """

    def __init__(
        self,
        store: EventStore,
        codec: Codec,
        *,
        batch_commands_max: int = 500,
        batch_wait_ms_max: float = 0,
        queue_commands_max: int = 10_000,
        queue_wait_seconds_max: float = 1.0,
        streams_kept_max: int = 25_000,
        snapshot_every_events: int = 500,
        unavailable_seconds_max: float = 30.0,
    ) -> None:
        """`batch_wait_ms_max` lets a batch grow under load, never in front of an idle writer.

        `streams_kept_max` is for each partition; a folded payment takes 5 to 10 KiB.
        """
        self._partitions = store.partitions
        self._stopping = False
        self.counts = WriterCounts()
        patient = PatientStore(store, unavailable_seconds_max)
        self._lanes = [
            Lane(
                BatchExecutor(
                    patient,
                    codec,
                    partition,
                    streams_kept_max=streams_kept_max,
                    snapshot_every_events=snapshot_every_events,
                ),
                self.counts,
                batch_commands_max=batch_commands_max,
                batch_wait_seconds_max=batch_wait_ms_max / 1000,
                queue_commands_max=queue_commands_max,
                queue_wait_seconds_max=queue_wait_seconds_max,
            )
            for partition in range(store.partitions)
        ]

    @property
    def queued(self) -> int:
        """How many commands wait for a batch."""
        return sum(lane.queued for lane in self._lanes)

    async def submit(self, envelope: Envelope) -> Outcome:
        """Execute one command; when this returns Done, it is durable.

        A fault in deciding is raised as it was. StoreUnavailable: it may or may not be recorded;
        submit it again with the same command id to find out. QueueFull, as an outcome, when the queue
        stayed full.
        """
        (outcome,) = await self.submit_many((envelope,))
        if isinstance(outcome, Failed):
            raise outcome.error
        return outcome

    async def submit_many(self, envelopes: Sequence[Envelope]) -> list[Outcome | Failed]:
        """Execute commands that came together. They are recorded each for itself, in the order
        given for each stream.
        """
        loop = asyncio.get_running_loop()
        caller = Caller([None] * len(envelopes), len(envelopes), loop.create_future())
        for index, envelope in enumerate(envelopes):
            pending = Pending(envelope, caller, index)
            lane = self._lanes[partition_of(envelope.merchant_id, self._partitions)]
            if self._stopping:
                pending.resolve(Failed(StoreUnavailable("this writer is shutting down")))
            elif not (lane.take(pending) or await lane.take_when_there_is_room(pending)):
                pending.resolve(QueueFull("too many commands are waiting; send it again later"))
        if caller.left:
            await caller.done
        return [outcome for outcome in caller.outcomes if outcome is not None]

    async def run(self) -> None:
        """Execute until `stop` was called and the queues are empty. When cancelled, callers get
        StoreUnavailable.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                for lane in self._lanes:
                    tasks.create_task(lane.run())
        finally:
            self._stopping = True
            for lane in self._lanes:
                lane.refuse_rest()

    def stop(self) -> None:
        """Take nothing more, finish what is queued; then `run` returns."""
        self._stopping = True
        for lane in self._lanes:
            lane.stop()
