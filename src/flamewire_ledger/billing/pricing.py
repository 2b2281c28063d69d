"""What a quantity costs: a price and a quantity in, rated lines out, exact to the last unit.

    charge(Graduated((Tier(Decimal(1000), Decimal("0.01")), Tier(None, Decimal("0.005")))),
           Decimal(1500), USD)  →  1000 × 0.01 = 10.00 · 500 × 0.005 = 2.50

This is the face of the price models: what others need of `billing` for prices is named here. Free
units are taken off before a model sees the quantity, and shown as a line of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple, assert_never

from flamewire_ledger.billing.price_data import from_data, to_data
from flamewire_ledger.billing.price_models import (
    ZERO,
    BoundsCrossed,
    Commitment,
    Graduated,
    MissingKey,
    NegativePrice,
    NumberInvalid,
    OpenTierInTheMiddle,
    Package,
    Percentage,
    Price,
    PriceInvalid,
    Standard,
    Tier,
    TiersEnd,
    TiersOverlap,
    UnknownKey,
    UnknownModel,
    Volume,
    positive,
)
from flamewire_ledger.billing.rounding import EXACT, Rounding, apportion
from flamewire_ledger.domain.money import Amount, Asset

__all__ = [
    "BoundsCrossed",
    "Commitment",
    "Graduated",
    "MissingKey",
    "NegativePrice",
    "NumberInvalid",
    "OpenTierInTheMiddle",
    "Package",
    "Percentage",
    "Price",
    "PriceInvalid",
    "RatedLine",
    "Rounding",
    "Standard",
    "Tier",
    "TierEntered",
    "TiersEnd",
    "TiersOverlap",
    "UnknownKey",
    "UnknownModel",
    "Volume",
    "apportion",
    "charge",
    "from_data",
    "to_data",
    "total",
    "up_to_commitment",
]


@dataclass(frozen=True, slots=True)
class TierEntered:
    """Which tier a line is of: units above `above`, up to and with `up_to` (None: no end)."""

    number: int  # from 1
    above: Decimal
    up_to: Decimal | None


@dataclass(frozen=True, slots=True)
class RatedLine:
    """One line of a bill. `amount` is quantity × unit price, rounded so that lines add up.

    `unit_price` is None where no single price made the amount: minimums and maximums by event, and
    what a commitment lacks.
    """

    description: str
    quantity: Decimal
    unit_price: Decimal | None
    amount: Amount
    detail: tuple[TierEntered, ...] = ()


class _Line(NamedTuple):
    """A line before it is rounded. `exact` is in major units."""

    description: str
    quantity: Decimal
    unit_price: Decimal | None
    exact: Decimal
    detail: tuple[TierEntered, ...] = ()


def charge(
    price: Price,
    quantity: Decimal,
    currency: Asset,
    *,
    name: str = "usage",
    events: Sequence[Decimal] | None = None,
    rounding: Rounding = "up",
) -> tuple[RatedLine, ...]:
    """The lines that so much costs; none for nothing. Their sum is the exact price, rounded once.

    `rounding`: what a customer owes rounds up to the currency's precision, what one is given, down.
    `events` are what each event was, for a percentage with a minimum or maximum by event; without
    them, the quantity counts as one event. Raises PriceInvalid for a quantity below zero, and for
    events that do not add up to it.
    """
    positive(quantity, "/quantity")
    if events is not None and _sum(events) != quantity:
        raise PriceInvalid("the events do not add up to the quantity", "/events")
    return _rounded(_lines(price, quantity, name, events), currency, rounding)


def total(lines: Iterable[RatedLine], currency: Asset) -> Amount:
    """What lines come to. Raises MoneyError when one is of another currency."""
    return sum((line.amount for line in lines), Amount(currency, 0))


def up_to_commitment(
    lines: Sequence[RatedLine], commit: Amount, *, name: str = "commitment"
) -> tuple[RatedLine, ...]:
    """The lines of any number of charges, and one more for what they lack of the commitment."""
    charged = total(lines, commit.asset)
    if commit <= charged:
        return tuple(lines)
    return (*lines, RatedLine(name, Decimal(1), None, commit - charged))


def _rounded(lines: Sequence[_Line], currency: Asset, rounding: Rounding) -> tuple[RatedLine, ...]:
    amounts = apportion([Fraction(line.exact) for line in lines], currency, rounding)
    return tuple(
        RatedLine(line.description, line.quantity, line.unit_price, amount, line.detail)
        for line, amount in zip(lines, amounts, strict=True)
    )


def _lines(
    price: Price, quantity: Decimal, name: str, events: Sequence[Decimal] | None
) -> list[_Line]:
    match price:
        case Standard():
            free, rest = _without_free(price.free, quantity, name)
            return free + ([_line(name, rest, price.unit_price)] if rest else [])
        case Graduated():
            free, rest = _without_free(price.free, quantity, name)
            return free + _graduated(price.tiers, rest, name)
        case Volume():
            free, rest = _without_free(price.free, quantity, name)
            return free + (_volume(price.tiers, rest, name) if rest else [])
        case Package():
            free, rest = _without_free(price.free, quantity, name)
            begun = Decimal(-(-Fraction(rest) // Fraction(price.size)))
            title = f"{name}: packages of {price.size:f}"
            return free + ([_line(title, begun, price.price)] if begun else [])
        case Percentage():
            return _percentage(price, quantity, name, events)
        case Commitment():
            return _committed(price, _lines(price.price, quantity, name, events), name)
        case _:
            assert_never(price)


def _line(
    description: str,
    quantity: Decimal,
    unit_price: Decimal,
    detail: tuple[TierEntered, ...] = (),
) -> _Line:
    exact = EXACT.multiply(quantity, unit_price)
    return _Line(description, quantity, unit_price, exact, detail)


def _without_free(free: Decimal, quantity: Decimal, name: str) -> tuple[list[_Line], Decimal]:
    given = min(free, quantity)
    if not given:
        return [], quantity
    return [_line(f"{name}: free", given, ZERO)], EXACT.subtract(quantity, given)


def _graduated(tiers: Sequence[Tier], quantity: Decimal, name: str) -> list[_Line]:
    """Σ (min(q, Uᵢ) − Uᵢ₋₁)⁺ · pᵢ + fᵢ of each tier entered."""
    lines: list[_Line] = []
    above = ZERO
    for number, tier in enumerate(tiers, 1):
        if quantity <= above:
            break
        end = quantity if tier.up_to is None else min(quantity, tier.up_to)
        lines += _tier_lines(number, tier, above, EXACT.subtract(end, above), name)
        above = end
    return lines


def _volume(tiers: Sequence[Tier], quantity: Decimal, name: str) -> list[_Line]:
    """q · p of the tier (Uᵢ₋₁, Uᵢ] that holds q, and its flat fee."""
    above = ZERO
    for number, tier in enumerate(tiers, 1):
        if tier.up_to is None or quantity <= tier.up_to:
            return _tier_lines(number, tier, above, quantity, name)
        above = tier.up_to
    raise AssertionError("the last tier has no end")


def _tier_lines(
    number: int, tier: Tier, above: Decimal, quantity: Decimal, name: str
) -> list[_Line]:
    entered = (TierEntered(number, above, tier.up_to),)
    lines = [_line(f"{name}: tier {number}", quantity, tier.unit_price, entered)]
    if tier.flat:
        lines.append(_line(f"{name}: flat fee of tier {number}", Decimal(1), tier.flat, entered))
    return lines


def _percentage(
    price: Percentage, quantity: Decimal, name: str, events: Sequence[Decimal] | None
) -> list[_Line]:
    each = [quantity] if events is None else events
    if not each or (events is None and not quantity):
        return []
    part = price.percent.scaleb(-2, EXACT)
    title = f"{name}: {price.percent:f} %"
    if not price.is_by_event:
        return [_line(title, quantity, part)]
    least = ZERO if price.minimum is None else price.minimum
    fees = (max(least, EXACT.multiply(positive(event, "/events"), part)) for event in each)
    most = price.maximum
    exact = _sum(fees if most is None else (min(most, fee) for fee in fees))
    return [_Line(title, quantity, None, exact)]


def _committed(price: Commitment, lines: list[_Line], name: str) -> list[_Line]:
    lacking = EXACT.subtract(price.commit, _sum(line.exact for line in lines))
    if lacking <= 0:
        return lines
    return [*lines, _Line(f"{name}: commitment", Decimal(1), None, lacking)]


def _sum(values: Iterable[Decimal]) -> Decimal:
    result = ZERO
    for value in values:
        result = EXACT.add(result, value)
    return result
