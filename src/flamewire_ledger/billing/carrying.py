"""Carrying: what money was worth when it came goes with it through every posting of its stream.

A customer's money is booked at its worth when it arrives. When it becomes sales, a refund to be paid or
is taken back by its chain, it moves at that same worth: the account it leaves is left with nothing,
in units and in value. Only money that is not there yet is priced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

Side: TypeAlias = Literal["debit", "credit"]
Place: TypeAlias = tuple[str, str, Side]  # account, asset, and on which side it stands
_OTHER: Final[dict[Side, Side]] = {"debit": "credit", "credit": "debit"}


@dataclass(frozen=True, slots=True)
class Part:
    """Units that came together. `value` is None where nothing recorded prices them."""

    units: int
    value: int | None

    def split(self, units: int) -> tuple[Part, Part]:
        """So many of the units, and the rest. The values add up: what a share rounds off stays."""
        if self.value is None:
            return Part(units, None), Part(self.units - units, None)
        value = self.value * units // self.units
        return Part(units, value), Part(self.units - units, self.value - value)


@dataclass(frozen=True, slots=True)
class Carried:
    """What one posting moved, part by part."""

    parts: Sequence[Part]
    is_new: bool  # priced now; otherwise it has the worth it had

    @property
    def value(self) -> int:
        return sum(part.value or 0 for part in self.parts)

    @property
    def valued_units(self) -> int:
        return sum(part.units for part in self.parts if part.value is not None)

    @property
    def unvalued_units(self) -> int:
        return sum(part.units for part in self.parts if part.value is None)


@dataclass(slots=True)
class Stream:
    """The money of one stream, by account and asset: on which side it stands, and what it is worth."""

    _standing: dict[Place, list[Part]] = field(default_factory=dict)

    def post(
        self, debit: str, credit: str, asset: str, units: int, price: Callable[[], int | None]
    ) -> Carried:
        """Follow one posting. `price` is asked for its value when the money is new to the stream."""
        owed: Place = (debit, asset, "credit")
        had: Place = (credit, asset, "debit")
        if self._held(owed) >= units:  # what was owed is settled
            carried = Carried(self._take(owed, units), is_new=False)
            self._put(credit, asset, "credit", carried.parts)
        elif self._held(had) >= units:  # what was had is let go
            carried = Carried(self._take(had, units), is_new=False)
            self._put(debit, asset, "debit", carried.parts)
        else:
            carried = Carried((Part(units, price()),), is_new=True)
            self._put(debit, asset, "debit", carried.parts)
            self._put(credit, asset, "credit", carried.parts)
        return carried

    def _held(self, place: Place) -> int:
        return sum(part.units for part in self._standing.get(place, ()))

    def _take(self, place: Place, units: int) -> list[Part]:
        """The part of just so many units, as when a transfer is taken back; else the oldest ones."""
        standing = self._standing.get(place, [])
        for number, part in enumerate(standing):
            if part.units == units:
                return [standing.pop(number)]
        taken: list[Part] = []
        while units:
            part = standing.pop(0)
            if part.units > units:
                part, rest = part.split(units)
                standing.insert(0, rest)
            taken.append(part)
            units -= part.units
        return taken

    def _put(self, account: str, asset: str, side: Side, parts: Sequence[Part]) -> None:
        """Against what stands on the other side, as far as that goes."""
        opposite: Place = (account, asset, _OTHER[side])
        against = min(self._held(opposite), sum(part.units for part in parts))
        self._take(opposite, against)
        own = self._standing.setdefault((account, asset, side), [])
        for part in parts:
            if against >= part.units:
                against -= part.units
                continue
            own.append(part.split(against)[1] if against else part)
            against = 0
