"""The trial balance in one currency: both sides of every account by value, and what was gained or lost.

What leaves the books by a price of its own (money paid out, a debt settled from elsewhere) leaves at that
price; what it had stood at, on average, is taken off its account, and the difference is a realised
gain or loss. So an account without units has no value either, and all debits equal all credits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from flamewire_ledger.billing.carrying import Carried

REALISED_GAINS: Final = "income:realised_gains"
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


@dataclass(slots=True)
class TrialBalance:
    """Sums of postings, taken in their order. Memory is bounded by the number of accounts."""

    lines: dict[tuple[str, str], AccountValue] = field(default_factory=dict)
    gains: int = 0  # all credits to realised gains
    losses: int = 0  # all debits

    def post(self, debit: str, credit: str, asset: str, carried: Carried) -> Iterator[Gain]:
        """Add one posting; what was gained or lost by it follows. Take all of them."""
        sides = (debit, True), (credit, False)
        expected = [self._standing_value(*side, asset, carried) for side in sides]
        if debit.startswith(_OWED) and credit.startswith(_OWED) and expected[0] is not None:
            expected[1] = expected[0]  # owed under another name: nothing was gained or lost
        for (account, is_debit), stood_at in zip(sides, expected, strict=True):
            line = self.lines.setdefault((account, asset), AccountValue())
            line.add(is_debit=is_debit, carried=carried)
            difference = 0
            if stood_at is not None:
                # It was taken off at the price of now; put back what that is off the mark.
                difference = (carried.value - stood_at) * (-1 if is_debit else 1)
            elif not line.valued_units and account.startswith(_BALANCE_SHEET):
                difference = -line.value  # nothing stands there any more: nor does any value
            if difference:
                line.adjust(difference)
                if difference > 0:
                    self.gains += difference
                else:
                    self.losses -= difference
                yield Gain(account, asset, difference)

    def _standing_value(
        self, account: str, is_debit: bool, asset: str, carried: Carried
    ) -> int | None:
        """What the units stood at that a newly priced posting takes off an account; None: it takes none."""
        line = self.lines.get((account, asset))
        if line is None or not carried.is_new or not account.startswith(_BALANCE_SHEET):
            return None
        standing = -line.valued_units if is_debit else line.valued_units
        taken = carried.valued_units
        if not 0 < taken <= standing:
            return None
        value = -line.value if is_debit else line.value
        return value if taken == standing else value * taken // standing
