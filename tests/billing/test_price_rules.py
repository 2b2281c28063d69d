"""What is promised for a pair, given what the market says."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.billing.price_rules import PPM_MAX, PriceRule, PriceRuleError, rule_for

MARKET = Decimal("412.5")


def test_without_spread_and_discount_the_market_is_promised() -> None:
    assert PriceRule("plain").applied(MARKET) == MARKET


def test_a_spread_is_kept_by_the_seller_and_a_discount_given_to_the_payer() -> None:
    assert PriceRule("kept", spread_ppm=10_000).applied(MARKET) == Decimal("408.375")
    # Who is given 20 % owes 80 of 100: a TAO is worth 1.25 times as much to them.
    assert PriceRule("given", discount_ppm=200_000).applied(MARKET) == Decimal("515.625")


def test_a_rate_is_rounded_once_and_as_the_rule_says() -> None:
    down = PriceRule("down", spread_ppm=1, digits=3)
    assert down.applied(MARKET) == 412
    assert PriceRule("up", spread_ppm=1, digits=3, rounding="up").applied(MARKET) == 413
    assert PriceRule("even", digits=3, rounding="half_even").applied(Decimal("412.5")) == 412


@given(
    st.decimals(min_value="1e-12", max_value="1e12", places=12),
    st.integers(0, PPM_MAX),
    st.integers(0, PPM_MAX),
    st.integers(1, 18),
)
def test_rounded_down_is_never_more_than_exact_and_less_than_a_digit_off(
    market: Decimal, spread: int, discount: int, digits: int
) -> None:
    rule = PriceRule("any", spread_ppm=spread, discount_ppm=discount, digits=digits)
    promised = rule.applied(market)
    asked = market * (1_000_000 - spread)
    assert promised * (1_000_000 - discount) <= asked
    step = Decimal(1).scaleb(promised.adjusted() - digits + 1)
    assert (promised + step) * (1_000_000 - discount) > asked * (1 - Decimal("1e-25"))


def test_the_first_rule_that_fits_is_the_one() -> None:
    rules = [PriceRule("tao in euros", "TAO-EUR"), PriceRule("tao", "TAO-*"), PriceRule("all")]

    def named(base: str, quote: str) -> str:
        rule = rule_for(rules, base, quote)
        assert rule is not None
        return rule.name

    assert named("TAO", "EUR") == "tao in euros"
    assert named("TAO", "USD") == "tao"
    assert named("ETH", "USD") == "all"
    assert rule_for(rules[:2], "ETH", "USD") is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"pair": "TAO"},
        {"pair": "TAO-"},
        {"pair": "A-B-C"},
        {"spread_ppm": -1},
        {"discount_ppm": PPM_MAX + 1},
        {"digits": 0},
        {"digits": 19},
        {"rounding": "sideways"},
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict) -> None:
    with pytest.raises(PriceRuleError):
        PriceRule(**{"name": "rule", **wrong})
