"""Prices: the formulas, lines that add up to the last unit, and what is refused, by its field."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.billing import pricing
from flamewire_ledger.billing.pricing import (
    Commitment,
    Graduated,
    Package,
    Percentage,
    Price,
    Standard,
    Tier,
    Volume,
    apportion,
    charge,
    from_data,
    to_data,
    total,
    up_to_commitment,
)
from flamewire_ledger.domain.money import Amount, Asset, MoneyError

USD = Asset("USD", 2)
WEI = Asset("ethereum:ETH", 18)
D = Decimal


def due(price: Price, quantity: str, currency: Asset = USD) -> str:
    return total(charge(price, D(quantity), currency), currency).text


# The formulas, worked out by hand.


@pytest.mark.parametrize(
    ("quantity", "amount"), [("0", "0.00"), ("10", "0.00"), ("10.5", "0.01"), ("110", "2.00")]
)
def test_standard_is_quantity_times_price_beyond_what_is_free(quantity: str, amount: str):
    assert due(Standard(D("0.02"), free=D(10)), quantity) == amount


TIERS = (
    Tier(D(100), D("0.10"), flat=D(5)),
    Tier(D(1000), D("0.05"), flat=D(1)),
    Tier(None, D("0.01")),
)


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [
        ("0", "0.00"),
        ("1", "5.10"),
        ("100", "15.00"),  # the 100th unit is still of the first tier
        ("101", "16.05"),
        ("1000", "61.00"),
        ("1500", "66.00"),
    ],
)
def test_graduated_prices_each_unit_by_its_tier_and_adds_the_flat_fee_of_each_tier_entered(
    quantity: str, amount: str
):
    assert due(Graduated(TIERS), quantity) == amount


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [("0", "0.00"), ("1", "5.10"), ("100", "15.00"), ("101", "6.05"), ("1500", "15.00")],
)
def test_volume_prices_all_units_by_the_tier_that_holds_the_quantity(quantity: str, amount: str):
    assert due(Volume(TIERS), quantity) == amount


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [("0", "0.00"), ("5", "0.00"), ("5.001", "3.00"), ("105", "3.00"), ("106", "6.00")],
)
def test_a_package_that_was_begun_is_paid(quantity: str, amount: str):
    assert due(Package(D(3), size=D(100), free=D(5)), quantity) == amount


def test_a_percentage_has_its_least_and_most_by_event():
    price = Percentage(D("2.9"), minimum=D("0.30"), maximum=D(5))
    events = [D(1), D(100), D(1000)]  # 0.029 → 0.30, 2.90, 29 → 5
    lines = charge(price, D(1101), USD, events=events)
    assert total(lines, USD).text == "8.20"
    assert [line.unit_price for line in lines] == [None]


def test_a_percentage_without_bounds_needs_no_events():
    (line,) = charge(Percentage(D("2.9")), D(100), USD)
    assert (line.quantity, line.unit_price, line.amount.text) == (D(100), D("0.029"), "2.90")


def test_events_that_do_not_add_up_are_refused():
    with pytest.raises(pricing.PriceInvalid) as refused:
        charge(Percentage(D(1)), D(3), USD, events=[D(1), D(1)])
    assert refused.value.pointer == "/events"


@pytest.mark.parametrize(
    ("quantity", "amounts"),
    [("0", ["20.00"]), ("1000", ["10.00", "10.00"]), ("2000", ["20.00"]), ("3000", ["30.00"])],
)
def test_what_was_committed_is_owed_used_or_not(quantity: str, amounts: list[str]):
    lines = charge(Commitment(Standard(D("0.01")), D(20)), D(quantity), USD)
    assert [line.amount.text for line in lines] == amounts


def test_a_commitment_to_several_charges_is_one_more_line():
    lines = charge(Standard(D("0.01")), D(300), USD) + charge(Standard(D(1)), D(2), USD)
    assert up_to_commitment(lines, Amount.parse("4.00", USD)) == lines
    more = up_to_commitment(lines, Amount.parse("7.50", USD))
    assert more[:2] == lines
    assert more[2].amount.text == "2.50"


def test_the_lines_say_how_the_amount_was_made():
    lines = charge(Graduated(TIERS, free=D(10)), D(120), USD, name="eth_call")
    told = [(line.description, str(line.quantity), line.amount.text) for line in lines]
    assert told == [
        ("eth_call: free", "10", "0.00"),
        ("eth_call: tier 1", "100", "10.00"),
        ("eth_call: flat fee of tier 1", "1", "5.00"),
        ("eth_call: tier 2", "10", "0.50"),
        ("eth_call: flat fee of tier 2", "1", "1.00"),
    ]
    (entered,) = lines[3].detail
    assert (entered.number, entered.above, entered.up_to) == (2, D(100), D(1000))


def test_lines_of_two_currencies_do_not_add_up():
    with pytest.raises(MoneyError):
        total(charge(Standard(D(1)), D(1), WEI), USD)


# Properties.

numbers = st.decimals(min_value=0, max_value=10**12, places=9, allow_nan=False)
some = st.decimals(min_value=D("0.000000001"), max_value=10**12, places=9, allow_nan=False)
currencies = st.sampled_from([USD, WEI, Asset("JPY", 0), Asset("CREDIT", 6)])


@st.composite
def tiers(draw: st.DrawFn) -> tuple[Tier, ...]:
    ends = sorted(draw(st.sets(some, max_size=5)))
    return tuple(Tier(end, draw(numbers), draw(numbers)) for end in [*ends, None])


@st.composite
def percentages(draw: st.DrawFn) -> Percentage:
    least, most = sorted([draw(numbers), draw(numbers)])
    percent = draw(numbers)
    return draw(
        st.sampled_from(
            [
                Percentage(percent),
                Percentage(percent, least),
                Percentage(percent, None, most),
                Percentage(percent, least, most),
            ]
        )
    )


simple = st.one_of(
    st.builds(Standard, numbers, numbers),
    st.builds(Graduated, tiers(), numbers),
    st.builds(Volume, tiers(), numbers),
    st.builds(Package, numbers, some, numbers),
    percentages(),
)
prices = st.one_of(simple, st.builds(Commitment, simple, numbers))


def exact(price: Price, quantity: Decimal) -> Fraction:
    """facts/billing.md, literally, in fractions."""
    q = Fraction(quantity)
    if not isinstance(price, Percentage | Commitment):
        q = max(Fraction(0), q - Fraction(price.free))
    match price:
        case Standard():
            return q * Fraction(price.unit_price)
        case Graduated():
            amount, above = Fraction(0), Fraction(0)
            for tier in price.tiers:
                end = q if tier.up_to is None else min(q, Fraction(tier.up_to))
                amount += max(Fraction(0), end - above) * Fraction(tier.unit_price)
                amount += Fraction(tier.flat) if q > above else 0
                above = q if tier.up_to is None else Fraction(tier.up_to)
            return amount
        case Volume():
            holds = next(t for t in price.tiers if t.up_to is None or q <= Fraction(t.up_to))
            return q * Fraction(holds.unit_price) + Fraction(holds.flat) if q else Fraction(0)
        case Package():
            return ceil(q / Fraction(price.size)) * Fraction(price.price)
        case Percentage():
            fee = q * Fraction(price.percent) / 100
            fee = max(fee, Fraction(price.minimum or 0))
            fee = fee if price.maximum is None else min(fee, Fraction(price.maximum))
            return fee if q else Fraction(0)
        case Commitment():
            return max(exact(price.price, quantity), Fraction(price.commit))


@given(prices, numbers, currencies)
def test_lines_add_up_to_the_exact_price_rounded_once_for_every_model(
    price: Price, quantity: Decimal, currency: Asset
):
    units = exact(price, quantity) * currency.units_per_major
    lines = charge(price, quantity, currency)
    assert sum(line.amount.units for line in lines) == ceil(units)
    given_back = charge(price, quantity, currency, rounding="down")
    assert sum(line.amount.units for line in given_back) == floor(units)


@given(prices, numbers, currencies)
def test_each_line_is_within_one_unit_of_its_own_price(
    price: Price, quantity: Decimal, currency: Asset
):
    for line in charge(price, quantity, currency):
        if line.unit_price is not None:
            own = Fraction(line.quantity) * Fraction(line.unit_price) * currency.units_per_major
            assert abs(line.amount.units - own) < 1


@given(percentages(), st.lists(numbers, max_size=12), currencies)
def test_fees_by_event_add_up_each_within_its_bounds_and_are_rounded_once(
    price: Percentage, events: list[Decimal], currency: Asset
):
    fees = []
    for event in events:
        fee = Fraction(event) * Fraction(price.percent) / 100
        fee = max(fee, Fraction(price.minimum or 0))
        fees.append(fee if price.maximum is None else min(fee, Fraction(price.maximum)))
    quantity = sum(events, Decimal(0))
    lines = charge(price, quantity, currency, events=events)
    owed = ceil(sum(fees, Fraction(0)) * currency.units_per_major)
    assert sum(line.amount.units for line in lines) == owed


@given(tiers(), numbers, numbers, numbers)
def test_more_never_costs_less_where_tiers_are_graduated(
    graded: tuple[Tier, ...], free: Decimal, one: Decimal, other: Decimal
):
    less, more = sorted([one, other])
    price = Graduated(graded, free)
    assert total(charge(price, less, USD), USD) <= total(charge(price, more, USD), USD)


@given(prices)
def test_a_price_survives_its_data(price: Price):
    assert from_data(to_data(price)) == price


@given(st.lists(st.fractions(min_value=0, max_value=10**6), max_size=30), currencies)
def test_what_is_left_over_goes_to_the_largest_remainders(values: list[Fraction], currency: Asset):
    amounts = [amount.units for amount in apportion(values, currency)]
    units = [value * currency.units_per_major for value in values]
    assert sum(amounts) == ceil(sum(units, Fraction(0)))
    kept = [u - floor(u) for u, amount in zip(units, amounts, strict=True) if amount == floor(u)]
    raised = [u - floor(u) for u, amount in zip(units, amounts, strict=True) if amount > floor(u)]
    assert not kept or not raised or max(kept) <= min(raised)


def test_of_equal_remainders_the_first_is_raised():
    third = Fraction(1, 300)
    assert [amount.units for amount in apportion([third] * 4, USD)] == [1, 1, 0, 0]


# What is refused, and where.

GRADUATED = {"model": "graduated", "tiers": [{"up_to": "10", "unit_price": "1"}]}


def tiered(*ends: str | None) -> dict[str, Any]:
    return {"model": "volume", "tiers": [{"up_to": end, "unit_price": "1"} for end in ends]}


@pytest.mark.parametrize(
    ("data", "fault", "pointer"),
    [
        (tiered("10", "10", None), pricing.TiersOverlap, "/tiers/1/up_to"),
        (tiered("10", "5", None), pricing.TiersOverlap, "/tiers/1/up_to"),
        (tiered("10", None, None), pricing.OpenTierInTheMiddle, "/tiers/1/up_to"),
        (GRADUATED, pricing.TiersEnd, "/tiers/0/up_to"),
        (tiered("0", None), pricing.NumberInvalid, "/tiers/0/up_to"),
        ({"model": "graduated", "tiers": []}, pricing.PriceInvalid, "/tiers"),
        ({"model": "standard", "unit_price": "-1"}, pricing.NegativePrice, "/unit_price"),
        ({"model": "standard", "unit_price": 1}, pricing.NumberInvalid, "/unit_price"),
        ({"model": "standard", "unit_price": "1e9"}, pricing.NumberInvalid, "/unit_price"),
        ({"model": "standard", "unit_price": "NaN"}, pricing.NumberInvalid, "/unit_price"),
        ({"model": "standard", "unit_price": "1" * 41}, pricing.NumberInvalid, "/unit_price"),
        ({"model": "standard"}, pricing.MissingKey, "/unit_price"),
        ({"model": "standard", "unit_price": "1", "x/y": 1}, pricing.UnknownKey, "/x~1y"),
        ({"model": "fixed"}, pricing.UnknownModel, "/model"),
        ({}, pricing.UnknownModel, "/model"),
        ([], pricing.PriceInvalid, ""),
        ({"model": "package", "price": "1", "size": "0"}, pricing.NumberInvalid, "/size"),
        (
            {"model": "percentage", "percent": "1", "minimum": "2", "maximum": "1"},
            pricing.BoundsCrossed,
            "/maximum",
        ),
        (
            {"model": "commitment", "commit": "1", "price": tiered("2", "1", None)},
            pricing.TiersOverlap,
            "/price/tiers/1/up_to",
        ),
        (
            {"model": "commitment", "commit": "1", "price": {"model": "commitment"}},
            pricing.PriceInvalid,
            "/price/model",
        ),
    ],
)
def test_what_is_wrong_with_a_price_is_said_with_its_field(
    data: Any, fault: type[pricing.PriceInvalid], pointer: str
):
    with pytest.raises(pricing.PriceInvalid) as refused:
        from_data(data)
    assert type(refused.value) is fault
    assert refused.value.pointer == pointer


def test_a_price_made_in_code_is_checked_as_well():
    with pytest.raises(pricing.NegativePrice):
        Standard(D(-1))
    with pytest.raises(pricing.NumberInvalid):
        Standard(D("Infinity"))
    with pytest.raises(pricing.OpenTierInTheMiddle):
        Volume((Tier(None, D(1)), Tier(None, D(1))))


def test_a_quantity_below_zero_is_no_charge():
    with pytest.raises(pricing.NegativePrice):
        charge(Standard(D(1)), D(-1), USD)


def test_the_longest_numbers_there_are_stay_exact():
    big = D("9" * 40 + "." + "9" * 40)
    units = Fraction(big) * Fraction(D("0." + "0" * 39 + "1")) * 10**18
    lines = charge(Standard(D("0." + "0" * 39 + "1")), big, WEI)
    assert lines[0].amount.units == ceil(units)
