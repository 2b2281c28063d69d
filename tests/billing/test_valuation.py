"""What a posting was worth: by what is recorded, in order, and by nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from flamewire_ledger.billing.valuation import Lock, Recorded, Sampled, price_of
from flamewire_ledger.domain.money import Amount, Asset

USD, EUR = Asset("USD", 2), Asset("EUR", 2)
TAO = Asset("bittensor:TAO", 9)
ONE = Amount(TAO, 10**9)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SAMPLE = Sampled(Decimal("500"), NOON, "quorum")
LOCK = Lock(Decimal("412.5"), "USD")
EURO = Sampled(Decimal("1.25"), NOON, "quorum")


def value(
    recorded: Recorded, amount: Amount = ONE, currency: Asset = USD
) -> tuple[int, str] | None:
    priced = price_of(amount, recorded, currency)
    return None if priced is None else (priced.units, priced.source)


def test_money_is_worth_what_is_written_on_it():
    assert value(Recorded(sample=SAMPLE), Amount(USD, 250)) == (250, "face")


@pytest.mark.parametrize("standing", ["in_time", "honoured"])
def test_what_counted_at_its_lock_is_worth_that(standing: str):
    assert value(Recorded(standing, lock=LOCK, sample=SAMPLE)) == (41250, "lock")


def test_what_was_repriced_is_worth_what_it_was_counted_for():
    worth = Amount(USD, 40000)
    assert value(Recorded("repriced", worth, LOCK, SAMPLE)) == (40000, "worth")


@pytest.mark.parametrize("standing", ["late", "canceled", "wrong_asset", None])
def test_what_has_no_lock_in_force_goes_by_the_market(standing: str | None):
    assert value(Recorded(standing, lock=LOCK, sample=SAMPLE)) == (50000, "sample")


def test_a_lock_that_was_over_is_better_than_nothing():
    assert value(Recorded("late", lock=LOCK)) == (41250, "lock")


def test_without_a_recorded_price_there_is_no_value():
    assert value(Recorded("in_time")) is None
    assert value(Recorded("in_time", lock=LOCK), currency=EUR) is None


def test_another_currency_goes_by_its_sample():
    assert value(Recorded("in_time", lock=LOCK, currency_sample=EURO), currency=EUR) == (
        33000,
        "lock",
    )
    assert value(Recorded(sample=SAMPLE, currency_sample=EURO), currency=EUR) == (40000, "sample")


def test_cents_are_rounded_half_to_even():
    dollar = Sampled(Decimal("1"), NOON, "quorum")
    for units, cents in ((15_000_000, 2), (25_000_000, 2), (25_000_001, 3), (4_999_999, 0)):
        assert value(Recorded(sample=dollar), Amount(TAO, units)) == (cents, "sample")
