"""The EventStore Protocol, and what passes through it. Postgres and memory keep the same contract.

A partition is a shard of merchants with its own gapless positions 1…n, in commit order: a reader
that has seen position n has seen everything up to n. A stream lives in one partition and has
versions 1…m.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol, TypeAlias
from uuid import UUID
from zlib import crc32

# Three of what follows are tuples rather than dataclasses: every event makes one of each, and a frozen
# dataclass takes three times as long to make.


class NewEvent(NamedTuple):
    """An event on its way in: its stable type name, and its JSON."""

    type: str
    data: bytes


class StreamAppend(NamedTuple):
    """Events for one stream, if it is at this version (0: there is none yet).

    No events at all is allowed: then the version is checked, and nothing else.
    """

    stream_id: str
    expected_version: int
    events: Sequence[NewEvent]


@dataclass(frozen=True, slots=True)
class Append:
    """One command's outcome: all of it is recorded, or nothing.

    `fingerprint` is what makes the same command id mean the same content. `answer` is stored beside
    the id and given back, byte for byte, when the command comes again. No streams at all is
    allowed: only the id and its answer are kept.
    """

    command_id: UUID
    fingerprint: bytes
    merchant_id: str
    metadata: bytes  # JSON: actor, causation_id, correlation_id
    streams: Sequence[StreamAppend]  # each stream once
    answer: bytes | None = None

    def __post_init__(self) -> None:
        if len(self.streams) > 1 and len({s.stream_id for s in self.streams}) < len(self.streams):
            raise ValueError("an append names each stream once")


@dataclass(frozen=True, slots=True)
class RecordedCommand:
    """What is known of a command id."""

    fingerprint: bytes
    position: int  # of its last event; the head at the time when it had none
    answer: bytes | None


class Appended(NamedTuple):
    position: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The id was there already. Nothing was recorded now."""

    recorded: RecordedCommand


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another writer moved one of the streams first. Nothing was recorded; decide again."""

    streams: tuple[str, ...]


Verdict: TypeAlias = Appended | Duplicate | Conflict


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """The envelope. `data` is the JSON as it was appended, to the byte."""

    position: int
    partition: int
    stream_id: str
    version: int
    type: str
    data: bytes
    merchant_id: str
    command_id: UUID
    metadata: bytes
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class StateSnapshot:
    """A folded state, so that a long stream is not folded from its start. Never an authority."""

    stream_id: str
    version: int
    format: str  # changes when the state's shape does; another format is as good as none
    state: bytes


class Turn(Protocol):
    """A partition while nobody else can append to it. What is loaded here is as recorded until the append, which is
    the last thing asked: with it, or with the first error, the turn is over. Expected versions are checked as ever.
    """

    async def load(
        self, partition: int, after_versions: Mapping[str, int]
    ) -> Mapping[str, Sequence[RecordedEvent]]: ...

    async def snapshots(
        self, partition: int, stream_ids: Sequence[str]
    ) -> Mapping[str, StateSnapshot]: ...

    async def append(self, partition: int, appends: Sequence[Append]) -> Sequence[Verdict]: ...


class EventStore(Protocol):
    """Where events are. Every method may raise StoreUnavailable."""

    @property
    def partitions(self) -> int:
        """How many there are; fixed when the database was made."""

    @property
    def servers_met(self) -> int:
        """How many servers have answered so far, one after the other, before the answer at hand is
        given. More than a while ago: what was seen then may not be recorded here.
        """

    async def append(self, partition: int, appends: Sequence[Append]) -> Sequence[Verdict]:
        """Record each append or say why not, in the order given: one transaction, one round trip.

        Appends of one batch may continue each other's streams. One that is not recorded takes those
        behind it that share a stream with it along, as conflicts; the others are untouched. When
        this returns, it is durable.
        """

    def alone(self, partition: int) -> AbstractAsyncContextManager[Turn]:
        """Wait for a turn at a partition: in the order of asking, and not for ever. Others read meanwhile.

        Hold it for one batch: whoever keeps it waiting loses it.
        """

    async def load(
        self, partition: int, after_versions: Mapping[str, int]
    ) -> Mapping[str, Sequence[RecordedEvent]]:
        """The events of each stream behind the version given, oldest first; [] where none is."""

    async def snapshots(
        self, partition: int, stream_ids: Sequence[str]
    ) -> Mapping[str, StateSnapshot]: ...

    async def save_snapshots(self, partition: int, snapshots: Sequence[StateSnapshot]) -> None: ...

    async def find_commands(
        self, partition: int, command_ids: Sequence[UUID]
    ) -> Mapping[UUID, RecordedCommand]: ...

    async def read(
        self, partition: int, after: int, limit: int, *, until: int | None = None
    ) -> Sequence[RecordedEvent]:
        """At most `limit` events behind position `after`, in order, none past `until`."""

    async def read_stream(
        self, partition: int, stream_id: str, *, after_version: int = 0, limit: int = 10_000
    ) -> Sequence[RecordedEvent]: ...

    async def head(self, partition: int) -> int:
        """The last position; 0 in an empty partition."""

    async def position_at(self, partition: int, at: datetime) -> int:
        """The last position recorded at or before a time; 0 when there is none."""

    async def wait_beyond(self, partition: int, position: int, timeout_seconds: float) -> None:
        """Come back when there may be more behind `position`, or after a while: only a bell."""


class StoreUnavailable(Exception):
    """The database did not answer. What was sent may or may not be recorded.

    Send it again with the same command ids: what was recorded then is a Duplicate now.
    """


def is_of_type(name: str, wanted: str | None) -> bool:
    """Whether an event is of the wanted type: `payment.succeeded.v1`, or `payment.succeeded` in any
    version; None wants every type.
    """
    return wanted in (None, name, name.rpartition(".v")[0])


def partition_of(merchant_id: str, partitions: int) -> int:
    """The shard a merchant lives in, so that all that must be atomic for it is in one place."""
    return crc32(merchant_id.encode()) % partitions
