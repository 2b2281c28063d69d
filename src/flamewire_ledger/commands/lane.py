"""A lane: the queue of one partition, and the loop that makes batches of it. While one batch is being
committed, the next is decided on the states the first is assumed to leave.

There is no timer in front of a lone command: it is executed at once. The busier the ledger, the
larger the batches. At most two are on their way, and a batch is sent only when the one ahead of it
is committed and nothing of it went otherwise than assumed. If something did, the batch behind it
is given up and its commands are queued again, behind those of the first that are to be tried again:
so the order within a stream stays that of arrival. While other writers are at the same streams, one batch
after the other is loaded, decided and committed in a turn at the partition, and none ahead.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, assert_never

from flamewire_ledger.commands.batch import Again, Batch, BatchExecutor, Settled
from flamewire_ledger.commands.decider import Contended, Done, Failed, Outcome
from flamewire_ledger.commands.pending import Pending
from flamewire_ledger.domain.rejection import Rejection
from flamewire_ledger.store.ending import end
from flamewire_ledger.store.event_store import StoreUnavailable

_log = logging.getLogger(__name__)
TRIES_MAX: Final = 5
# So many commands have to wait before they are decided ahead: fewer would be many small batches. And
# no more are decided at a stretch, so that whoever shares the event loop gets its turn.
_DECIDED_AT_ONCE: Final = 100


@dataclass(slots=True)
class WriterCounts:
    """What the writer has done since it was made."""

    commands: int = 0
    batches: int = 0
    recorded: int = 0
    replayed: int = 0
    rejected: int = 0
    tried_again: int = 0
    decided_in_vain: int = 0  # on what was assumed of the batch ahead
    turns: int = 0  # batches that were decided while nobody else could append
    contended: int = 0
    failed: int = 0
    unavailable: int = 0
    batch_commands_last: int = 0


@dataclass(slots=True)
class _Trip:
    """A batch and the commands in it, from the first decision to the answers."""

    batch: Batch
    pendings: list[Pending] = field(default_factory=list)
    error: Exception | None = None  # met while it was decided
    commit: asyncio.Task[list[Settled]] | None = None
    is_judged: bool = False
    is_sound: bool = False  # it was committed; of its commands some may have to be tried again
    outcomes: list[tuple[Pending, Outcome | Failed]] = field(default_factory=list)
    again: list[Pending] = field(default_factory=list)

    @property
    def is_committed(self) -> bool:
        """Whether it has come back, with whatever answer."""
        return self.commit is not None and self.commit.done()


class Lane:
    """The commands of one partition. `run` has to be running."""

    def __init__(
        self,
        executor: BatchExecutor,
        counts: WriterCounts,
        *,
        batch_commands_max: int,
        batch_wait_seconds_max: float,
        queue_commands_max: int,
        queue_wait_seconds_max: float,
    ) -> None:
        self._executor = executor
        self._counts = counts
        self._batch_commands_max = batch_commands_max
        self._decided_at_once = min(_DECIDED_AT_ONCE, batch_commands_max)
        self._batch_wait_seconds_max = batch_wait_seconds_max
        self._queue_commands_max = queue_commands_max
        self._queue_wait_seconds_max = queue_wait_seconds_max
        self._queue: deque[Pending] = deque()
        self._forming: _Trip | None = None
        self._ahead: _Trip | None = None  # being committed
        self._awaited = 1  # so many in the queue wake the loop
        self._woken = asyncio.Event()
        self._drained = asyncio.Event()
        self._saving: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def queued(self) -> int:
        """How many commands wait for a batch to be sent."""
        return len(self._queue) + (0 if self._forming is None else len(self._forming.pendings))

    def stop(self) -> None:
        """Take nothing more, finish what is queued; then `run` returns."""
        self._stopping = True
        self._woken.set()
        self._drained.set()

    def take(self, pending: Pending) -> bool:
        """Queue a command, if there is room."""
        if self.queued >= self._queue_commands_max:
            return False
        self._queue.append(pending)
        if len(self._queue) >= self._awaited:
            self._woken.set()
        return True

    async def take_when_there_is_room(self, pending: Pending) -> bool:
        """Queue a command in a full queue as soon as there is a place, or say no after a while."""
        deadline = asyncio.get_running_loop().time() + self._queue_wait_seconds_max
        while not self._stopping:
            if self.take(pending):
                return True
            self._drained.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._drained.wait()
            except TimeoutError:
                return False
        return False

    async def run(self) -> None:
        """Execute until `stop` was called and the queue is empty. However it ends, nobody is left
        waiting: those without an outcome get StoreUnavailable.
        """
        try:
            while self._queue or self._ahead is not None or not self._stopping:
                await self._form()
                await self._hand_over()
            if self._saving is not None:
                await self._saving
        finally:
            self._stopping = True
            await self._abandon()

    async def _form(self) -> None:
        """Let a batch form: until the one ahead is committed, or what is there if none is ahead."""
        while self._ahead is not None and not self._ahead.is_committed:
            # What cannot be decided ahead need not wake anybody: the commit will.
            self._awaited = self._decided_at_once if self._may_decide_ahead() else sys.maxsize
            if len(self._queue) >= self._awaited:
                await self._decide()
                await asyncio.sleep(0)
            else:
                self._woken.clear()
                await self._woken.wait()
        if self._ahead is None and not self._queue and not self._stopping:
            self._awaited = 1
            self._woken.clear()
            await self._woken.wait()

    def _may_decide_ahead(self) -> bool:
        forming = self._forming
        if self._executor.takes_turns or (self._queue and self._queue[0].goes_alone):
            return False
        return forming is None or (
            forming.error is None and len(forming.pendings) < self._batch_commands_max
        )

    async def _decide(self) -> None:
        """Decide what is first in the queue, as part of the batch that forms."""
        if self._forming is None:
            ahead = None if self._ahead is None else self._ahead.batch
            self._forming = _Trip(self._executor.begin(ahead))
        forming = self._forming
        room = self._batch_commands_max - len(forming.pendings)
        # In a turn other writers wait until all is decided, so it is done at one stretch.
        at_once = room if self._executor.takes_turns else self._decided_at_once
        size = min(len(self._queue), at_once, room)
        if self._queue[0].goes_alone:
            size = 0 if forming.pendings else 1
        taken = [self._queue.popleft() for _ in range(size)]
        forming.pendings += taken
        self._drained.set()
        envelopes = [pending.envelope for pending in taken]
        wanted = self._executor.gather(forming.batch, envelopes)
        try:
            if wanted:
                await self._meanwhile_answer(self._executor.load(forming.batch, wanted))
        except Exception as error:  # noqa: BLE001 - it is told or tried in its turn, with the batch
            forming.error = error
        else:
            self._executor.decide(forming.batch, envelopes)

    async def _meanwhile_answer(self, loading: Coroutine[Any, Any, None]) -> None:
        """Wait for what is loaded. Who waits for the batch ahead does not wait for that too."""
        ahead = self._ahead
        if ahead is None or ahead.commit is None:
            await loading
            return
        task = asyncio.ensure_future(loading)
        try:
            await asyncio.wait((task, ahead.commit), return_when=asyncio.FIRST_COMPLETED)
            if ahead.is_committed:
                self._answer(ahead)
            await task
        finally:
            await end(task)

    async def _hand_over(self) -> None:
        """Send the batch that has formed, now that the one ahead is committed; then answer that
        one.
        """
        committed, self._ahead = self._ahead, None
        try:
            if committed is not None:
                self._look_back(committed)
                if self._forming is None:  # then the callers' next commands may come along
                    self._answer(committed)
                    await self._let_grow(len(committed.pendings))
            if self._executor.takes_turns and self._queue and self._forming is None:
                await self._take_turn()
            else:
                await self._decide_and_send()
        finally:  # whatever ends it: what is recorded is not kept from those who asked for it
            if committed is not None:
                self._answer(committed)
        if committed is not None:
            self._save_snapshots()

    async def _decide_and_send(self) -> None:
        while self._may_decide_more():
            await self._decide()
            if self._may_decide_more() and not self._executor.takes_turns:
                await asyncio.sleep(0)  # deciding waits for nothing where every stream is at hand
        if self._forming is not None:
            self._send(self._forming)
            await asyncio.sleep(0)  # it is on its way before anybody is answered

    async def _take_turn(self) -> None:
        """Load, decide and commit a batch while nobody else can append: no race is lost. The one ahead has been
        answered, and there is none behind.
        """
        async with self._executor.alone():
            self._counts.turns += 1
            await self._decide_and_send()
            if self._ahead is not None and self._ahead.commit is not None:
                try:
                    await asyncio.wait((self._ahead.commit,))
                finally:
                    await end(self._ahead.commit)

    def _may_decide_more(self) -> bool:
        forming = self._forming
        if not self._queue or forming is None:
            return bool(self._queue)
        is_full = len(forming.pendings) >= self._batch_commands_max
        goes_alone = forming.pendings[-1].goes_alone or self._queue[0].goes_alone
        return not (is_full or goes_alone or forming.error)

    async def _let_grow(self, last_size: int) -> None:
        """Under load, give the callers of the last batch the time to send their next commands."""
        if last_size > 1:
            await asyncio.sleep(0)
            if len(self._queue) < last_size // 2:
                await asyncio.sleep(self._batch_wait_seconds_max)

    def _send(self, trip: _Trip) -> None:
        self._counts.batches += 1
        self._counts.batch_commands_last = len(trip.pendings)
        trip.commit = asyncio.create_task(self._commit(trip))
        trip.commit.add_done_callback(lambda _: self._woken.set())
        self._forming, self._ahead = None, trip

    async def _commit(self, trip: _Trip) -> list[Settled]:
        if trip.error is not None:
            raise trip.error
        return await self._executor.commit(trip.batch)

    def _look_back(self, committed: _Trip) -> None:
        """Queue again what the committed batch did not settle, and in front of nothing that came
        before: with it goes what was decided on assumptions that did not come true.
        """
        self._judge(committed)
        forming = self._forming
        if (
            forming is not None
            and forming.error is None
            and not (
                committed.is_sound and self._executor.was_right(forming.batch, committed.batch)
            )
        ):
            self._counts.decided_in_vain += len(forming.pendings)
            self._queue.extendleft(reversed(forming.pendings))
            self._forming = None
        self._queue.extendleft(reversed(committed.again))

    def _judge(self, trip: _Trip) -> None:
        """Say of each command what to answer, or that it is to be tried again."""
        if trip.is_judged or trip.commit is None:
            return
        trip.is_judged = True
        pendings = trip.pendings
        try:
            settled = trip.commit.result()
        except StoreUnavailable as error:
            self._counts.unavailable += len(pendings)
            settled = [Failed(error)] * len(pendings)
        except Exception as error:  # noqa: BLE001 - the edge of the loop
            # The store refused the batch as a whole. Alone, each command fails or succeeds for
            # itself.
            if len(pendings) > 1:
                _log.warning("a batch of %d is executed one by one: %s", len(pendings), error)
                for pending in pendings:
                    pending.goes_alone = True
                trip.again = pendings
                return
            command_id = pendings[0].envelope.command_id
            _log.error("command %s could not be recorded", command_id, exc_info=error)
            settled = [Failed(error)]
        else:
            trip.is_sound = True
        for pending, outcome in zip(pendings, settled, strict=True):
            if type(outcome) is Again:
                pending.tries += 1
                if pending.tries < TRIES_MAX:
                    trip.again.append(pending)
                    continue
                outcome = Contended(outcome.streams)
            assert not isinstance(outcome, Again)
            trip.outcomes.append((pending, outcome))
        self._counts.tried_again += len(trip.again)

    def _answer(self, trip: _Trip) -> None:
        """Give the callers their outcomes. What is tried again has none yet."""
        self._judge(trip)
        outcomes, trip.outcomes = trip.outcomes, []
        counts = self._counts
        counts.commands += len(outcomes)
        for pending, outcome in outcomes:
            match outcome:
                case Done():
                    counts.replayed += outcome.replayed
                    counts.recorded += not outcome.replayed
                case Rejection():
                    counts.rejected += 1
                case Failed():
                    counts.failed += 1
                case Contended():
                    counts.contended += 1
                case _:
                    assert_never(outcome)
            pending.resolve(outcome)

    def _save_snapshots(self) -> None:
        """Beside the next batches: nobody waits for it. One at a time."""
        if self._executor.has_snapshots_due and (self._saving is None or self._saving.done()):
            self._saving = asyncio.create_task(self._executor.save_snapshots())

    async def _abandon(self) -> None:
        """Tell everybody who still waits. What was sent may be recorded all the same."""
        if self._saving is not None:
            await end(self._saving)
        for trip in (self._forming, self._ahead):
            if trip is not None:
                self._queue.extendleft(reversed(trip.pendings))
                if trip.commit is not None:
                    await end(trip.commit)
        self.refuse_rest()

    def refuse_rest(self) -> None:
        """Tell everybody whose command is still queued that nothing will come of it here."""
        while self._queue:
            self._queue.popleft().resolve(Failed(StoreUnavailable("the writer ended")))
