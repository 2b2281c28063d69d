"""Lines, rates and currencies of any kind: what is shown adds up to the last unit."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flamewire_ledger.domain.invoice import InvoiceLine, added_up, plain_rate, priced
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.rejection import Malformed

CURRENCIES = st.sampled_from([Asset("JPY", 0), Asset("EUR", 2), Asset("KWD", 3), Asset("x:W", 18)])
RATES = st.one_of(
    st.none(),
    st.sampled_from(["0", "7", "7.7", "19", "19.00", "21", "33.333333", "1000"]),
    st.decimals(0, 1000, places=6).map(lambda it: format(it, "f")),
)


@st.composite
def invoices(draw: st.DrawFn) -> tuple[list[InvoiceLine], Asset, bool]:
    currency = draw(CURRENCIES)
    rates = draw(st.lists(RATES, min_size=1, max_size=3))
    drawn = draw(
        st.lists(
            st.tuples(st.integers(0, 10**6), st.sampled_from(rates), st.booleans()),
            min_size=1,
            max_size=12,
        )
    )
    lines = [
        InvoiceLine(
            "x", "1", None, Amount(currency, units), _plain(rate), is_credit=back and units < 10**4
        )
        for units, rate, back in drawn
    ]
    return lines, currency, draw(st.booleans())


def _plain(rate: str | None) -> str | None:
    return None if rate is None else plain_rate(rate)


def _signed(line: InvoiceLine, units: int) -> int:
    return -units if line.is_credit else units


@settings(max_examples=300, deadline=None)
@given(invoices())
def test_lines_add_up_to_rates_and_rates_to_totals(made: Any) -> None:
    lines, currency, includes = made
    try:
        billed, sums = added_up(lines, currency, prices_include_tax=includes)
    except Malformed:
        rates: dict[str | None, int] = defaultdict(int)
        for line in lines:
            rates[line.tax_rate] += line.signed_units
        assert min(rates.values()) < 0
        return
    assert sums.net.units + sums.tax.units == sums.total.units
    assert sum(it.net.units for it in sums.taxes) == sums.net.units
    assert sum(it.tax.units for it in sums.taxes) == sums.tax.units
    for each in sums.taxes:
        members = [line for line in billed if line.tax_rate == each.rate]
        assert sum(_signed(it, it.net.units) for it in members) == each.net.units
        assert sum(_signed(it, it.tax.units) for it in members) == each.tax.units
    given_units = sum(line.signed_units for line in lines)
    assert (sums.total if includes else sums.net).units == given_units
    assert [line.description for line in billed] == [line.description for line in lines]


@settings(max_examples=300, deadline=None)
@given(invoices())
def test_tax_is_rounded_once_a_rate_and_no_line_is_off_by_a_unit(made: Any) -> None:
    lines, currency, includes = made
    try:
        billed, sums = added_up(lines, currency, prices_include_tax=includes)
    except Malformed:
        return
    for each in sums.taxes:
        percent = Fraction(each.rate or 0)
        part = percent / (100 + percent if includes else 100)
        members = [line for line in billed if line.tax_rate == each.rate]
        exact = sum(line.signed_units for line in members) * part
        assert abs(each.tax.units - exact) <= Fraction(1, 2)
        for line in members:
            assert abs(_signed(line, line.tax.units) - line.signed_units * part) < 1


@settings(max_examples=200, deadline=None)
@given(
    st.decimals(0, 10**9, places=6).map(lambda it: format(it, "f")),
    st.decimals(0, 10**4, places=9).map(lambda it: format(it, "f")),
    CURRENCIES,
)
def test_what_is_owed_rounds_up_and_what_is_given_back_down(
    quantity: str, price: str, currency: Asset
) -> None:
    exact = Fraction(quantity) * Fraction(price) * currency.units_per_major
    assert 0 <= priced(quantity, price, currency).units - exact < 1
    assert 0 <= exact - priced(quantity, price, currency, is_credit=True).units < 1
