"""Price rules: what is promised for a pair, given what the market says. Data, applied in one place.

A rule says for which pairs it is, whose word counts, what the seller keeps (spread) or gives
(discount), and how the rate is rounded. The first that fits is the one. The rate is what one `base`,
which is paid with, is worth in `quote`, which is asked for: a spread makes it less, so that the
payer owes more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Context, Decimal
from fnmatch import fnmatchcase
from typing import Final, Literal, TypeAlias

Rounding: TypeAlias = Literal["down", "half_even", "up"]
PPM_MAX: Final = 500_000  # half: a rule that takes or gives more is a slip of the pen
DIGITS_MAX: Final = 18
NAME_MAX: Final = 64
RULES_MAX: Final = 100
_MILLION: Final = 1_000_000
_EXACT: Final = Context(prec=60)
_ROUNDINGS: Final = {"down": ROUND_DOWN, "half_even": ROUND_HALF_EVEN, "up": ROUND_UP}


class PriceRuleError(ValueError):
    """A rule that cannot be meant. The sentence says what one may be."""


@dataclass(frozen=True, slots=True)
class PriceRule:
    """One rule. `pair` is `BASE-QUOTE` in symbols, where * stands for any letters: `TAO-*`."""

    name: str
    pair: str = "*-*"
    sources: tuple[str, ...] = ()  # none: whatever the sources agree on
    spread_ppm: int = 0  # what the seller keeps
    discount_ppm: int = 0  # what the payer is given
    digits: int = DIGITS_MAX  # significant ones of the rate
    rounding: Rounding = "down"  # so that what is owed is never too little

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= NAME_MAX:
            raise PriceRuleError(f"a price rule has a name of 1 to {NAME_MAX} characters")
        if self.pair.count("-") != 1 or not all(self.pair.split("-")):
            raise PriceRuleError(f"{self.name}: a pair is BASE-QUOTE, such as TAO-USD or *-EUR")
        for what, ppm in (("spread", self.spread_ppm), ("discount", self.discount_ppm)):
            if not 0 <= ppm <= PPM_MAX:
                raise PriceRuleError(f"{self.name}: a {what} is from 0 to 50 %")
        if not 1 <= self.digits <= DIGITS_MAX:
            raise PriceRuleError(f"{self.name}: a rate has 1 to {DIGITS_MAX} significant digits")
        if self.rounding not in _ROUNDINGS:
            raise PriceRuleError(f"{self.name}: rounding is one of {', '.join(_ROUNDINGS)}")

    def is_for(self, base: str, quote: str) -> bool:
        wanted_base, wanted_quote = self.pair.split("-")
        return fnmatchcase(base, wanted_base) and fnmatchcase(quote, wanted_quote)

    def applied(self, market: Decimal) -> Decimal:
        """The rate that is promised where the market says this: exact until it is rounded once."""
        kept = Decimal(_MILLION - self.spread_ppm)
        asked = Decimal(_MILLION - self.discount_ppm)
        exact = _EXACT.divide(_EXACT.multiply(market, kept), asked)
        rounded = Context(prec=self.digits, rounding=_ROUNDINGS[self.rounding]).plus(exact)
        return rounded.normalize(Context(prec=DIGITS_MAX)) + 0


def rule_for(rules: Sequence[PriceRule], base: str, quote: str) -> PriceRule | None:
    """The first that fits this pair of symbols."""
    return next((rule for rule in rules if rule.is_for(base, quote)), None)
