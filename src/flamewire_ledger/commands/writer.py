"""The writer: one loop a partition that takes what has queued up, executes it as one batch, and
resolves the callers.

There is no timer in front of a lone command: it is executed at once. While its batch commits, the
next one forms by itself; the busier the ledger, the larger the batches.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from flamewire_ledger.commands.batch import Again, BatchExecutor, Settled
from flamewire_ledger.commands.decider import Contended, Done, Envelope, Failed, Outcome
from flamewire_ledger.commands.patience import PatientStore
from flamewire_ledger.domain.rejection import LimitReached, Rejection
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import EventStore, StoreUnavailable, partition_of

_log = logging.getLogger(__name__)
TRIES_MAX: Final = 5


@dataclass(slots=True)
class WriterCounts:
    """What the writer has done since it was made."""

    commands: int = 0
    batches: int = 0
    recorded: int = 0
    replayed: int = 0
    rejected: int = 0
    tried_again: int = 0
    contended: int = 0
    failed: int = 0
    unavailable: int = 0
    batch_commands_last: int = 0


@dataclass(slots=True)
class _Caller:
    """Waits for the outcomes of the commands it sent together."""

    outcomes: list[Outcome | Failed | None]
    left: int
    done: asyncio.Future[None]


@dataclass(slots=True)
class _Pending:
    envelope: Envelope
    caller: _Caller
    index: int
    tries: int = 0

    def resolve(self, outcome: Outcome | Failed) -> None:
        """Give the caller its outcome, once: a writer that is cancelled may not know it was."""
        caller = self.caller
        if caller.outcomes[self.index] is not None:
            return
        caller.outcomes[self.index] = outcome
        caller.left -= 1
        if caller.left == 0 and not caller.done.done():
            caller.done.set_result(None)


@dataclass(slots=True)
class _Lane:
    """One partition's queue."""

    executor: BatchExecutor
    queue: deque[_Pending] = field(default_factory=deque)
    filled: asyncio.Event = field(default_factory=asyncio.Event)
    drained: asyncio.Event = field(default_factory=asyncio.Event)
    last_size: int = 0  # of the batch before; 0 after idling


class Writer:
    """Executes commands in batches; `run` has to be running for `submit` to come back.

    Several writers, in several processes, may work on one store: who loses a race decides again.
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
        self._batch_commands_max = batch_commands_max
        self._batch_wait_seconds_max = batch_wait_ms_max / 1000
        self._queue_commands_max = queue_commands_max
        self._queue_wait_seconds_max = queue_wait_seconds_max
        self._stopping = False
        self.counts = WriterCounts()
        patient = PatientStore(store, unavailable_seconds_max)
        self._lanes = [
            _Lane(
                BatchExecutor(
                    patient,
                    codec,
                    partition,
                    streams_kept_max=streams_kept_max,
                    snapshot_every_events=snapshot_every_events,
                )
            )
            for partition in range(store.partitions)
        ]

    @property
    def queued(self) -> int:
        """How many commands wait for a batch."""
        return sum(len(lane.queue) for lane in self._lanes)

    async def submit(self, envelope: Envelope) -> Outcome:
        """Execute one command; when this returns Done, it is durable.

        A fault in deciding is raised as it was. StoreUnavailable: it may or may not be recorded;
        submit it again with the same command id to find out. LimitReached, as an outcome, when the
        queue stayed full.
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
        caller = _Caller([None] * len(envelopes), len(envelopes), loop.create_future())
        for index, envelope in enumerate(envelopes):
            pending = _Pending(envelope, caller, index)
            lane = self._lanes[partition_of(envelope.merchant_id, self._partitions)]
            if self._stopping:
                pending.resolve(Failed(StoreUnavailable("this writer is shutting down")))
            elif len(lane.queue) < self._queue_commands_max or await self._room(lane):
                lane.queue.append(pending)
                lane.filled.set()
            else:
                pending.resolve(LimitReached("too many commands are waiting; send it again later"))
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
                    tasks.create_task(self._run_lane(lane))
        finally:
            self._stopping = True
            for lane in self._lanes:
                while lane.queue:
                    lane.queue.popleft().resolve(Failed(StoreUnavailable("the writer ended")))

    def stop(self) -> None:
        """Take nothing more, finish what is queued; then `run` returns."""
        self._stopping = True
        for lane in self._lanes:
            lane.filled.set()

    async def _room(self, lane: _Lane) -> bool:
        """Wait for a place in a full queue, for a bounded time."""
        deadline = asyncio.get_running_loop().time() + self._queue_wait_seconds_max
        while len(lane.queue) >= self._queue_commands_max:
            lane.drained.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await lane.drained.wait()
            except TimeoutError:
                return False
        return not self._stopping

    async def _run_lane(self, lane: _Lane) -> None:
        while True:
            if not lane.queue:
                if self._stopping:
                    return
                lane.last_size = 0
                lane.filled.clear()
                await lane.filled.wait()
                continue
            await self._let_grow(lane)
            size = min(len(lane.queue), self._batch_commands_max)
            batch = [lane.queue.popleft() for _ in range(size)]
            lane.drained.set()
            lane.last_size = size
            try:
                await self._execute(lane, batch)
            except asyncio.CancelledError:
                lane.queue.extendleft(reversed(batch))
                raise

    async def _let_grow(self, lane: _Lane) -> None:
        """Under load, give the callers of the last batch the time to send their next commands."""
        if lane.last_size > 1:
            await asyncio.sleep(0)
            if len(lane.queue) < lane.last_size // 2:
                await asyncio.sleep(self._batch_wait_seconds_max)

    async def _execute(self, lane: _Lane, batch: list[_Pending]) -> None:
        self.counts.batches += 1
        self.counts.batch_commands_last = len(batch)
        try:
            settled = await lane.executor.execute([pending.envelope for pending in batch])
        except StoreUnavailable as error:
            self.counts.unavailable += len(batch)
            self._settle(lane, batch, [Failed(error)] * len(batch))
        except Exception as error:  # noqa: BLE001 - the edge of the loop
            # The store refused the batch as a whole. Alone, each command fails or succeeds for
            # itself.
            if len(batch) > 1:
                _log.warning("a batch of %d is executed one by one: %s", len(batch), error)
                for pending in batch:
                    await self._execute(lane, [pending])
                return
            command_id = batch[0].envelope.command_id
            _log.exception("command %s could not be recorded", command_id)
            self._settle(lane, batch, [Failed(error)])
        else:
            self._settle(lane, batch, settled)
            await lane.executor.save_snapshots()

    def _settle(self, lane: _Lane, batch: Sequence[_Pending], settled: Sequence[Settled]) -> None:
        again: list[_Pending] = []
        counts = self.counts
        for pending, outcome in zip(batch, settled, strict=True):
            match outcome:
                case Done():
                    counts.replayed += outcome.replayed
                    counts.recorded += not outcome.replayed
                case Rejection():
                    counts.rejected += 1
                case Failed():
                    counts.failed += 1
                case Again(streams):
                    pending.tries += 1
                    if pending.tries < TRIES_MAX:
                        counts.tried_again += 1
                        again.append(pending)
                        continue
                    counts.contended += 1
                    outcome = Contended(streams)
                case Contended():
                    counts.contended += 1
                case _:
                    assert_never(outcome)
            counts.commands += 1
            pending.resolve(outcome)
        # In front of the queue and in their order, so that commands on one stream keep theirs.
        lane.queue.extendleft(reversed(again))
