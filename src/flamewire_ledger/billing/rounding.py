"""From exact values to whole base units, once, so that the lines of a bill add up to its total.

Each line rounded for itself makes three thirds of a cent either nothing or three cents. Here the
total is rounded, and what its lines lack goes to those with the largest remainders.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Inexact, InvalidOperation, Overflow
from fractions import Fraction
from typing import Final, Literal, TypeAlias

from flamewire_ledger.domain.money import PRICE_DIGITS_MAX, Amount, Asset

Rounding: TypeAlias = Literal["up", "down"]  # what a customer owes · what a customer is given

# Decimal arithmetic that would have to drop a digit raises. A product of two bounded numbers and the
# shift to base units fit with room to spare.
EXACT: Final = Context(prec=400, traps=[Inexact, InvalidOperation, Overflow])
assert EXACT.prec > 4 * PRICE_DIGITS_MAX


def apportion(
    values: Sequence[Fraction], currency: Asset, rounding: Rounding = "up"
) -> tuple[Amount, ...]:
    """Exact values in major units as amounts whose sum is the sum of the values, rounded once.

    Largest remainder (Hamilton): every value gets its whole units, and what the rounded total has
    beyond them goes one unit each to the largest remainders, the earlier of two equal ones first.
    So no amount is a unit or more away from its value, and nothing of nothing stays nothing.
    """
    exact = [value * currency.units_per_major for value in values]
    whole = [value.numerator // value.denominator for value in exact]
    total = sum(exact, Fraction())
    up = -(-total.numerator // total.denominator)
    left = (up if rounding == "up" else total.numerator // total.denominator) - sum(whole)
    by_remainder = sorted(range(len(exact)), key=lambda index: whole[index] - exact[index])
    for index in by_remainder[:left]:
        whole[index] += 1
    return tuple(Amount(currency, units) for units in whole)
