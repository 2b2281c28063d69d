"""The price models, and everything that is wrong with a price that is none.

Every number is a Decimal in major units of the currency that is charged, or in units of what is
priced. A price that exists is a valid one: the dataclasses check themselves, and a fault names the
field as a JSON pointer (RFC 6901) into the price as the API and the events write it.

What a newcomer would get wrong: tiers are half open the other way, (U₁, U₂]: the 1 000th unit still
costs what the first tier says.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Final, TypeAlias

from flamewire_ledger.domain.money import PRICE_DIGITS_MAX

TIERS_MAX: Final = 100
ZERO: Final = Decimal(0)


class PriceInvalid(ValueError):
    """A price that cannot be charged. `pointer` names the field, `code` the kind of fault."""

    code: ClassVar[str] = "price_invalid"

    def __init__(self, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer

    def within(self, prefix: str) -> PriceInvalid:
        """The same fault, of a price that is a part of something else."""
        return type(self)(self.detail, prefix + self.pointer)


class UnknownModel(PriceInvalid):
    code = "price_model_unknown"


class UnknownKey(PriceInvalid):
    code = "price_key_unknown"


class MissingKey(PriceInvalid):
    code = "price_key_missing"


class NumberInvalid(PriceInvalid):
    """No plain decimal in a string, too long, or zero where something is divided by it."""

    code = "price_number_invalid"


class NegativePrice(PriceInvalid):
    code = "price_negative"


class TiersOverlap(PriceInvalid):
    """A tier ends where, or before, the one in front of it does."""

    code = "price_tiers_overlap"


class OpenTierInTheMiddle(PriceInvalid):
    code = "price_tier_open_in_the_middle"


class TiersEnd(PriceInvalid):
    """The last tier has an end: a quantity above it would have no price."""

    code = "price_tiers_end"


class BoundsCrossed(PriceInvalid):
    """The least of something is above its most."""

    code = "price_bounds_crossed"


@dataclass(frozen=True, slots=True)
class Tier:
    """Units above the tier before, up to and with `up_to` (None: no end)."""

    up_to: Decimal | None
    unit_price: Decimal
    flat: Decimal = ZERO  # once, when the tier is entered

    def __post_init__(self) -> None:
        if self.up_to is not None and positive(self.up_to, "/up_to") == 0:
            raise NumberInvalid("a tier has room for something", "/up_to")
        positive(self.unit_price, "/unit_price")
        positive(self.flat, "/flat")


@dataclass(frozen=True, slots=True)
class Standard:
    """(q − free)⁺ · unit price."""

    unit_price: Decimal
    free: Decimal = ZERO

    def __post_init__(self) -> None:
        positive(self.unit_price, "/unit_price")
        positive(self.free, "/free")


@dataclass(frozen=True, slots=True)
class Graduated:
    """Each unit at the price of the tier it falls in, and the flat fee of each tier entered."""

    tiers: tuple[Tier, ...]
    free: Decimal = ZERO

    def __post_init__(self) -> None:
        _check_tiers(self.tiers)
        positive(self.free, "/free")


@dataclass(frozen=True, slots=True)
class Volume:
    """All units at the price of the tier that holds the quantity, and that tier's flat fee."""

    tiers: tuple[Tier, ...]
    free: Decimal = ZERO

    def __post_init__(self) -> None:
        _check_tiers(self.tiers)
        positive(self.free, "/free")


@dataclass(frozen=True, slots=True)
class Package:
    """⌈(q − free)⁺ / size⌉ · price: a package that was begun is paid."""

    price: Decimal
    size: Decimal
    free: Decimal = ZERO

    def __post_init__(self) -> None:
        positive(self.price, "/price")
        positive(self.free, "/free")
        if positive(self.size, "/size") == 0:
            raise NumberInvalid("a package holds something", "/size")


@dataclass(frozen=True, slots=True)
class Percentage:
    """So many per cent of money that passed through, at least and at most so much an event."""

    percent: Decimal
    minimum: Decimal | None = None
    maximum: Decimal | None = None

    def __post_init__(self) -> None:
        positive(self.percent, "/percent")
        least = ZERO if self.minimum is None else positive(self.minimum, "/minimum")
        if self.maximum is not None and positive(self.maximum, "/maximum") < least:
            raise BoundsCrossed("the minimum is above the maximum", "/maximum")

    @property
    def is_by_event(self) -> bool:
        """Whether the sum is not enough to work it out: what each event was has to be known."""
        return self.minimum is not None or self.maximum is not None


@dataclass(frozen=True, slots=True)
class Commitment:
    """max(charges, commit): what was promised is owed, used or not."""

    price: Standard | Graduated | Volume | Package | Percentage
    commit: Decimal

    def __post_init__(self) -> None:
        positive(self.commit, "/commit")


Price: TypeAlias = Standard | Graduated | Volume | Package | Percentage | Commitment


def bounded(value: Decimal, pointer: str) -> Decimal:
    """The value, if it is finite and no longer than is worked with exactly."""
    if not value.is_finite():
        raise NumberInvalid("a number here is finite", pointer)
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "finite numbers have one"
    if value.adjusted() >= PRICE_DIGITS_MAX or exponent < -PRICE_DIGITS_MAX:
        raise NumberInvalid(
            f"a number here has at most {PRICE_DIGITS_MAX} digits on either side of the point",
            pointer,
        )
    return value


def positive(value: Decimal, pointer: str) -> Decimal:
    """The value, if it is bounded and not below zero."""
    if bounded(value, pointer) < 0:
        raise NegativePrice("nothing here is below zero", pointer)
    return value


def _check_tiers(tiers: tuple[Tier, ...]) -> None:
    if not 1 <= len(tiers) <= TIERS_MAX:
        raise PriceInvalid(f"a price has 1 to {TIERS_MAX} tiers", "/tiers")
    before = ZERO
    for index, tier in enumerate(tiers[:-1]):
        pointer = f"/tiers/{index}/up_to"
        if tier.up_to is None:
            raise OpenTierInTheMiddle("only the last tier has no end", pointer)
        if tier.up_to <= before:
            raise TiersOverlap(f"this tier has to end above {before:f}", pointer)
        before = tier.up_to
    if tiers[-1].up_to is not None:
        raise TiersEnd(
            "the last tier has no end: leave out its up_to", f"/tiers/{len(tiers) - 1}/up_to"
        )
