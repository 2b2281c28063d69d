"""Money as whole base units: `Asset`, `Amount` and `Rate`, exact in every operation.

An asset is named by its code: `USD` and `CREDIT` stand alone, what lives on a chain carries its
network (`ethereum:USDC`, `sui:USDC`), because the same symbol on two chains is two things to own
and may have other decimals. Nothing here is a float, and nothing rounds without saying which way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

UNITS_DIGITS_MAX: Final = 78  # numeric(78, 0): any 256-bit integer
DECIMALS_MAX: Final = 36
PRICE_DIGITS_MAX: Final = 40  # on either side of the point; 1E+999999 would take all memory
_PRINTED_DECIMALS_MAX: Final = 4  # as ISO 4217 has at most; nobody counts eighteen of ether
AMOUNT_TEXT_MAX: Final = UNITS_DIGITS_MAX + DECIMALS_MAX + 1
_PLAIN = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]+))?\Z")


class MoneyError(ValueError):
    """A number that is no amount of this asset. The sentence says what would be one."""


@dataclass(frozen=True, slots=True)
class Asset:
    """Something that can be owned, and how many decimals its base unit has.

    `code` is `SYMBOL`, or `network:SYMBOL` for what lives on a chain.
    """

    code: str
    decimals: int

    def __post_init__(self) -> None:
        if not self.code or len(self.code) > 128:
            raise MoneyError("an asset code has 1 to 128 characters")
        if not 0 <= self.decimals <= DECIMALS_MAX:
            raise MoneyError(f"an asset has 0 to {DECIMALS_MAX} decimals")

    @property
    def network(self) -> str | None:
        """The network it lives on, or None for money that lives nowhere (fiat, credits)."""
        network, separator, _ = self.code.partition(":")
        return network if separator else None

    @property
    def symbol(self) -> str:
        """The code without its network: `USDC`."""
        return self.code.rpartition(":")[2]

    @property
    def units_per_major(self) -> int:
        return int(10**self.decimals)


class Amount:
    """So many base units of one asset; never negative, never of two assets at once.

    Written by hand rather than as a dataclass so that the codec may choose its shape: units are
    text in JSON, where readers in other languages would lose the digits of a number.
    """

    __slots__ = ("asset", "units")
    asset: Asset
    units: int

    def __init__(self, asset: Asset, units: int) -> None:
        if type(units) is not int:
            raise MoneyError("units are a whole number")
        if units < 0:
            raise MoneyError("an amount is not negative")
        if units.bit_length() > 256:
            raise MoneyError("an amount fits in 256 bits")
        object.__setattr__(self, "asset", asset)
        object.__setattr__(self, "units", units)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("an Amount does not change; make another")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("an Amount does not change; make another")

    def __reduce__(self) -> tuple[type[Amount], tuple[Asset, int]]:
        return Amount, (self.asset, self.units)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Amount):
            return NotImplemented
        return self.units == other.units and self.asset == other.asset

    def __hash__(self) -> int:
        return hash((self.asset, self.units))

    def __repr__(self) -> str:
        return f"Amount({self.text} {self.asset.code})"

    def __add__(self, other: Amount) -> Amount:
        self._same_asset(other)
        return Amount(self.asset, self.units + other.units)

    def __sub__(self, other: Amount) -> Amount:
        """What is left; MoneyError when more would be taken than there is."""
        self._same_asset(other)
        return Amount(self.asset, self.units - other.units)

    def __lt__(self, other: Amount) -> bool:
        self._same_asset(other)
        return self.units < other.units

    def __le__(self, other: Amount) -> bool:
        self._same_asset(other)
        return self.units <= other.units

    def _same_asset(self, other: Amount) -> None:
        if self.asset != other.asset:
            raise MoneyError(f"{self.asset.code} and {other.asset.code} do not add up")

    @property
    def text(self) -> str:
        """Major units as a plain decimal, all decimals of the asset: `25.00`, `0.060606061`."""
        return major_text(self.units, self.asset.decimals)

    @property
    def plain_text(self) -> str:
        """Major units without needless zeros, for people to read: `25`, `0.060606061`."""
        text = self.text
        return text.rstrip("0").rstrip(".") if "." in text else text

    @property
    def is_zero(self) -> bool:
        return self.units == 0

    @classmethod
    def parse(cls, text: str, asset: Asset) -> Amount:
        """Read a plain decimal: digits, and at most as many behind the point as the asset has.

        Raises MoneyError for signs, exponents, spaces, NaN, and for more decimals than there are:
        an amount is never rounded on the way in.
        """
        if len(text) > AMOUNT_TEXT_MAX:
            raise MoneyError(f"an amount has at most {AMOUNT_TEXT_MAX} characters")
        match = _PLAIN.match(text)
        if match is None:
            raise MoneyError('an amount is a plain decimal in a string, such as "25.00"')
        whole, part = match[1], match[2] or ""
        if len(part) > asset.decimals:
            raise MoneyError(f"{asset.code} has {asset.decimals} decimals, not {len(part)}")
        return cls(asset, int(whole + part.ljust(asset.decimals, "0")))


@dataclass(frozen=True, slots=True)
class Rate:
    """What one major unit of `base` is worth in major units of `quote`: positive, finite, exact."""

    base: Asset
    quote: Asset
    price: Decimal

    def __post_init__(self) -> None:
        if not self.price.is_finite() or self.price <= 0:
            raise MoneyError("a price is positive and finite")
        if abs(self.price.adjusted()) > PRICE_DIGITS_MAX:
            raise MoneyError(f"a price is within {PRICE_DIGITS_MAX} digits of the point")

    def base_for(self, amount: Amount) -> Amount:
        """How much `base` pays for `amount` of `quote`, rounded up: what is due is due in full."""
        if amount.asset != self.quote:
            raise MoneyError(f"this rate quotes {self.quote.code}, not {amount.asset.code}")
        above, below = self.price.as_integer_ratio()
        dividend = amount.units * 10**self.base.decimals * below
        divisor = 10**self.quote.decimals * above
        return Amount(self.base, -(-dividend // divisor))

    def quote_for(self, amount: Amount) -> Amount:
        """What `amount` of `base` is worth in `quote`, rounded down: only what was paid counts."""
        if amount.asset != self.base:
            raise MoneyError(f"this rate prices {self.base.code}, not {amount.asset.code}")
        above, below = self.price.as_integer_ratio()
        dividend = amount.units * 10**self.quote.decimals * above
        return Amount(self.quote, dividend // (10**self.base.decimals * below))


def printed_text(text: str, decimals: int) -> str:
    """An amount or a price as it is printed: money with all decimals of its asset, where those are
    few, and never with needless zeros behind them. `25.00`, `0.060606061`, `0.000019`.
    """
    kept = decimals if decimals <= _PRINTED_DECIMALS_MAX else 0
    whole, _, part = text.partition(".")
    part = part[:kept] + part[kept:].rstrip("0")
    return f"{whole}.{part}" if part else whole


def major_text(units: int, decimals: int) -> str:
    """So many base units in major units, as in `Amount.text`; for who has many to write."""
    digits = str(units)
    if not decimals:
        return digits
    if len(digits) <= decimals:
        return f"0.{digits.zfill(decimals)}"
    return f"{digits[:-decimals]}.{digits[-decimals:]}"


def share(amount: Amount, part: int, whole: int) -> Amount:
    """`amount` × part / whole, rounded down."""
    if whole <= 0 or part < 0:
        raise MoneyError("a share is of something")
    return Amount(amount.asset, amount.units * part // whole)
