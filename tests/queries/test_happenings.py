"""What is followed in the log, small: percentiles, recurring revenue, and what waits."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.payment import PaymentTransferConfirmed, PaymentTransferDetected
from flamewire_ledger.domain.plan_terms import FixedPrice, Interval, PlanTerms, PlanVersion
from flamewire_ledger.domain.reconciliation import ReconciliationExceptionResolved
from flamewire_ledger.queries.happenings import Finality, Recurring, Waiting, _percentile

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
USD = Asset("USD", 2)


def plan(cents: int, unit: Any = "month", count: int = 1) -> PlanVersion:
    fixed = (FixedPrice("base", Amount(USD, cents)),)
    return PlanVersion("plan", "basic", 1, PlanTerms("Basic", USD, Interval(unit, count), fixed))


def said(name: str, *, days: int = 0, stream: str = "sub_1") -> Any:
    return SimpleNamespace(
        type=f"{name}.v1", stream_id=stream, recorded_at=NOON + timedelta(days=days)
    )


def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed() -> None:
    seconds = Counter({1: 50, 2: 40, 30: 10})
    assert [_percentile(seconds, percent) for percent in (50, 51, 90, 91, 99)] == [1, 2, 2, 30, 30]


def test_what_is_final_in_less_than_a_second_took_some_time() -> None:
    """Sandbox chains make four blocks a second."""
    finality = Finality()
    for number, milliseconds in enumerate((749, 750, 900, 30_000)):
        transfer = SimpleNamespace(key=f"k{number}", network="bittensor")
        seen = dict.fromkeys(PaymentTransferDetected.__slots__)
        seen |= {"payment_id": "pi_1", "transfer": transfer, "seen_at": NOON}
        finality.follow(PaymentTransferDetected(**seen), said("payment.transfer_detected"))
        final = dict.fromkeys(PaymentTransferConfirmed.__slots__)
        at = NOON + timedelta(milliseconds=milliseconds)
        final |= {"payment_id": "pi_1", "transfer": transfer, "confirmed_at": at}
        finality.follow(PaymentTransferConfirmed(**final), said("payment.transfer_confirmed"))
    assert finality.rows(NOON) == [("bittensor", 4, "0.8", "30.0", "30.0", "30.0", "30.0")]


def test_a_year_is_twelve_months_and_what_ends_is_no_revenue() -> None:
    recurring = Recurring()
    activated = SimpleNamespace(plan=plan(12_000, "year"), quantity=2, status="active")
    recurring.follow(activated, said("subscription.activated"))
    changed = SimpleNamespace(plan=plan(5_000), quantity=1, status="active")
    recurring.follow(changed, said("subscription.plan_changed", days=31))
    canceled = SimpleNamespace(status="canceled")
    recurring.follow(canceled, said("subscription.canceled", days=62))
    assert recurring.rows(NOON) == [
        ("2026-03", "USD", 1, 1, 0, "20.00"),
        ("2026-04", "USD", 1, 0, 0, "50.00"),
        ("2026-05", "USD", 0, 0, 1, "0.00"),
    ]


def test_a_month_in_which_nothing_changed_has_a_row() -> None:
    recurring = Recurring()
    activated = SimpleNamespace(plan=plan(1_000), quantity=1, status="active")
    recurring.follow(activated, said("subscription.activated"))
    rows = recurring.rows(NOON + timedelta(days=70))
    assert [(row[0], row[2], row[5]) for row in rows] == [
        ("2026-03", 1, "10.00"), ("2026-04", 1, "10.00"), ("2026-05", 1, "10.00"),
    ]  # fmt: skip
    recurring.follow(SimpleNamespace(status="canceled"), said("subscription.canceled", days=31))
    assert [row[0] for row in recurring.rows(NOON + timedelta(days=70))] == ["2026-03", "2026-04"]


def test_a_trial_is_no_revenue_until_it_is_paid_for() -> None:
    recurring = Recurring()
    trial = SimpleNamespace(plan=plan(1_000), quantity=1, status="trialing")
    recurring.follow(trial, said("subscription.trial_started"))
    assert recurring.rows(NOON) == []


def test_an_exception_waits_until_it_is_resolved() -> None:
    waiting = Waiting()
    held = (Amount(Asset("bittensor:TAO", 9), 5),)
    waiting._open["rx_1"] = ("reconciliation_exception", "under", held, NOON)
    rows = waiting.rows(NOON + timedelta(days=8))
    assert [(row[0], row[4], row[6], row[7]) for row in rows] == [
        ("reconciliation_exception", "0.000000005", 8, "under 30 d")
    ]
    resolved = ReconciliationExceptionResolved("rc_1", "rx_1", "ignored", "dust", NOON)
    waiting.follow(resolved, said("reconciliation.exception_resolved"))
    assert waiting.rows(NOON) == []
