"""Lines of an invoice, and what they add up to.

Tax is rounded once for each rate, half up; what each line bears of it follows by largest remainder,
so that lines, taxes and totals agree to the last unit whatever the rates are. Prices are without
tax or include it, for a whole invoice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final

from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.rejection import LimitReached, Malformed

LINES_MAX: Final = 1_000
TAX_RATES_MAX: Final = 20
RATE_MAX: Final = 1_000
_RATE: Final = re.compile(r"(0|[1-9][0-9]{0,3})(\.[0-9]{1,6})?\Z")
_PLAIN: Final = re.compile(r"(0|[1-9][0-9]{0,39})(\.[0-9]{1,40})?\Z")


@dataclass(frozen=True, slots=True)
class Period:
    """From its start until just before its end."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """What is charged for, or given back (`is_credit`): amounts are never negative.

    `amount` is without tax or includes it, as all prices of its invoice. `unit_price` is in major
    units and may be finer than the currency; None where there is no one price, as with tiers.
    """

    description: str
    quantity: str  # a plain decimal
    unit_price: str | None
    amount: Amount
    tax_rate: str | None = None  # percent, as a plain decimal; None: no tax applies
    period: Period | None = None
    is_credit: bool = False
    # Shares of what its rate adds up to: known when the invoice is final.
    net: Amount | None = None
    tax: Amount | None = None

    @property
    def signed_units(self) -> int:
        return -self.amount.units if self.is_credit else self.amount.units


@dataclass(frozen=True, slots=True)
class TaxLine:
    """All that is charged at one rate."""

    rate: str | None
    net: Amount
    tax: Amount


@dataclass(frozen=True, slots=True)
class Sums:
    """net + tax = total; one tax line for each rate, in the order of the lines."""

    net: Amount
    tax: Amount
    total: Amount
    taxes: tuple[TaxLine, ...]


def plain_rate(text: str) -> str:
    """The rate without needless zeros, so that `19` and `19.00` are one. Raises Malformed."""
    if not _RATE.match(text) or Decimal(text) > RATE_MAX:
        raise Malformed(
            f'a tax rate is percent from 0 to {RATE_MAX}, such as "19" or "7.7"',
            pointer="/tax_rate",
        )
    return text.rstrip("0").rstrip(".") if "." in text else text


def priced(quantity: str, unit_price: str, currency: Asset, *, is_credit: bool = False) -> Amount:
    """quantity × unit price, rounded once: up when it is owed, down when it is given back."""
    for text in (quantity, unit_price):
        if not _PLAIN.match(text):
            raise Malformed('a quantity or a price is a plain decimal, such as "12.5"')
    exact = Fraction(quantity) * Fraction(unit_price) * currency.units_per_major
    units = exact.numerator // exact.denominator
    if not is_credit and exact.denominator != 1:
        units += 1
    return Amount(currency, units)


def checked(line: InvoiceLine, currency: Asset) -> InvoiceLine:
    """The line with its rate as it is compared. Raises Malformed where it is no line of such an
    invoice.
    """
    if not line.description.strip():
        raise Malformed("a line says what it is for", pointer="/lines")
    if line.amount.asset != currency:
        raise Malformed("an invoice is in one currency", pointer="/lines")
    if not _PLAIN.match(line.quantity):
        raise Malformed("a quantity is a plain decimal", pointer="/lines")
    if line.unit_price is not None and not _PLAIN.match(line.unit_price):
        raise Malformed("a unit price is a plain decimal", pointer="/lines")
    if line.period is not None and line.period.end <= line.period.start:
        raise Malformed("a period ends after it starts", pointer="/lines")
    rate = None if line.tax_rate is None else plain_rate(line.tax_rate)
    return replace(line, tax_rate=rate, net=None, tax=None)


def added_up(
    lines: Sequence[InvoiceLine], currency: Asset, *, prices_include_tax: bool
) -> tuple[tuple[InvoiceLine, ...], Sums]:
    """The lines with their shares, and the sums. Raises Malformed where more is given back at a
    rate than is charged at it.
    """
    if len(lines) > LINES_MAX:
        raise LimitReached(f"an invoice has at most {LINES_MAX} lines", pointer="/lines")
    places: dict[str | None, list[int]] = {}
    for place, line in enumerate(lines):
        places.setdefault(line.tax_rate, []).append(place)
    if len(places) > TAX_RATES_MAX:
        raise LimitReached(f"an invoice has at most {TAX_RATES_MAX} tax rates", pointer="/lines")
    billed, taxes = list(lines), []
    for rate, group in places.items():
        members = [lines[place] for place in group]
        shares, tax_line = _of_rate(members, rate, currency, prices_include_tax=prices_include_tax)
        taxes.append(tax_line)
        for place, share in zip(group, shares, strict=True):
            billed[place] = share
    net = sum(line.net.units for line in taxes)
    tax = sum(line.tax.units for line in taxes)
    sums = Sums(
        Amount(currency, net), Amount(currency, tax), Amount(currency, net + tax), tuple(taxes)
    )
    return tuple(billed), sums


def _of_rate(
    lines: Sequence[InvoiceLine], rate: str | None, currency: Asset, *, prices_include_tax: bool
) -> tuple[Sequence[InvoiceLine], TaxLine]:
    part = part_of_tax(rate, prices_include_tax)
    units = [line.signed_units for line in lines]
    if sum(units) < 0:
        raise Malformed(
            "more is given back at a tax rate than is charged at it: put the rest on a later invoice",
            pointer="/lines",
        )
    tax = half_up(sum(units) * part)
    shares = apportioned(tax, [each * part for each in units])
    net = sum(units) - (tax if prices_include_tax else 0)
    billed = [
        replace(
            line,
            net=Amount(currency, abs(each - share if prices_include_tax else each)),
            tax=Amount(currency, abs(share)),
        )
        for line, each, share in zip(lines, units, shares, strict=True)
    ]
    return billed, TaxLine(rate, Amount(currency, net), Amount(currency, tax))


def apportioned(total: int, exact: Sequence[Fraction]) -> list[int]:
    """Whole shares that add up to `total`, which is the sum of `exact`, rounded: each is rounded
    down, and what is left goes to the largest remainders, to earlier ones first.
    """
    shares = [each.numerator // each.denominator for each in exact]
    left = total - sum(shares)
    by_remainder = sorted(range(len(exact)), key=lambda it: (shares[it] - exact[it], it))
    for place in by_remainder[:left]:
        shares[place] += 1
    return shares


def part_of_tax(rate: str | None, prices_include_tax: bool) -> Fraction:
    """Which part of an amount is tax, or comes to it as tax."""
    percent = Fraction(0) if rate is None else Fraction(rate)
    return percent / (100 + percent if prices_include_tax else 100)


def half_up(exact: Fraction) -> int:
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)
