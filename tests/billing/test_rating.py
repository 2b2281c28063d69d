"""Rating: usage goes to its price, is priced together, and late usage is a difference."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flamewire_ledger.billing.pricing import (
    Commitment,
    Graduated,
    Package,
    Standard,
    Tier,
    UnknownKey,
    Volume,
    charge,
    total,
)
from flamewire_ledger.billing.rating import (
    PriceEntry,
    PriceList,
    UnpricedUsage,
    Used,
    adjust,
    price_list_from_data,
    price_list_to_data,
    rate,
)
from flamewire_ledger.domain.money import Amount, Asset

USD = Asset("USD", 2)
D = Decimal
TIERS = (Tier(D(100), D("0.10")), Tier(None, D("0.05")))
LIST = PriceList(
    (
        PriceEntry("calls", Graduated(TIERS), "calls"),
        PriceEntry("calls", Standard(D(1)), "traces", (("method", "trace"),)),
        PriceEntry("bytes", Standard(D("0.001")), "bytes"),
    )
)


def calls(quantity: str, method: str = "eth_call") -> Used:
    return Used("calls", {"method": method}, D(quantity))


def test_tiers_are_of_the_sum_and_a_group_has_its_own_price():
    lines = rate([calls("80"), calls("70", "eth_getLogs"), calls("3", "trace")], LIST, USD)
    assert [(it.description, it.amount.text) for it in lines] == [
        ("calls: tier 1", "10.00"),
        ("calls: tier 2", "2.50"),
        ("traces", "3.00"),
    ]


def test_usage_without_a_price_is_never_given_away_unsaid():
    with pytest.raises(UnpricedUsage):
        rate([Used("other", {}, D(1))], LIST, USD)


def test_a_commitment_is_over_all_entries():
    prices = PriceList(LIST.entries, Amount.parse("20.00", USD))
    assert total(rate([calls("10")], prices, USD), USD).text == "20.00"
    assert total(rate([calls("10"), calls("30", "trace")], prices, USD), USD).text == "31.00"


def test_late_usage_is_the_difference_to_what_was_billed():
    found = adjust([calls("90")], [calls("90"), calls("20")], LIST, USD)
    assert [it.amount.text for it in found.owed] == ["1.50"]
    assert found.given_back == ()


def test_late_usage_that_makes_all_of_it_cheaper_is_given_back():
    prices = PriceList((PriceEntry("calls", Volume(TIERS), "calls"),))
    found = adjust([calls("100")], [calls("101")], prices, USD)
    assert found.owed == ()
    assert [it.amount.text for it in found.given_back] == ["4.95"]


def test_late_usage_within_a_commitment_costs_nothing():
    prices = PriceList(LIST.entries, Amount.parse("20.00", USD))
    assert adjust([calls("10")], [calls("20")], prices, USD).owed == ()
    beyond = adjust([calls("10")], [calls("10"), calls("24", "trace")], prices, USD)
    assert [it.amount.text for it in beyond.owed] == ["5.00"]


usage = st.lists(
    st.builds(
        Used,
        st.sampled_from(["calls", "bytes"]),
        st.sampled_from([{}, {"method": "trace"}, {"method": "eth_call", "chain": "eth"}]),
        st.decimals(0, 10**4, places=3),
        st.none(),
    ),
    max_size=12,
)
models = st.sampled_from(
    [
        Standard(D("0.0137"), free=D(7)),
        Graduated((Tier(D(100), D("0.103"), D("0.5")), Tier(None, D("0.051")))),
        Volume(TIERS),
        Package(D("0.99"), D(7)),
        Commitment(Standard(D("0.013")), D(5)),
    ]
)


@st.composite
def price_lists(draw: st.DrawFn) -> PriceList:
    trace = (("method", "trace"),)
    entries = (
        PriceEntry("calls", draw(models), "calls"),
        PriceEntry("calls", draw(models), "traces", trace),
        PriceEntry("bytes", draw(models), "bytes"),
    )
    commit = draw(st.sampled_from([None, 1, 5_000, 100_000]))
    return PriceList(entries, None if commit is None else Amount(USD, commit))


@given(usage, usage, price_lists())
def test_what_was_billed_and_what_is_adjusted_add_up(
    before: list[Used], late: list[Used], prices: PriceList
):
    after = [*before, *late]
    found = adjust(before, after, prices, USD)
    billed = total(rate(before, prices, USD), USD) + total(found.owed, USD)
    assert billed - total(found.given_back, USD) == total(rate(after, prices, USD), USD)


@given(usage, price_lists())
def test_a_bill_is_the_sum_of_its_prices_and_never_less_than_its_commitment(
    used: list[Used], prices: PriceList
):
    sums: Counter[PriceEntry] = Counter()
    for each in used:
        is_trace = each.group.get("method") == "trace"
        sums[prices.entries[2 if each.meter_id == "bytes" else is_trace]] += each.quantity
    charged = sum(total(charge(it.price, D(sums[it]), USD), USD).units for it in prices.entries)
    least = 0 if prices.commit is None else prices.commit.units
    lines = rate(reversed(used), prices, USD)
    assert sum(line.amount.units for line in lines) == max(charged, least)


def test_a_price_list_survives_its_data_and_says_what_is_wrong():
    prices = PriceList(LIST.entries, Amount.parse("20.00", USD))
    data = price_list_to_data(prices)
    assert price_list_from_data(data, USD) == prices
    data["entries"][1]["price"]["x"] = "1"
    with pytest.raises(UnknownKey) as refused:
        price_list_from_data(data, USD)
    assert refused.value.pointer == "/entries/1/price/x"
