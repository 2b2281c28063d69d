"""Top-ups: asked for once for a lack, within their bounds, and silent for an hour when it came to nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flamewire_ledger.domain.credit_account import CREDIT
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.rejection import LimitReached, Malformed, NotAllowed, NotFound
from flamewire_ledger.domain.top_up import (
    CloseTopUp,
    RefuseTopUp,
    RemoveTopUpRule,
    ReopenTopUp,
    RequestTopUp,
    SetTopUpRule,
    TopUpAlarmed,
    TopUpClosed,
    TopUpRefused,
    TopUpReopened,
    TopUpRequested,
    TopUpRuleRemoved,
    TopUpRuleSet,
    decide,
    evolve,
    wanted_units,
)
from tests.domain.snapshots import through_json
from tests.domain.spec import Spec, fact

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
USD = Asset("USD", 2)


def credit(units: int) -> Amount:
    return Amount(CREDIT, units)


def rule(**changes: object) -> SetTopUpRule:
    given = SetTopUpRule(
        "tu_1", "ca_1", credit(10), credit(50), None, "USD", (), None, None, 60, 3600, NOON
    )
    return replace(given, **changes)


def request(
    number: int = 1, *, minutes: int = 0, units: int = 50, available: int = 0
) -> RequestTopUp:
    at = NOON + timedelta(minutes=minutes)
    due = Amount(USD, 5000)
    standing = {f"pi_{each}": True for each in range(1, number)}
    return RequestTopUp("tu_1", f"pi_{number}", credit(units), due, available, at, standing)


def close(number: int, outcome: str, *, minutes: int = 1) -> CloseTopUp:
    at = NOON + timedelta(minutes=minutes)
    return CloseTopUp("tu_1", f"pi_{number}", outcome, at)


def top_up() -> Spec:
    return Spec(decide, evolve)


def test_it_fills_up_to_the_target_or_adds_an_amount():
    spec = top_up().given(rule())
    assert [wanted_units(spec.state.rule, available) for available in (0, 9, 10)] == [50, 41, 0]
    spec = top_up().given(rule(target=None, amount=credit(7)))
    assert [wanted_units(spec.state.rule, available) for available in (0, 9, 10)] == [7, 7, 0]


def test_a_debt_is_filled_up_too_or_it_would_be_asked_for_again():
    spec = top_up().given(rule())
    assert wanted_units(spec.state.rule, -30) == 80
    spec.when(request(units=80, available=-30)).then(fact(TopUpRequested, available=credit(0)))


def test_no_more_is_asked_for_than_the_rule_wants_by_now():
    spec = top_up().given(rule())
    spec.when(request(units=50, available=5)).then_refused(NotAllowed)  # five came meanwhile
    spec.when(request(units=40, available=5)).then(TopUpRequested)  # five were burnt meanwhile
    spec = top_up().given(rule(target=None, amount=credit(7)))
    spec.when(request(units=8)).then_refused(NotAllowed)
    spec.when(request(units=6)).then_refused(NotAllowed)
    spec.when(request(units=7)).then(TopUpRequested)


def test_there_is_one_request_while_one_is_open():
    spec = top_up().given(rule()).when(request(1)).then(TopUpRequested)
    spec.when(request(2, minutes=120)).then_refused(NotAllowed)


def reopen(number: int, *, minutes: int = 2) -> ReopenTopUp:
    return ReopenTopUp("tu_1", f"pi_{number}", NOON + timedelta(minutes=minutes))


def test_what_the_chain_takes_back_is_open_again_and_no_other_is_asked_for():
    spec = top_up().given(rule(per_day_max=credit(80)), request(1), close(1, "paid"))
    undone = replace(request(2, minutes=5), standing={"pi_1": False})
    spec.when(undone).then_refused(NotAllowed)
    spec.when(replace(undone, standing={})).then_refused(NotAllowed)  # nobody has looked
    spec.when(reopen(1)).then(fact(TopUpReopened, number=1, payment_id="pi_1"))
    spec.when(reopen(1)).then()
    spec.when(request(2, minutes=5)).then_refused(NotAllowed)  # one is open
    # It comes again.
    spec.when(close(1, "paid", minutes=6)).then(fact(TopUpClosed, outcome="paid"))
    spec.when(request(2, minutes=7)).then_refused(LimitReached)
    # It is gone for good: at once there is another, and the day has room for it.
    spec.when(reopen(1, minutes=8)).then(TopUpReopened)
    gone = fact(TopUpClosed, outcome="taken_back", again_at=NOON + timedelta(minutes=1))
    spec.when(close(1, "expired", minutes=9)).then(gone)
    spec.when(request(2, minutes=9)).then(TopUpRequested)


def test_what_is_open_is_seen_to_before_what_was_paid():
    spec = top_up().given(rule(), request(1), close(1, "paid"), request(2, minutes=5))
    spec.when(reopen(1, minutes=6)).then_refused(NotAllowed)
    spec.given(close(2, "paid", minutes=7))
    spec.when(reopen(1, minutes=8)).then(TopUpReopened)
    assert [it.payment_id for it in spec.state.paid] == ["pi_2"]


def test_enough_credits_need_no_payment():
    top_up().given(rule()).when(request(available=10)).then_refused(NotAllowed)


def test_the_cooldown_is_kept_also_after_one_that_was_paid():
    spec = top_up().given(rule(cooldown_seconds=600), request(1), close(1, "paid"))
    spec.when(request(2, minutes=9)).then_refused(NotAllowed)
    spec.when(request(2, minutes=10)).then(TopUpRequested)


@pytest.mark.parametrize("outcome", ["expired", "canceled", "failed"])
def test_an_hour_passes_after_one_that_came_to_nothing(outcome: str):
    spec = top_up().given(rule(), request(1)).when(close(1, outcome)).then(TopUpClosed)
    spec.when(request(2, minutes=60)).then_refused(NotAllowed)
    spec.when(request(2, minutes=61)).then(TopUpRequested)


def test_an_hour_passes_after_one_that_could_not_be_made():
    refuse = RefuseTopUp("tu_1", "price_unavailable", "no price", NOON)
    spec = top_up().given(rule()).when(refuse).then(TopUpRefused)
    spec.when(refuse).then()  # within the hour nothing new
    spec.when(request(1, minutes=59)).then_refused(NotAllowed)
    spec.when(request(1, minutes=60)).then(TopUpRequested)


def test_a_day_and_a_month_have_a_most_and_what_nobody_paid_does_not_count():
    spec = top_up().given(rule(per_day_max=credit(60), per_month_max=credit(120)))
    spec.given(request(1), close(1, "expired"))
    spec.given(request(2, minutes=70), close(2, "paid", minutes=71))
    spec.when(request(3, minutes=80)).then_refused(LimitReached)
    spec.when(request(3, minutes=12 * 60)).then(TopUpRequested)  # the next day, and month


def test_a_month_outlasts_its_days():
    spec = top_up().given(rule(per_month_max=credit(60)))
    first = NOON.replace(day=1)
    spec.given(replace(request(1), at=first), close(1, "paid"))
    spec.when(replace(request(2), at=first + timedelta(days=20))).then_refused(LimitReached)


def test_the_third_within_ten_minutes_raises_an_alarm():
    spec = top_up().given(rule(cooldown_seconds=0))
    spec.given(request(1), close(1, "paid"), request(2, minutes=5), close(2, "paid", minutes=5))
    spec.when(request(3, minutes=9)).then(TopUpRequested, TopUpAlarmed)


def test_three_in_more_than_ten_minutes_do_not():
    spec = top_up().given(rule(cooldown_seconds=0))
    spec.given(request(1), close(1, "paid"), request(2, minutes=5), close(2, "paid", minutes=5))
    spec.when(request(3, minutes=10)).then(TopUpRequested)


def test_a_rule_that_was_removed_asks_no_more_and_its_open_request_is_still_closed():
    spec = top_up().given(rule(), request(1))
    spec.when(RemoveTopUpRule("tu_1", NOON)).then(TopUpRuleRemoved)
    spec.when(RemoveTopUpRule("tu_1", NOON)).then()
    spec.when(close(1, "paid")).then(TopUpClosed)
    spec.when(request(2, minutes=120)).then_refused(NotAllowed)
    spec.when(rule()).then(TopUpRuleSet)
    spec.when(request(2, minutes=120)).then(TopUpRequested)


def test_a_rule_that_is_set_as_it_is_says_nothing_new():
    top_up().given(rule()).when(rule(at=NOON + timedelta(days=1))).then()


def test_a_close_of_another_request_says_nothing():
    top_up().given(rule(), request(1)).when(close(2, "paid")).then()


def test_a_rule_has_a_target_or_an_amount():
    top_up().when(rule(amount=credit(1))).then_refused(Malformed)
    top_up().when(rule(target=None)).then_refused(Malformed)
    top_up().when(rule(target=credit(9))).then_refused(Malformed)
    by_amount = rule(target=None, amount=credit(20))
    top_up().when(replace(by_amount, per_day_max=credit(19))).then_refused(Malformed)
    top_up().when(replace(by_amount, per_month_max=credit(19))).then_refused(Malformed)
    top_up().when(request()).then_refused(NotFound)


def test_its_state_is_kept_by_a_snapshot():
    spec = top_up().given(rule(), request(1), close(1, "paid"), request(2, minutes=2))
    assert through_json(spec.state) == spec.state
