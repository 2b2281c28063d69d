"""From quotes to one price."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from flamewire_ledger.domain.price_lock import Quote
from flamewire_ledger.prices.median import Trust, judge, median

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def quote(price: str, age_seconds: int = 0, source: str = "a") -> Quote:
    return Quote(source, Decimal(price), NOW - timedelta(seconds=age_seconds))


def dropped(*quotes: Quote) -> list[str]:
    return [(each.dropped or "").partition(":")[0] for each in judge(quotes, NOW).quotes]


def test_three_sources_that_agree_give_the_middle_one() -> None:
    assert judge([quote("412.7"), quote("412.5"), quote("412.2")], NOW).price == Decimal("412.5")


def test_the_mean_of_two_is_exact() -> None:
    prices = [Decimal("0.1234567890123456789012345678901"), Decimal("0.3")]
    assert median(prices) == Decimal("0.21172839450617283945061728394505")


def test_an_outlier_among_three_does_not_count_and_is_kept_with_its_reason() -> None:
    verdict = judge([quote("100"), quote("100.1"), quote("150")], NOW)
    assert verdict.price == Decimal("100.05")
    assert [each.dropped is None for each in verdict.quotes] == [True, True, False]
    assert verdict.quotes[2].dropped == "outlier: +49.85 % from the median"


def test_two_percent_apart_is_no_outlier_however_close_the_others_are() -> None:
    assert dropped(quote("100"), quote("100"), quote("102")) == ["", "", ""]
    assert dropped(quote("100"), quote("100"), quote("102.01")) == ["", "", "outlier"]


def test_wide_agreement_widens_what_is_allowed() -> None:
    """Five median absolute deviations: sources that are all apart allow for more."""
    assert dropped(quote("99"), quote("100"), quote("101"), quote("104.9"), quote("98")) == [""] * 5
    assert dropped(quote("99"), quote("100"), quote("101"), quote("106"), quote("98")) == [
        "", "", "", "outlier", "",
    ]  # fmt: skip


def test_a_quote_older_than_two_minutes_does_not_count() -> None:
    assert dropped(quote("1", 120), quote("1", 121), quote("1", -121)) == ["", "stale", "stale"]


def test_a_stale_outlier_does_not_move_the_median_it_is_judged_by() -> None:
    verdict = judge([quote("100"), quote("101"), quote("1000", 500), quote("1000", 500)], NOW)
    assert verdict.price == Decimal("100.5")


def test_nonsense_is_no_price() -> None:
    assert dropped(quote("0"), quote("-1"), quote("NaN"), quote("Infinity")) == ["not a price"] * 4


def test_one_source_is_not_enough_unless_it_is_said_to_be() -> None:
    assert judge([quote("5")], NOW).price is None
    assert judge([quote("5")], NOW, Trust(survivors_min=1)).price == Decimal(5)


def test_no_source_gives_no_price() -> None:
    assert judge([], NOW).price is None


def test_half_against_half_is_no_price() -> None:
    """The median lies where nobody is, and the deviation lets everybody in."""
    assert judge([quote("1"), quote("10")], NOW).price is None
    assert judge([quote("1"), quote("1.01"), quote("10"), quote("10.1")], NOW).price is None
    assert judge([quote("1"), quote("5"), quote("10")], NOW).price is None


def test_halves_that_are_further_apart_than_a_price_may_be_off_give_none() -> None:
    """Who of two is right is not known: the price between them is 2 % from each at most."""
    assert judge([quote("100"), quote("104")], NOW).price == 102
    assert judge([quote("100"), quote("104.1")], NOW).price is None
    assert judge([quote("100"), quote("100"), quote("105"), quote("105")], NOW).price is None
    assert judge([quote("99"), quote("100"), quote("104"), quote("105")], NOW).price == 102


def silent() -> Quote:
    return Quote("b", None, NOW, dropped="silent: it is down")


def test_where_somebody_is_outvoted_it_takes_a_majority_of_all() -> None:
    liars = [quote("10"), quote("10")]
    assert judge([*liars, quote("1"), silent(), silent()], NOW).price is None
    honest = [quote("1"), quote("1"), quote("1")]
    verdict = judge([*honest, *liars], NOW)
    assert (verdict.price, verdict.outvoted) == (1, (10, 10))


def test_where_nobody_is_outvoted_two_are_enough() -> None:
    verdict = judge([quote("1"), quote("1"), silent(), silent(), silent()], NOW)
    assert (verdict.price, verdict.is_disputed) == (1, False)


def test_what_was_dropped_before_keeps_its_reason() -> None:
    verdict = judge([quote("1"), quote("1"), silent()], NOW)
    assert verdict.quotes[2].dropped == "silent: it is down"
