"""Amounts and rates: exact, and rounded only in the direction that is said."""

from __future__ import annotations

import pickle
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flamewire_ledger.domain.money import (
    DECIMALS_MAX,
    Amount,
    Asset,
    MoneyError,
    Rate,
    share,
)

USD = Asset("USD", 2)
TAO = Asset("bittensor:TAO", 9)
ETH = Asset("ethereum:ETH", 18)

assets = st.builds(Asset, st.just("ethereum:ANY"), st.integers(0, DECIMALS_MAX))
units = st.integers(0, 2**256 - 1)
prices = st.decimals("0.000000001", "100000000", allow_nan=False, places=9)


@given(assets, units)
def test_every_amount_reads_back_from_its_own_text(asset, number):
    amount = Amount(asset, number)
    assert Amount.parse(amount.text, asset) == amount


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "+1", "-1", "1.", ".5", "01", "1e3", "1E3", "NaN", "Infinity", "1,5", "1_0",
     "0x1", "١", "1.001", "1\n", "1" * 200],
)  # fmt: skip
def test_what_is_no_plain_decimal_of_the_asset_is_refused(text):
    with pytest.raises(MoneyError):
        Amount.parse(text, USD)


def test_fewer_decimals_than_there_are_mean_zeros():
    assert Amount.parse("25", USD) == Amount.parse("25.0", USD) == Amount(USD, 2500)


@pytest.mark.parametrize("number", [1.0, "1", True, Decimal(1), None])
def test_units_are_whole_numbers_and_nothing_else(number):
    with pytest.raises(MoneyError):
        Amount(USD, number)


@pytest.mark.parametrize("number", [-1, 2**256])
def test_units_are_bounded(number):
    with pytest.raises(MoneyError):
        Amount(USD, number)


@given(units, units)
def test_sums_and_differences_are_exact_or_refused(one, other):
    assume(one + other < 2**256)
    assert (Amount(TAO, one) + Amount(TAO, other)) - Amount(TAO, other) == Amount(TAO, one)
    if one < other:
        with pytest.raises(MoneyError):
            Amount(TAO, one) - Amount(TAO, other)


def test_two_assets_never_meet():
    for meet in (
        lambda: Amount(USD, 1) + Amount(TAO, 1),
        lambda: Amount(USD, 1) - Amount(TAO, 1),
        lambda: Amount(USD, 1) < Amount(TAO, 1),
        lambda: Amount(USD, 1) <= Amount(Asset("USD", 3), 1),
    ):
        with pytest.raises(MoneyError):
            meet()


def test_the_same_symbol_on_two_networks_is_two_assets():
    assert Asset("ethereum:USDC", 6) != Asset("sui:USDC", 6)
    assert Asset("ethereum:USDC", 6).network == "ethereum"
    assert Asset("ethereum:USDC", 6).symbol == "USDC"
    assert USD.network is None


def test_an_amount_does_not_change():
    amount = Amount(USD, 1)
    with pytest.raises(AttributeError):
        amount.units = 2
    with pytest.raises(AttributeError):
        del amount.units
    assert pickle.loads(pickle.dumps(amount)) == amount
    assert hash(amount) == hash(Amount(USD, 1))


@pytest.mark.parametrize(("code", "decimals"), [("", 2), ("x" * 129, 2), ("USD", -1), ("USD", 37)])
def test_an_asset_has_a_name_and_decimals_within_bounds(code, decimals):
    with pytest.raises(MoneyError):
        Asset(code, decimals)


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity", "sNaN", "1E+41", "1E-41"])
def test_a_price_is_positive_finite_and_of_a_size(price):
    with pytest.raises(MoneyError):
        Rate(TAO, USD, Decimal(price))


@given(st.integers(1, 10**15), prices)
def test_what_is_due_is_rounded_up_and_not_by_more_than_a_unit(cents, price):
    rate = Rate(TAO, USD, price)
    due = rate.base_for(Amount(USD, cents))
    exact = Fraction(cents, 100) / Fraction(price) * 10**9
    assert exact <= due.units < exact + 1
    assert rate.quote_for(due) >= Amount(USD, cents)


@given(st.integers(0, 10**30), prices)
def test_what_something_is_worth_is_rounded_down_and_not_by_more_than_a_unit(wei, price):
    worth = Rate(ETH, USD, price).quote_for(Amount(ETH, wei))
    exact = Fraction(wei, 10**18) * Fraction(price) * 100
    assert exact - 1 < worth.units <= exact


def test_the_example_of_the_documentation():
    rate = Rate(TAO, USD, Decimal("412.5"))
    assert rate.base_for(Amount(USD, 2500)).text == "0.060606061"


def test_a_rate_knows_which_side_it_is_asked_about():
    rate = Rate(TAO, USD, Decimal("412.5"))
    with pytest.raises(MoneyError):
        rate.base_for(Amount(TAO, 1))
    with pytest.raises(MoneyError):
        rate.quote_for(Amount(USD, 1))


@given(st.integers(0, 10**20), st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_share_is_never_more_than_its_part(number, part, whole):
    assert share(Amount(TAO, number), part, whole).units * whole <= number * part


def test_a_share_is_of_something():
    with pytest.raises(MoneyError):
        share(Amount(TAO, 1), 1, 0)
    with pytest.raises(MoneyError):
        share(Amount(TAO, 1), -1, 1)
