"""A price lock: made once, used once, judged by the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from flamewire_ledger.domain.money import Asset, Rate
from flamewire_ledger.domain.price_lock import (
    ExpirePriceLock,
    LockPrice,
    PriceLocked,
    PriceLockExpired,
    PriceLockUsed,
    Quote,
    UsePriceLock,
    decide,
    evolve,
)
from flamewire_ledger.domain.rejection import (
    AlreadyExists,
    LockExpired,
    LockUsed,
    Malformed,
    NotAllowed,
    NotFound,
)
from tests.domain.snapshots import through_json
from tests.domain.spec import Spec, fact

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RATE = Rate(Asset("bittensor:TAO", 9), Asset("USD", 2), Decimal("412.5"))
QUOTE = Quote("kraken", Decimal("412.5"), NOON)


def second(seconds):
    return NOON + timedelta(seconds=seconds)


def lock(payment_id=None, quotes=(QUOTE,), expires=900):
    return LockPrice("pl_1", RATE, quotes, NOON, second(expires), payment_id)


def use(payment_id="pi_1", at=10):
    return UsePriceLock("pl_1", payment_id, second(at))


def expire(at=900):
    return ExpirePriceLock("pl_1", second(at))


def story():
    return Spec(decide, evolve)


def test_a_lock_carries_every_quote_it_was_made_from():
    dropped = Quote("other", Decimal(999), NOON, "too far from the median")
    spec = story().when(lock(quotes=(QUOTE, dropped)))
    spec.then(fact(PriceLocked, rate=RATE, quotes=(QUOTE, dropped)))
    assert through_json(spec.state) == spec.state


def test_a_lock_is_made_once():
    story().given(lock()).when(lock()).then_refused(AlreadyExists)


def test_a_lock_rests_on_a_quote_that_counted_and_lasts():
    story().when(lock(quotes=())).then_refused(Malformed)
    story().when(lock(quotes=(Quote("a", Decimal(1), NOON, "stale"),))).then_refused(Malformed)
    story().when(lock(expires=0)).then_refused(Malformed)


def test_a_lock_is_used_once():
    spec = story().given(lock()).when(use()).then(PriceLockUsed)
    spec.when(use()).then_nothing_new()
    spec.when(use("pi_2")).then_refused(LockUsed)


def test_a_lock_made_for_a_payment_is_used_by_that():
    spec = story().given(lock("pi_1"))
    spec.when(use("pi_2")).then_refused(LockUsed)
    spec.when(use("pi_1")).then_nothing_new()


def test_a_lock_is_judged_by_the_clock_and_not_by_whether_somebody_said_so():
    spec = story().given(lock())
    spec.when(use(at=900)).then_refused(LockExpired)
    spec.when(use(at=899)).then(PriceLockUsed)


def test_a_lock_nobody_used_expires_once():
    spec = story().given(lock())
    spec.when(expire(at=899)).then_refused(NotAllowed)
    spec.when(expire()).then(PriceLockExpired)
    spec.when(expire()).then_nothing_new()
    spec.when(use()).then_refused(LockExpired)


def test_a_used_lock_does_not_expire():
    story().given(lock(), use()).when(expire()).then_nothing_new()


def test_a_lock_nobody_made_is_not_found():
    story().when(use()).then_refused(NotFound)
    story().when(expire()).then_refused(NotFound)
