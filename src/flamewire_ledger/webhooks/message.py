"""A message: one thing that a merchant is told, in a shape chosen apart from the event behind it.

Events are for the ledger, and carry what it needs to be exact; a message says what happened to an
intent, an invoice, an account as it was right then, and changes only by growing. This file holds
what every message has; the shapes of `data` are in the files by what they are of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.money import Amount

Time = Annotated[datetime, msgspec.Meta(tz=True)]
How: TypeAlias = Literal["all", "first"]  # of a stream: all of it so far, or what it began with
_encoder: Final = msgspec.json.Encoder()


class Shape(msgspec.Struct, rename="camel", kw_only=True):
    """What shapes have in common: names in camel case, amounts as text."""


class Message(Shape):
    """What is sent. `event` and `type` are the same: some look for one, some for the other."""

    id: str  # that of the header webhook-id: the same each time this is sent
    event: str
    type: str
    timestamp: Time  # when it was recorded
    sequence: int  # position in the ledger: of two messages, the lower one happened first
    livemode: bool
    data: Any


@dataclass(frozen=True, slots=True)
class Told:
    """A fact to tell of: what it says, and what was true of the things it names.

    `past` has streams by id as they were asked for, each up to this fact.
    """

    fact: Any
    stream_id: str
    past: Mapping[str, Sequence[Any]]

    @property
    def own(self) -> Sequence[Any]:
        """The fact's own stream up to it, and with it."""
        return self.past[self.stream_id]


ShapeType: TypeAlias = type[Shape]
Needs: TypeAlias = Callable[[Any, str], Mapping[str, How]]  # (fact, its stream) -> streams to know


def nothing(_fact: Any, _stream_id: str) -> Mapping[str, How]:
    """The fact says all there is to say."""
    return {}


def own_stream(_fact: Any, stream_id: str) -> Mapping[str, How]:
    """What it happened to has to be known. Only for streams that stay short."""
    return {stream_id: "all"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of message: the events it tells of, and how its data is made of one.

    `of` gives None for a fact that is nothing to tell.
    """

    type: str
    says: str
    events: tuple[str, ...]
    data: ShapeType
    of: Callable[[Told], Shape | None]
    needs: Needs = nothing


def message_id(stream_id: str, version: int, recorded_at: datetime) -> str:
    """The id of what is told of an event: the same whenever and however often it is made."""
    return derived_id("evt", recorded_at, stream_id, str(version))


def to_json(message: Message) -> bytes:
    """The bytes that are signed and sent."""
    return _encoder.encode(message)


def symbol(amount: Amount) -> str:
    """`TAO` of `bittensor:TAO`."""
    return amount.asset.code.rpartition(":")[2]


def text(amount: Amount | None) -> str | None:
    return None if amount is None else amount.text


def minor(amount: Amount | None) -> str | None:
    return None if amount is None else str(amount.units)
