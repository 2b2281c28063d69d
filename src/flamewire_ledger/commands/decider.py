"""Decider and Envelope: what a command brings along so that a batch can decide it without knowing
what it is.

A decider folds one kind of stream. An envelope names the streams a command looks at, and decides
over their states at once; so a payment and the locks it uses are one command, recorded whole or not
at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from flamewire_ledger.domain.rejection import Rejection


@dataclass(frozen=True, slots=True)
class Decider:
    """How the streams of one aggregate fold. `format` names the shape of `state_type`: change both
    together.
    """

    name: str
    evolve: Callable[[Any, Any], Any]  # (state | None, event) -> state
    state_type: Any
    format: str


@dataclass(slots=True)  # not frozen, as the envelope that it is part of
class Subject:
    """A stream the command decides on, and how to fold it.

    `is_new`: its id was made for this command, so that nobody looks for it before the append, which
    finds out if there is one all the same.
    """

    stream_id: str
    decider: Decider
    is_new: bool = False


# What a decision records: events for each stream, in the order of the streams' first mention.
Facts = Mapping[str, Sequence[Any]]


@dataclass(slots=True)  # not frozen: one is made for each command, and in a third of the time
class Envelope:
    """One command, ready to be decided.

    `decide` takes the subjects' states (None: no such stream) by stream id and returns events by
    stream id, or raises a Rejection. It may be called more than once, on newer states, and must do
    nothing but decide. `answer` makes the stored answer from the states after the decision; the
    writer keeps it with the command id.
    """

    command_id: UUID
    fingerprint: bytes
    merchant_id: str
    actor: str  # key:…, process:…, watcher:…, cli
    subjects: tuple[Subject, ...]
    decide: Callable[[Mapping[str, Any]], Facts]
    answer: Callable[[Mapping[str, Any]], bytes] | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    # A decision without events: keep the command id with its answer all the same (requests), or
    # nothing (repeats).
    remember_nothing_new: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Done:
    """It is recorded, now or before. `position` is that of its last event."""

    position: int
    answer: bytes | None
    replayed: bool


@dataclass(frozen=True, slots=True)
class Contended:
    """Other writers kept getting there first, a bounded number of times. Nothing was recorded: send
    it again.
    """

    streams: tuple[str, ...]


Outcome = Done | Rejection | Contended


@dataclass(frozen=True, slots=True)
class Failed:
    """Deciding it raised something that is no Rejection: a fault of ours, logged. Nothing was
    recorded.
    """

    error: Exception
