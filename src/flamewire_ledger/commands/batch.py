"""Many commands, one append: the throughput of the ledger.

One insert of 500 events costs little more than one insert of one, so commands that arrive together
are decided together and recorded in one transaction. Order within a stream is the order of arrival,
and each command decides on the state the one before it left. While a batch is being recorded, the
next one is decided on the states it is assumed to leave.

What a newcomer would get wrong: an answer is only as good as the state it was decided on. A refusal
is answered when that state has turned out to be the recorded one, and when the command is not the
repeat of one that was recorded; and a batch whose assumptions did not come true is never committed
(`was_right`): its commands are decided again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from flamewire_ledger.commands.decider import Done, Envelope, Facts, Failed, Outcome
from flamewire_ledger.commands.folded_streams import Folded
from flamewire_ledger.commands.patience import PatientStore
from flamewire_ledger.commands.stream_states import States, StreamStates
from flamewire_ledger.domain.rejection import IdempotencyKeyReused, Rejection
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import (
    Append,
    Appended,
    Conflict,
    Duplicate,
    NewEvent,
    RecordedCommand,
    StreamAppend,
)

_log = logging.getLogger(__name__)
_NO_EVENTS: tuple[NewEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Again:
    """Nothing is known against the command, but the state it was decided on is not the recorded
    one.
    """

    streams: tuple[str, ...]


Settled: TypeAlias = Outcome | Failed | Again


@dataclass(slots=True)
class Batch:
    """Commands on their way together: decided, then committed. Numbers are places in `envelopes`."""

    states: States
    envelopes: list[Envelope] = field(default_factory=list)
    settled: list[Settled | None] = field(default_factory=list)
    firsts: dict[int, int] = field(default_factory=dict)  # of each command id, as a number
    repeats: list[int] = field(default_factory=list)
    appends: list[Append] = field(default_factory=list)
    appending: list[int] = field(default_factory=list)  # which command each append is of
    refused: dict[int, Rejection | bytes | None] = field(default_factory=dict)
    broken: dict[int, Exception] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.envelopes)

    @property
    def unsettled(self) -> set[str]:
        """The streams that did not go the way it assumed, or have commands to be tried again."""
        found = set(self.states.spoilt)
        for envelope, settled in zip(self.envelopes, self.settled, strict=True):
            if type(settled) is Again:
                found.update(subject.stream_id for subject in envelope.subjects)
        return found


class BatchExecutor:
    """Executes the batches of one partition: while one is being committed, the next is decided."""

    def __init__(
        self,
        store: PatientStore,
        codec: Codec,
        partition: int,
        *,
        streams_kept_max: int,
        snapshot_every_events: int,
    ) -> None:
        self._store = store
        self._codec = codec
        self._partition = partition
        self._states = StreamStates(
            store,
            codec,
            partition,
            streams_kept_max=streams_kept_max,
            snapshot_every_events=snapshot_every_events,
        )

    @property
    def takes_turns(self) -> bool:
        """Whether other writers are at the same streams: then nothing is decided ahead, and each batch `alone`."""
        return self._states.is_contended

    def alone(self) -> AbstractAsyncContextManager[None]:
        """Within this, nobody else appends to the partition until a batch is committed. Waits its turn."""
        return self._store.alone(self._partition)

    async def execute(self, envelopes: Sequence[Envelope]) -> list[Settled]:
        """Decide every command and append what follows in one transaction. Outcomes are in the
        order given.

        A refused command leaves the others untouched. Raises StoreUnavailable when the store stayed
        away.
        """
        batch = self.begin()
        wanted = self.gather(batch, envelopes)
        if wanted:
            await self.load(batch, wanted)
        self.decide(batch, envelopes)
        return await self.commit(batch)

    def begin(self, ahead: Batch | None = None) -> Batch:
        """An empty batch, to be decided on the states that the one `ahead` is assumed to leave."""
        return Batch(self._states.begin(None if ahead is None else ahead.states))

    def gather(self, batch: Batch, envelopes: Sequence[Envelope]) -> Mapping[str, Folded | None]:
        """What has to be loaded before these commands can be decided."""
        return self._states.gather(batch.states, envelopes)

    async def load(self, batch: Batch, wanted: Mapping[str, Folded | None]) -> None:
        """Load it. Raises StoreUnavailable when the store stayed away."""
        await self._states.load(batch.states, wanted)

    def decide(self, batch: Batch, envelopes: Sequence[Envelope]) -> None:
        """Decide commands behind those the batch has. Their streams have been gathered."""
        firsts = batch.firsts
        for index, envelope in enumerate(envelopes, len(batch.envelopes)):
            batch.envelopes.append(envelope)
            batch.settled.append(None)
            if firsts.setdefault(envelope.command_id.int, index) == index:
                self._decide(index, envelope, batch)
            else:
                batch.repeats.append(index)

    def was_right(self, batch: Batch, ahead: Batch) -> bool:
        """Whether all that was assumed of the batch ahead has come true, now that it is committed.

        If so the two are independent from here on; if not, this batch must not be committed.
        """
        batch.states.ahead = None
        batch.states.current.clear()  # what was loaded so early may have moved meanwhile
        if self._states.has_been_away(ahead.states) or self._states.has_been_away(batch.states):
            return False
        return ahead.unsettled.isdisjoint(batch.states.deciders)

    async def commit(self, batch: Batch) -> list[Settled]:
        """Append what was decided, in one transaction, and say what became of each command.

        The batch ahead has been committed before. Raises StoreUnavailable when the store stayed
        away.
        """
        await self._append(batch)
        await self._answer_unrecorded(batch)
        self._states.keep(batch.states)
        for index in batch.repeats:
            envelope = batch.envelopes[index]
            first = batch.firsts[envelope.command_id.int]
            same = envelope.fingerprint == batch.envelopes[first].fingerprint
            batch.settled[index] = _repeated(batch.settled[first], envelope, same)
        return [settled for settled in batch.settled if settled is not None]

    @property
    def has_snapshots_due(self) -> bool:
        return self._states.has_snapshots_due

    async def save_snapshots(self) -> None:
        """Save what the last batches made due. Nobody waits for it, and nothing depends on it."""
        await self._states.save_snapshots()

    def _decide(self, index: int, envelope: Envelope, batch: Batch) -> None:
        folded, unreadable = batch.states.folded, batch.states.unreadable
        try:
            if unreadable:
                for subject in envelope.subjects:
                    if subject.stream_id in unreadable:
                        raise unreadable[subject.stream_id]
            states = {s.stream_id: folded[s.stream_id].state for s in envelope.subjects}
            facts = envelope.decide(states)
            if envelope.remember_nothing_new or any(facts.values()):
                self._record(index, envelope, facts, batch)
            else:
                batch.refused[index] = envelope.answer(states) if envelope.answer else None
        except Rejection as rejection:
            batch.refused[index] = rejection
        except Exception as error:  # noqa: BLE001 - one broken command must not stop the others
            _log.error("command %s failed to be decided", envelope.command_id, exc_info=error)
            batch.broken[index] = error

    def _record(self, index: int, envelope: Envelope, facts: Facts, batch: Batch) -> None:
        """Put a decision into the append and carry the states forward; all of it, or nothing when
        it raises.
        """
        folded, deciders, encode = batch.states.folded, batch.states.deciders, self._codec.encode
        after: dict[str, Folded] = {}
        streams: list[StreamAppend] = []
        for stream_id, events in facts.items():
            version, state = folded[stream_id]
            evolve = deciders[stream_id].evolve
            for event in events:
                state = evolve(state, event)
            after[stream_id] = Folded(version + len(events), state)
            streams.append(StreamAppend(stream_id, version, [encode(event) for event in events]))
        for subject in envelope.subjects:
            # A stream that was only looked at is appended to with nothing: its version is checked
            # all the same.
            if subject.stream_id not in after:
                seen = after[subject.stream_id] = folded[subject.stream_id]
                streams.append(StreamAppend(subject.stream_id, seen.version, _NO_EVENTS))
        answer = None
        if envelope.answer is not None:
            answer = envelope.answer({stream_id: f.state for stream_id, f in after.items()})
        folded.update(after)
        batch.appending.append(index)
        batch.appends.append(
            Append(
                envelope.command_id,
                envelope.fingerprint,
                envelope.merchant_id,
                _metadata(envelope),
                streams,
                answer,
            )
        )

    async def _append(self, batch: Batch) -> None:
        if not batch.appends:
            await self._store.end_turn(self._partition)
            return
        states, settled = batch.states, batch.settled
        verdicts, sent_again = await self._store.append(self._partition, batch.appends)
        before: int | None = None
        position = 0
        conflict = False
        for index, append, verdict in zip(batch.appending, batch.appends, verdicts, strict=True):
            match verdict:
                case Appended(position):
                    if before is None:
                        before = position - sum(len(s.events) for s in append.streams)
                    settled[index] = Done(position, append.answer, replayed=False)
                    states.current.update([stream.stream_id for stream in append.streams])
                    continue
                case Duplicate(recorded):
                    known = _as_recorded(recorded, batch.envelopes[index])
                    # After a lost connection, a duplicate may be our own first attempt: that is no
                    # replay.
                    if sent_again and isinstance(known, Done) and known.answer == append.answer:
                        known = Done(known.position, known.answer, replayed=False)
                    settled[index] = known
                case Conflict(streams):
                    conflict = True
                    settled[index] = _again(batch.envelopes[index], streams)
            states.spoilt.update([stream.stream_id for stream in append.streams])
        self._states.saw(before, position, conflict=conflict)

    async def _answer_unrecorded(self, batch: Batch) -> None:
        """Answer what was refused, had nothing new to say, or met a fault, once the state behind that is
        known to be so: a fault is one of ours only if it was met on the recorded state.
        """
        left = batch.refused.keys() | batch.broken.keys()
        if not left:
            return
        states, envelopes = batch.states, batch.envelopes
        unsure = {
            subject.stream_id: states.folded[subject.stream_id].version
            for index in left
            for subject in envelopes[index].subjects
            if subject.stream_id not in states.current | states.spoilt | states.unreadable.keys()
        }
        if unsure:
            moved = await self._store.load(self._partition, unsure)
            states.spoilt.update(stream_id for stream_id, events in moved.items() if events)
        ids = [envelopes[index].command_id for index in left]
        known = await self._store.find_commands(self._partition, ids)
        if self._states.has_been_away(states):
            states.spoilt.update(unsure)  # kept since before it was away, and so known to nobody
        head: int | None = None
        for index in sorted(left):
            envelope = envelopes[index]
            recorded = known.get(envelope.command_id)
            spoilt = _spoilt(batch, index)
            refusal = batch.refused.get(index)
            if recorded is not None:
                batch.settled[index] = _as_recorded(recorded, envelope)
            elif spoilt:
                batch.settled[index] = _again(envelope, spoilt)
            elif index in batch.broken:
                batch.settled[index] = Failed(batch.broken[index])
            elif isinstance(refusal, Rejection):
                batch.settled[index] = refusal
            else:
                if head is None:
                    head = await self._store.head(self._partition)
                batch.settled[index] = Done(head, refusal, replayed=False)


def _again(envelope: Envelope, streams: tuple[str, ...]) -> Again:
    """It is tried again, and then whatever it looks at is looked for."""
    for subject in envelope.subjects:
        subject.is_new = False
    return Again(streams)


def _spoilt(batch: Batch, index: int) -> tuple[str, ...]:
    """The streams of a command that did not go the way we assumed."""
    subjects = batch.envelopes[index].subjects
    return tuple(s.stream_id for s in subjects if s.stream_id in batch.states.spoilt)


def _repeated(first: Settled | None, envelope: Envelope, same_content: bool) -> Settled:
    """What becomes of a command whose id came earlier in the same batch."""
    assert first is not None, "a repeat comes behind its first"
    match first:
        case Done(position, answer) if same_content:
            return Done(position, answer, replayed=True)
        case Done():
            return _key_reused()
        case _ if same_content:
            return first
        case _:  # the first left no trace, so this one is decided on its own
            return _again(envelope, tuple(subject.stream_id for subject in envelope.subjects))


def _as_recorded(recorded: RecordedCommand, envelope: Envelope) -> Done | Rejection:
    if recorded.fingerprint != envelope.fingerprint:
        return _key_reused()
    return Done(recorded.position, recorded.answer, replayed=True)


def _key_reused() -> IdempotencyKeyReused:
    return IdempotencyKeyReused("this idempotency key was used with other content; use a new key")


def _metadata(envelope: Envelope) -> bytes:
    return msgspec.json.encode(
        {
            "actor": envelope.actor,
            "causation_id": envelope.causation_id,
            "correlation_id": envelope.correlation_id,
        }
    )
