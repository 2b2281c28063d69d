"""The price rules file: TOML in, rules out, or a sentence that says what is wrong in which rule.

[[rule]]
name = "tao for euros"
pair = "TAO-EUR"
sources = ["kraken", "coinbase"]
spread_percent = "0.5"
discount_percent = "0"
digits = 6
rounding = "down"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from flamewire_ledger.billing.price_rules import (
    DIGITS_MAX,
    RULES_MAX,
    PriceRule,
    PriceRuleError,
    rule_for,
)
from flamewire_ledger.domain.money import Asset, Rate
from flamewire_ledger.domain.price_lock import Quote
from flamewire_ledger.prices.board import PriceBoard
from flamewire_ledger.settings import SettingsError

_FIELDS: Final = {
    "name", "pair", "sources", "spread_percent", "discount_percent", "digits", "rounding",
}  # fmt: skip
_SOURCES: Final = ("kraken", "coinbase", "cryptocompare", "coingecko", "binance")
_PPM_A_PERCENT: Final = 10_000
_FILE_BYTES_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class PromisedPrices:
    """A board's rates with the rules applied, for who promises without a lock."""

    board: PriceBoard
    rules: Sequence[PriceRule]

    async def rate(
        self, base: Asset, quote: Asset, now: datetime
    ) -> tuple[Rate, tuple[Quote, ...]]:
        """What a lock would promise now. Raises PriceUnavailable."""
        rule = rule_for(self.rules, base.symbol, quote.symbol)
        sources = frozenset(rule.sources) if rule is not None and rule.sources else None
        pair = await self.board.pair(base, quote, now, sources)
        if rule is None or base.symbol == quote.symbol:
            return pair.rate, pair.quotes
        return Rate(base, quote, rule.applied(pair.rate.price)), pair.quotes


def read_price_rules(path: Path | None) -> Sequence[PriceRule]:
    """In their order. Raises SettingsError."""
    if path is None:
        return ()
    try:
        content = path.read_bytes()[: _FILE_BYTES_MAX + 1]
        table = tomllib.loads(content.decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"The price rules file cannot be read: {error}.") from None
    rules = table.pop("rule", [])
    if table or not isinstance(rules, list) or len(rules) > RULES_MAX:
        raise SettingsError(
            f"The price rules file holds up to {RULES_MAX} [[rule]] tables, no more."
        )
    try:
        found = [_rule(given) for given in rules]
    except PriceRuleError as error:
        raise SettingsError(f"A price rule is wrong: {error}.") from None
    names = [rule.name for rule in found]
    if len(set(names)) != len(names):
        raise SettingsError("Two price rules have the same name: a lock says which one it is by.")
    return tuple(found)


def _rule(given: Any) -> PriceRule:
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise PriceRuleError("each has a name in quotes")
    name = given["name"]
    if unknown := given.keys() - _FIELDS:
        raise PriceRuleError(f"{name}: there is no {', '.join(sorted(unknown))}")
    digits = given.get("digits", DIGITS_MAX)
    pair, rounding = given.get("pair", "*-*"), given.get("rounding", "down")
    if type(digits) is not int or not isinstance(pair, str) or not isinstance(rounding, str):
        raise PriceRuleError(f"{name}: digits are a whole number, pair and rounding are in quotes")
    return PriceRule(
        name=name,
        pair=pair.upper(),
        sources=_sources(name, given.get("sources", [])),
        spread_ppm=_ppm(given, "spread_percent"),
        discount_ppm=_ppm(given, "discount_percent"),
        digits=digits,
        rounding=rounding,  # type: ignore[arg-type]  # it looks for itself
    )


def _sources(name: str, given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(it, str) for it in given):
        raise PriceRuleError(f"{name}: sources are a list of names")
    if unknown := sorted(set(given) - set(_SOURCES)):
        known = ", ".join(_SOURCES)
        raise PriceRuleError(f"{name}: {', '.join(unknown)} is none of {known}")
    return tuple(given)


def _ppm(given: Mapping[str, Any], field: str) -> int:
    """A percentage in quotes, exact, as parts per million."""
    text = given.get(field, "0")
    try:
        ppm = Decimal(text) * _PPM_A_PERCENT if isinstance(text, str) else None
    except InvalidOperation:
        ppm = None
    if ppm is None or not ppm.is_finite() or ppm != ppm.to_integral_value():
        raise PriceRuleError(
            f'{given["name"]}: {field} is a number in quotes with up to 4 decimals, such as "0.5"'
        )
    return int(ppm)
