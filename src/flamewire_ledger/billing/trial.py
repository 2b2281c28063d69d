"""The trial balance in one currency: both sides of every account by value, and what was gained or lost.

What leaves the books by a price of its own (money paid out, a debt settled from elsewhere) leaves at that
price; what it had stood at, on average, is taken off its account, and the difference is a realised
gain or loss. What leaves when no price is known leaves at what it stood at. So an account without
units has no value either, and all debits equal all credits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from flamewire_ledger.billing.carrying import Carried, Part

REALISED_GAINS: Final = "income:realised_gains"
OPENING_BALANCES: Final = "equity:opening_balances"  # of exports that begin in the middle
_OWED: Final = "liabilities:"
_BALANCE_SHEET: Final = ("assets:", "liabilities:", "equity:")


@dataclass(frozen=True, slots=True)
class Gain:
    """An adjustment of an account and of realised gains by the same amount, one against the other."""

    account: str
    asset: str
    units: int  # positive: a gain, credited; negative: a loss, debited


@dataclass(slots=True)
class AccountValue:
    """One account and asset: base units of the asset, and base units of the currency."""

    debit_units: int = 0
    credit_units: int = 0
    debit_value: int = 0
    credit_value: int = 0
    valued_units: int = 0  # what stands there and has a value; debits positive
    unvalued_units: int = 0

    @property
    def value(self) -> int:
        """Debits positive."""
        return self.debit_value - self.credit_value

    def add(self, *, is_debit: bool, carried: Carried) -> None:
        value, units = carried.value, carried.valued_units + carried.unvalued_units
        if is_debit:
            self.debit_units += units
            self.debit_value += value
        else:
            self.credit_units += units
            self.credit_value += value
        sign = 1 if is_debit else -1
        self.valued_units += sign * carried.valued_units
        self.unvalued_units += sign * carried.unvalued_units

    def adjust(self, value: int) -> None:
        """Debits positive."""
        if value > 0:
            self.debit_value += value
        else:
            self.credit_value -= value

    def standing(self, *, is_debit: bool) -> tuple[int, int]:
        """Units that a posting on this side can take, and what they stand at."""
        sign = -1 if is_debit else 1
        return max(0, sign * self.valued_units), sign * self.value

    def settle(self) -> int:
        """What has to be added so that no value is without units; debits positive.

        Units with a value and units without, on opposite sides, are the same units: they go, and so
        does what the first were worth.
        """
        before = self.value
        value = before
        if self.valued_units * self.unvalued_units < 0:
            both = min(abs(self.valued_units), abs(self.unvalued_units))
            value -= value * both // abs(self.valued_units)
            both = both if self.valued_units > 0 else -both
            self.valued_units -= both
            self.unvalued_units += both
        if value * self.valued_units <= 0:
            value = 0
        return value - before


@dataclass(slots=True)
class TrialBalance:
    """Sums of postings, taken in their order. Memory is bounded by the number of accounts."""

    lines: dict[tuple[str, str], AccountValue] = field(default_factory=dict)
    gains: int = 0  # all credits to realised gains
    losses: int = 0  # all debits

    def moved(self, debit: str, credit: str, asset: str, carried: Carried) -> Carried:
        """The posting as it moves value: units that nothing prices take along what they stood at."""
        if not carried.unvalued_units:
            return carried
        for account, is_debit in ((credit, False), (debit, True)):
            line = self.lines.get((account, asset))
            if line is None or not account.startswith(_BALANCE_SHEET):
                continue
            had, value = line.standing(is_debit=is_debit)
            unvalued = max(0, line.unvalued_units * (-1 if is_debit else 1))
            units = min(carried.unvalued_units - unvalued, had - carried.valued_units)
            if units > 0:
                rest = carried.unvalued_units - units
                parts = [part for part in carried.parts if part.value is not None]
                parts.append(Part(units, _share(value, units, had)))
                parts += [Part(rest, None)] if rest else []
                return replace(carried, parts=tuple(parts))
        return carried

    def post(self, debit: str, credit: str, asset: str, carried: Carried) -> Iterator[Gain]:
        """Add one posting; what was gained or lost by it follows. Take all of them."""
        carried = self.moved(debit, credit, asset, carried)
        sides = (debit, True), (credit, False)
        expected = [self._standing_value(*side, asset, carried) for side in sides]
        if debit.startswith(_OWED) and credit.startswith(_OWED) and expected[0] is not None:
            expected[1] = expected[0]  # owed under another name: nothing was gained or lost
        for (account, is_debit), stood_at in zip(sides, expected, strict=True):
            line = self.lines.setdefault((account, asset), AccountValue())
            line.add(is_debit=is_debit, carried=carried)
            if stood_at is not None:
                # It was taken off at the price of now; put back what that is off the mark.
                off = (carried.value - stood_at) * (-1 if is_debit else 1)
                yield from self._adjust(line, account, asset, off)
            if account.startswith(_BALANCE_SHEET):
                yield from self._adjust(line, account, asset, line.settle())

    def _adjust(self, line: AccountValue, account: str, asset: str, value: int) -> Iterator[Gain]:
        if not value:
            return
        line.adjust(value)
        if value > 0:
            self.gains += value
        else:
            self.losses -= value
        yield Gain(account, asset, value)

    def _standing_value(
        self, account: str, is_debit: bool, asset: str, carried: Carried
    ) -> int | None:
        """What the units stood at that a newly priced posting takes off an account; None: it takes none.

        What goes beyond all that is there goes at the price of now.
        """
        line = self.lines.get((account, asset))
        if line is None or not carried.is_new or not account.startswith(_BALANCE_SHEET):
            return None
        had, value = line.standing(is_debit=is_debit)
        taken = min(carried.valued_units, had)
        if not taken:
            return None
        beyond = carried.value - _share(carried.value, taken, carried.valued_units)
        return _share(value, taken, had) + beyond


def _share(value: int, units: int, of: int) -> int:
    """Of a value, for so many of the units; all of it for all of them."""
    return value if units == of else value * units // of
