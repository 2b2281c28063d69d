"""Events to JSON and back, by their stable type name; and folded states to snapshots.

Every dataclass of `domain` with a type string such as `payment.requested.v1` is known here without
being listed. Amounts carry their units as text, because readers in other languages would lose
digits of a number. What is recorded under a type that has no class any more is lifted by the
upcasters first.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

import msgspec

from flamewire_ledger import domain
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.store.event_store import NewEvent, RecordedEvent
from flamewire_ledger.store.upcasters import STEPS, Step, lift

EVENT_TYPE: Final = re.compile(r"[a-z][a-z_]*\.[a-z][a-z_]*\.v[1-9][0-9]*\Z")


class UnknownEventType(Exception):
    """An event is recorded that this code has neither a class nor an upcaster for: it is newer, or
    one was removed.
    """

    def __init__(self, event_type: str) -> None:
        super().__init__(
            f"no class and no upcaster for events of type {event_type}: "
            "run the version of the ledger that wrote it, or a newer one"
        )
        self.event_type = event_type


class Codec:
    """Encodes and decodes the events of the classes given; by default all of `domain`."""

    def __init__(
        self,
        classes: Iterable[type[Any]] | None = None,
        steps: Mapping[str, Step] = STEPS,
    ) -> None:
        self._classes = {c.type: c for c in (event_classes() if classes is None else classes)}
        self._steps = steps
        self._encoder = msgspec.json.Encoder(enc_hook=_written, decimal_format="string")
        self._decoders = {
            name: msgspec.json.Decoder(event_class, dec_hook=_restore)
            for name, event_class in self._classes.items()
        }
        self._states = msgspec.msgpack.Encoder(enc_hook=_simplify, decimal_format="string")
        self._state_decoders: dict[Any, msgspec.msgpack.Decoder[Any]] = {}

    @property
    def classes(self) -> Mapping[str, type[Any]]:
        """Every class by its type string, as they are written today."""
        return self._classes

    def encode(self, event: Any) -> NewEvent:
        return NewEvent(event.type, self._encoder.encode(event))

    def decode(self, recorded: RecordedEvent) -> Any:
        """The event as today's class. Raises UnknownEventType where nothing leads to one."""
        return self.decode_data(recorded.type, recorded.data)

    def decode_data(self, event_type: str, data: bytes) -> Any:
        decoder = self._decoders.get(event_type)
        if decoder is not None:
            return decoder.decode(data)
        newest, lifted = lift(event_type, msgspec.json.decode(data), self._steps)
        decoder = self._decoders.get(newest)
        if decoder is None:
            raise UnknownEventType(event_type)
        return decoder.decode(msgspec.json.encode(lifted))

    def encode_state(self, state: Any) -> bytes:
        """A folded state as MessagePack, which unlike JSON takes keys that are not text."""
        return self._states.encode(state)

    def decode_state(self, state: bytes, state_type: Any) -> Any:
        """Raises msgspec.MsgspecError when the bytes are not of this shape."""
        decoder = self._state_decoders.get(state_type)
        if decoder is None:
            decoder = msgspec.msgpack.Decoder(state_type, dec_hook=_restore)
            self._state_decoders[state_type] = decoder
        return decoder.decode(state)


def event_classes() -> list[type[Any]]:
    """Every event class of the domain: the dataclasses that carry a type string."""
    found: dict[str, type[Any]] = {}
    for module in pkgutil.walk_packages(domain.__path__, f"{domain.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            name = getattr(value, "type", None)
            if not (isinstance(value, type) and is_dataclass(value) and isinstance(name, str)):
                continue
            if not EVENT_TYPE.match(name):
                raise ValueError(f"{value.__name__}.type is {name!r}, not aggregate.participle.vN")
            if found.setdefault(name, value) is not value:
                raise ValueError(f"two event classes are called {name}")
    return list(found.values())


def _written(value: Any) -> Any:
    """As `_simplify`, but amounts, of which every event has several, are written here and now: that
    halves what encoding an event costs.
    """
    if type(value) is Amount:
        asset = value.asset
        return msgspec.Raw(
            b'%b"%d"}' % (_amount_until_units(asset.code, asset.decimals), value.units)
        )
    return _simplify(value)


@lru_cache(maxsize=1_000)
def _amount_until_units(code: str, decimals: int) -> bytes:
    return b'{"asset":%b,"decimals":%d,"units":' % (msgspec.json.encode(code), decimals)


def _simplify(value: Any) -> Any:
    if type(value) is Amount:
        asset = value.asset
        return {"asset": asset.code, "decimals": asset.decimals, "units": str(value.units)}
    if type(value) is Fraction:
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} has no form in JSON")


def _restore(wanted: Any, value: Any) -> Any:
    if wanted is Amount:
        return Amount(Asset(value["asset"], value["decimals"]), int(value["units"]))
    if wanted is Fraction:
        return Fraction(value)
    raise NotImplementedError(f"{wanted} is not read from JSON")
