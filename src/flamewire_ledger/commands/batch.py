"""Many commands, one append: the throughput of the ledger.

One insert of 500 events costs little more than one insert of one, so commands that arrive together
are decided together and recorded in one transaction. Order within a stream is the order of arrival,
and each command decides on the state the one before it left. What a newcomer would get wrong: a
refusal is only as good as the state it was decided on. It is answered when that state has turned
out to be the recorded one, and when the command is not the repeat of one that was recorded.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

import msgspec

from flamewire_ledger.commands.decider import Decider, Done, Envelope, Facts, Failed, Outcome
from flamewire_ledger.commands.folded_streams import Folded, FoldedStreams
from flamewire_ledger.commands.patience import PatientStore
from flamewire_ledger.domain.rejection import IdempotencyKeyReused, Rejection
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import (
    Append,
    Appended,
    Conflict,
    Duplicate,
    RecordedCommand,
    StateSnapshot,
    StreamAppend,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Again:
    """Nothing is known against the command, but the state it was decided on is not the recorded
    one.
    """

    streams: tuple[str, ...]


Settled: TypeAlias = Outcome | Failed | Again


@dataclass(slots=True)
class _Work:
    """One batch on its way."""

    folded: dict[str, Folded] = field(default_factory=dict)  # as the batch leaves them, so far
    snapshots: dict[str, int] = field(default_factory=dict)  # versions of those it started from
    unreadable: dict[str, Exception] = field(default_factory=dict)
    current: set[str] = field(default_factory=set)  # known to be as recorded, not merely as kept
    deciders: dict[str, Decider] = field(default_factory=dict)
    appends: list[Append] = field(default_factory=list)
    appending: list[int] = field(default_factory=list)  # which command each append is of
    refused: dict[int, Rejection | bytes | None] = field(default_factory=dict)
    spoilt: set[str] = field(default_factory=set)  # streams that did not go the way we assumed
    settled: dict[int, Settled] = field(default_factory=dict)


class BatchExecutor:
    """Executes the batches of one partition, one after the other."""

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
        self._kept = FoldedStreams(streams_kept_max)
        self._snapshot_every_events = snapshot_every_events
        self._snapshots_due: list[StateSnapshot] = []
        self._times_away = 0

    async def execute(self, envelopes: Sequence[Envelope]) -> list[Settled]:
        """Decide every command and append what follows in one transaction. Outcomes are in the
        order given.

        A refused command leaves the others untouched. Raises StoreUnavailable when the store stayed
        away.
        """
        work = _Work()
        self._has_been_away()
        firsts = _first_of_each_id(envelopes)
        await self._fetch(envelopes, work)
        for index, envelope in enumerate(envelopes):
            if firsts[envelope.command_id] == index:
                self._decide(index, envelope, work)
        await self._append(envelopes, work)
        await self._answer_refused(envelopes, work)
        if not self._has_been_away():
            self._keep(work)
        for index, envelope in enumerate(envelopes):
            first = firsts[envelope.command_id]
            if first != index:
                same = envelope.fingerprint == envelopes[first].fingerprint
                work.settled[index] = _repeated(work.settled[first], envelope, same)
        return [work.settled[index] for index in range(len(envelopes))]

    async def save_snapshots(self) -> None:
        """Save what the last batches made due. Nobody waits for it, and nothing depends on it."""
        due, self._snapshots_due = self._snapshots_due, []
        if not due:
            return
        try:
            await self._store.save_snapshots(self._partition, due)
        except Exception as error:  # noqa: BLE001 - whatever it is, the writer goes on without
            _log.warning("%d snapshots were not saved: %s", len(due), error)

    def _has_been_away(self) -> bool:
        """Whether the store was away since this was last asked: then nothing is kept."""
        before, self._times_away = self._times_away, self._store.times_away
        if before == self._times_away:
            return False
        self._kept.clear()
        return True

    async def _fetch(self, envelopes: Sequence[Envelope], work: _Work) -> None:
        cold: dict[str, Decider] = {}
        for envelope in envelopes:
            for subject in envelope.subjects:
                stream_id = subject.stream_id
                if stream_id in work.deciders:
                    continue
                work.deciders[stream_id] = subject.decider
                kept = self._kept.get(stream_id)
                if kept is None:
                    cold[stream_id] = subject.decider
                else:
                    work.folded[stream_id] = kept
        if cold:
            await self._load(cold, work)

    async def _load(self, cold: Mapping[str, Decider], work: _Work) -> None:
        snapshots = await self._store.snapshots(self._partition, list(cold))
        start = {
            stream_id: self._unpack(snapshots.get(stream_id), decider)
            for stream_id, decider in cold.items()
        }
        work.snapshots = {stream_id: folded.version for stream_id, folded in start.items()}
        history = await self._store.load(self._partition, work.snapshots)
        for stream_id, decider in cold.items():
            state, version = start[stream_id].state, start[stream_id].version
            try:
                for recorded in history.get(stream_id, ()):
                    state = decider.evolve(state, self._codec.decode(recorded))
                    version = recorded.version
            except Exception as error:  # noqa: BLE001 - must not stop the others
                _log.error("stream %s cannot be folded", stream_id, exc_info=error)
                work.unreadable[stream_id] = error
                continue
            work.folded[stream_id] = Folded(version, state)
            work.current.add(stream_id)

    def _unpack(self, snapshot: StateSnapshot | None, decider: Decider) -> Folded:
        if snapshot is None or snapshot.format != decider.format:
            return Folded(0, None)
        try:
            state = self._codec.decode_state(snapshot.state, decider.state_type)
        except msgspec.MsgspecError as error:
            _log.warning("snapshot of %s is of no use: %s", snapshot.stream_id, error)
            return Folded(0, None)
        return Folded(snapshot.version, state)

    def _decide(self, index: int, envelope: Envelope, work: _Work) -> None:
        try:
            for subject in envelope.subjects:
                if subject.stream_id in work.unreadable:
                    raise work.unreadable[subject.stream_id]
            states = {s.stream_id: work.folded[s.stream_id].state for s in envelope.subjects}
            facts = envelope.decide(states)
            if any(facts.values()) or envelope.remember_nothing_new:
                self._record(index, envelope, facts, work)
            else:
                work.refused[index] = envelope.answer(states) if envelope.answer else None
        except Rejection as rejection:
            work.refused[index] = rejection
        except Exception as error:  # noqa: BLE001 - one broken command must not stop the others
            _log.error("command %s failed to be decided", envelope.command_id, exc_info=error)
            work.settled[index] = Failed(error)

    def _record(self, index: int, envelope: Envelope, facts: Facts, work: _Work) -> None:
        """Put a decision into the append and carry the states forward; all of it, or nothing when
        it raises.
        """
        after: dict[str, Folded] = {}
        streams: list[StreamAppend] = []
        for stream_id in (*facts, *(s.stream_id for s in envelope.subjects)):
            if stream_id in after:
                continue
            before, events = work.folded[stream_id], facts.get(stream_id, ())
            state, evolve = before.state, work.deciders[stream_id].evolve
            for event in events:
                state = evolve(state, event)
            after[stream_id] = Folded(before.version + len(events), state)
            # A stream that was only looked at is appended to with nothing: its version is checked
            # all the same.
            encoded = [self._codec.encode(event) for event in events]
            streams.append(StreamAppend(stream_id, before.version, encoded))
        answer = None
        if envelope.answer is not None:
            answer = envelope.answer({stream_id: f.state for stream_id, f in after.items()})
        work.folded.update(after)
        work.appending.append(index)
        work.appends.append(
            Append(
                command_id=envelope.command_id,
                fingerprint=envelope.fingerprint,
                merchant_id=envelope.merchant_id,
                metadata=_metadata(envelope),
                streams=streams,
                answer=answer,
            )
        )

    async def _append(self, envelopes: Sequence[Envelope], work: _Work) -> None:
        if not work.appends:
            return
        verdicts, sent_again = await self._store.append(self._partition, work.appends)
        for index, append, verdict in zip(work.appending, work.appends, verdicts, strict=True):
            mentioned = [stream.stream_id for stream in append.streams]
            match verdict:
                case Appended(position):
                    work.settled[index] = Done(position, append.answer, replayed=False)
                    work.current.update(mentioned)
                    continue
                case Duplicate(recorded):
                    settled = _as_recorded(recorded, envelopes[index])
                    # After a lost connection, a duplicate may be our own first attempt: that is no
                    # replay.
                    if sent_again and isinstance(settled, Done) and settled.answer == append.answer:
                        settled = Done(settled.position, settled.answer, replayed=False)
                    work.settled[index] = settled
                case Conflict(streams):
                    work.settled[index] = Again(streams)
            work.spoilt.update(mentioned)

    async def _answer_refused(self, envelopes: Sequence[Envelope], work: _Work) -> None:
        """Answer what was refused, or had nothing new to say, once the state behind that is known
        to be so.
        """
        if not work.refused:
            return
        unsure = {
            subject.stream_id: kept.version
            for index in work.refused
            for subject in envelopes[index].subjects
            if subject.stream_id not in work.current | work.spoilt
            and (kept := work.folded.get(subject.stream_id)) is not None
        }
        if unsure:
            moved = await self._store.load(self._partition, unsure)
            work.spoilt.update(stream_id for stream_id, events in moved.items() if events)
        ids = [envelopes[index].command_id for index in work.refused]
        known = await self._store.find_commands(self._partition, ids)
        if self._store.times_away != self._times_away:
            work.spoilt.update(unsure)  # kept since before it was away, and so known to nobody
        head: int | None = None
        for index, refusal in work.refused.items():
            envelope = envelopes[index]
            recorded = known.get(envelope.command_id)
            spoilt = [s.stream_id for s in envelope.subjects if s.stream_id in work.spoilt]
            if recorded is not None:
                work.settled[index] = _as_recorded(recorded, envelope)
            elif spoilt:
                work.settled[index] = Again(tuple(spoilt))
            elif isinstance(refusal, Rejection):
                work.settled[index] = refusal
            else:
                if head is None:
                    head = await self._store.head(self._partition)
                work.settled[index] = Done(head, refusal, replayed=False)

    def _keep(self, work: _Work) -> None:
        every = self._snapshot_every_events
        for stream_id, folded in work.folded.items():
            if stream_id in work.spoilt:
                self._kept.evict(stream_id)
                continue
            before = self._kept.get(stream_id)
            since = work.snapshots.get(stream_id, 0) if before is None else before.version
            self._kept.put(stream_id, folded)
            if folded.version // every > since // every:
                self._snapshots_due += self._snapshot(stream_id, folded, work.deciders[stream_id])

    def _snapshot(self, stream_id: str, folded: Folded, decider: Decider) -> list[StateSnapshot]:
        try:
            state = self._codec.encode_state(folded.state)
        except Exception as error:  # noqa: BLE001 - its events are recorded: nothing may fail now
            # MessagePack has no whole numbers beyond 64 bits, for one.
            _log.warning("the state of %s has no snapshot: %s", stream_id, error)
            return []
        return [StateSnapshot(stream_id, folded.version, decider.format, state)]


def _first_of_each_id(envelopes: Sequence[Envelope]) -> dict[UUID, int]:
    firsts: dict[UUID, int] = {}
    for index, envelope in enumerate(envelopes):
        firsts.setdefault(envelope.command_id, index)
    return firsts


def _repeated(first: Settled, envelope: Envelope, same_content: bool) -> Settled:
    """What becomes of a command whose id came earlier in the same batch."""
    match first:
        case Done(position, answer) if same_content:
            return Done(position, answer, replayed=True)
        case Done():
            return _key_reused()
        case _ if same_content:
            return first
        case _:  # the first left no trace, so this one is decided on its own
            return Again(tuple(subject.stream_id for subject in envelope.subjects))


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
