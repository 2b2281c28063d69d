"""What a process is: a pure function from a fact, and what came before it, to the commands that
follow.

A process never writes. It names commands; the reactor sends them under ids made of the fact that
caused them, so that a process which sees its events a second time says the same things again and
nothing happens twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from flamewire_ledger.processes.envelopes import ProcessCommand
from flamewire_ledger.store.event_store import RecordedEvent

ROUNDS_MAX: Final = 3  # of asking for history; what is found may name one more stream


@dataclass(frozen=True, slots=True)
class Fact:
    """An event as it was recorded, and as what it means."""

    event: Any
    recorded: RecordedEvent


# Streams by id, each from its first event on. A stream may hold events behind the fact at hand.
Past = Mapping[str, Sequence[Fact]]


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A command that follows. `name` tells it from the others that follow from the same fact, for
    ever.
    """

    name: str
    command: ProcessCommand
    merchant_id: str | None = None  # whose it is, where that is not the fact's merchant


class Process(Protocol):
    """Both methods are pure. `react` is called when nothing that `asks` names is missing any
    more.
    """

    @property
    def name(self) -> str:
        """Its checkpoints and dead letters go by this name."""

    @property
    def reads(self) -> frozenset[str]:
        """The event types it wants to see."""

    def asks(self, fact: Fact, past: Past) -> frozenset[str]:
        """The streams it has to know before it can react, as far as `past` tells."""

    def react(self, fact: Fact, past: Past) -> Sequence[FollowUp]: ...


def until(fact: Fact, past: Past) -> Sequence[Fact]:
    """The fact's own stream up to and with it: a fact is judged by what was true then, whenever it
    is read.
    """
    return [
        it for it in past[fact.recorded.stream_id] if it.recorded.version <= fact.recorded.version
    ]
