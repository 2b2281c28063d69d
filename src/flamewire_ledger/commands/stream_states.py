"""The states that batches are decided on: as the batch in flight will leave them, as they were kept,
as they are loaded, or as none where a stream is said to be new; and what is kept of them, and saved
as snapshots, when a batch is recorded.

What a newcomer would get wrong: only a state that was loaded for this very batch is known to be as
recorded. A kept one may be behind, and one of the batch in flight may never come true.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from flamewire_ledger.commands.decider import Decider, Envelope
from flamewire_ledger.commands.folded_streams import Folded, FoldedStreams
from flamewire_ledger.commands.patience import PatientStore
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import StateSnapshot

_log = logging.getLogger(__name__)
# For so many batches behind one that found the head moved by others, kept streams are brought up to
# date before they are decided on: one load costs less than one append in vain. For so many behind a
# conflict, or one that found a kept stream moved since, nothing is decided ahead either: others are at the same
# streams, and each batch is loaded, decided and appended in a turn of its own.
_BATCHES_WARY: Final = 16
_BATCHES_CONTENDED: Final = 8
_NO_STREAM: Final = Folded(0, None)


@dataclass(slots=True)
class States:
    """What one batch knows of the streams its commands mention."""

    times_away: int  # of the store, when the batch began
    ahead: States | None = None  # of the batch in flight, as long as its outcome is not known
    folded: dict[str, Folded] = field(default_factory=dict)  # as the batch leaves them, so far
    deciders: dict[str, Decider] = field(default_factory=dict)  # of all that are mentioned
    started_from: dict[str, int] = field(default_factory=dict)  # versions of the snapshots loaded
    unreadable: dict[str, Exception] = field(default_factory=dict)
    current: set[str] = field(default_factory=set)  # known to be as recorded
    spoilt: set[str] = field(default_factory=set)  # that did not go the way we assumed


class StreamStates:
    """The states of one partition's streams, from one batch to the next."""

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
        self._head: int | None = None
        self._wary = 0  # for so many batches still
        self._contended = 0

    def begin(self, ahead: States | None) -> States:
        self._forget_if_away()
        return States(self._store.times_away, ahead)

    def gather(self, states: States, envelopes: Iterable[Envelope]) -> dict[str, Folded | None]:
        """Take what is at hand for these commands; the rest is to be loaded, from where it was
        kept.
        """
        wanted: dict[str, Folded | None] = {}
        folded, deciders, kept = states.folded, states.deciders, self._kept
        assumed = states.ahead.folded if states.ahead is not None else {}
        for envelope in envelopes:
            for subject in envelope.subjects:
                stream_id = subject.stream_id
                if stream_id in deciders:
                    continue
                deciders[stream_id] = subject.decider
                if stream_id in assumed:
                    folded[stream_id] = assumed[stream_id]
                    continue
                known = kept.get(stream_id)
                if known is None and subject.is_new:
                    folded[stream_id] = _NO_STREAM
                elif known is None or self._wary or self._contended or kept.is_behind(stream_id):
                    wanted[stream_id] = known
                else:
                    folded[stream_id] = known
        return wanted

    async def load(self, states: States, wanted: Mapping[str, Folded | None]) -> None:
        """Load what `gather` did not have. Raises StoreUnavailable."""
        cold = [stream_id for stream_id, known in wanted.items() if known is None]
        snapshots = await self._store.snapshots(self._partition, cold) if cold else {}
        start = {
            stream_id: known or self._unpack(snapshots.get(stream_id), states.deciders[stream_id])
            for stream_id, known in wanted.items()
        }
        states.started_from |= {stream_id: start[stream_id].version for stream_id in cold}
        behind = {stream_id: folded.version for stream_id, folded in start.items()}
        history = await self._store.load(self._partition, behind)
        if self._contended and any(history.get(name) for name, known in wanted.items() if known):
            self._contended = _BATCHES_CONTENDED
        for stream_id, (version, state) in start.items():
            evolve = states.deciders[stream_id].evolve
            try:
                for recorded in history.get(stream_id, ()):
                    state = evolve(state, self._codec.decode(recorded))
                    version = recorded.version
            except Exception as error:  # noqa: BLE001 - must not stop the others
                _log.error("stream %s cannot be folded", stream_id, exc_info=error)
                states.unreadable[stream_id] = error
                continue
            states.folded[stream_id] = Folded(version, state)
            states.current.add(stream_id)

    def has_been_away(self, states: States) -> bool:
        """Whether the store was away since this batch began: then it may be another server now."""
        return self._store.times_away != states.times_away

    @property
    def is_contended(self) -> bool:
        """Whether other writers were at the same streams lately: then batches take turns with theirs."""
        return self._contended > 0

    def saw(self, before: int | None, after: int, *, conflict: bool) -> None:
        """An append has moved the head from `before` (None: it has not) to `after`, or found a
        conflict: that tells whether others write.
        """
        if conflict or (before is not None and self._head not in (None, before)):
            self._wary = _BATCHES_WARY
        elif self._wary:
            self._wary -= 1
        if conflict:
            self._contended = _BATCHES_CONTENDED
        if before is not None:
            self._head = after

    def keep(self, states: States) -> None:
        """Keep what a batch has left behind, now that it is recorded."""
        if self._contended:
            self._contended -= 1
        self._forget_if_away()
        if self.has_been_away(states):
            return
        every = self._snapshot_every_events
        spoilt, kept = states.spoilt, self._kept
        for stream_id, folded in states.folded.items():
            if stream_id in spoilt:
                kept.doubt(stream_id)
                continue
            before = kept.get(stream_id)
            since = states.started_from.get(stream_id, 0) if before is None else before.version
            kept.put(stream_id, folded)
            if folded.version // every > since // every:
                self._snapshots_due += self._snapshot(stream_id, folded, states)

    @property
    def has_snapshots_due(self) -> bool:
        return bool(self._snapshots_due)

    async def save_snapshots(self) -> None:
        """Save what the last batches made due. Nobody waits for it, and nothing depends on it."""
        due, self._snapshots_due = self._snapshots_due, []
        if not due:
            return
        try:
            await self._store.save_snapshots(self._partition, due)
        except Exception as error:  # noqa: BLE001 - whatever it is, the writer goes on without
            _log.warning("%d snapshots were not saved: %s", len(due), error)

    def _forget_if_away(self) -> None:
        if self._times_away != self._store.times_away:
            self._times_away = self._store.times_away
            self._kept.clear()

    def _unpack(self, snapshot: StateSnapshot | None, decider: Decider) -> Folded:
        if snapshot is None or snapshot.format != decider.format:
            return _NO_STREAM
        try:
            state = self._codec.decode_state(snapshot.state, decider.state_type)
        except msgspec.MsgspecError as error:
            _log.warning("snapshot of %s is of no use: %s", snapshot.stream_id, error)
            return _NO_STREAM
        return Folded(snapshot.version, state)

    def _snapshot(self, stream_id: str, folded: Folded, states: States) -> list[StateSnapshot]:
        try:
            state = self._codec.encode_state(folded.state)
        except Exception as error:  # noqa: BLE001 - its events are recorded: nothing may fail now
            # MessagePack has no whole numbers beyond 64 bits, for one.
            _log.warning("the state of %s has no snapshot: %s", stream_id, error)
            return []
        decider = states.deciders[stream_id]
        return [StateSnapshot(stream_id, folded.version, decider.format, state)]
