"""A small aggregate to try the writer with: a purse, filled and emptied, never below zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID, uuid4

from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.domain.rejection import NotAllowed
from flamewire_ledger.store.codec import Codec


@dataclass(frozen=True, slots=True)
class Filled:
    type: ClassVar = "purse.filled.v1"
    coins: int


@dataclass(frozen=True, slots=True)
class Emptied:
    type: ClassVar = "purse.emptied.v1"
    coins: int


@dataclass(frozen=True, slots=True)
class Purse:
    coins: int
    changes: int = 0


def evolve(purse: Purse | None, event: Filled | Emptied) -> Purse:
    before = purse or Purse(0)
    coins = event.coins if isinstance(event, Filled) else -event.coins
    return Purse(before.coins + coins, before.changes + 1)


PURSE = Decider("purse", evolve, Purse, "1")
CODEC = Codec([Filled, Emptied], {})


def _envelope(
    subjects: tuple[str, ...],
    decide: Callable[[Mapping[str, Any]], Facts],
    command_id: UUID | None,
    content: str,
    remember: bool = False,
) -> Envelope:
    return Envelope(
        command_id=command_id or uuid4(),
        fingerprint=content.encode(),
        merchant_id="mer_1",
        actor="cli",
        subjects=tuple(Subject(stream_id, PURSE) for stream_id in subjects),
        decide=decide,
        answer=lambda states: str(states[subjects[0]] and states[subjects[0]].coins).encode(),
        remember_nothing_new=remember,
    )


def fill(stream_id: str, coins: int, *, command_id: UUID | None = None) -> Envelope:
    return _envelope(
        (stream_id,),
        lambda states: {stream_id: [Filled(coins)] if coins else []},
        command_id,
        f"fill {stream_id} {coins}",
    )


def empty(stream_id: str, coins: int, *, command_id: UUID | None = None) -> Envelope:
    def decide(states: Mapping[str, Any]) -> Facts:
        purse = states[stream_id]
        if purse is None or purse.coins < coins:
            raise NotAllowed("there is not so much in the purse")
        return {stream_id: [Emptied(coins)]}

    return _envelope((stream_id,), decide, command_id, f"empty {stream_id} {coins}")


def said_to_be_new(envelope: Envelope) -> Envelope:
    """The same command, which is sure that it is the first on its streams."""
    for subject in envelope.subjects:
        subject.is_new = True
    return envelope


def move(source: str, target: str, coins: int, *, command_id: UUID | None = None) -> Envelope:
    def decide(states: Mapping[str, Any]) -> Facts:
        purse = states[source]
        if purse is None or purse.coins < coins:
            raise NotAllowed("there is not so much in the purse")
        return {source: [Emptied(coins)], target: [Filled(coins)]}

    return _envelope((source, target), decide, command_id, f"move {source} {target} {coins}")


def fill_if_other_is_empty(stream_id: str, other: str) -> Envelope:
    def decide(states: Mapping[str, Any]) -> Facts:
        if states[other] is not None and states[other].coins:
            raise NotAllowed("the other purse is not empty")
        return {stream_id: [Filled(1)]}

    return _envelope((stream_id, other), decide, None, f"either {stream_id} {other}")


def look(stream_id: str, *, remember: bool, command_id: UUID | None = None) -> Envelope:
    return _envelope((stream_id,), lambda states: {}, command_id, "look", remember)


def break_down(stream_id: str) -> Envelope:
    def decide(states: Mapping[str, Any]) -> Facts:
        raise ZeroDivisionError("a fault in deciding")

    return _envelope((stream_id,), decide, None, "break")


def break_down_below(stream_id: str, coins: int) -> Envelope:
    """Takes one of so many coins or more; fewer are a fault in deciding."""

    def decide(states: Mapping[str, Any]) -> Facts:
        purse = states[stream_id]
        if purse is None or purse.coins < coins:
            raise ZeroDivisionError("a fault in deciding")
        return {stream_id: [Emptied(1)]}

    return _envelope((stream_id,), decide, None, "break below")
