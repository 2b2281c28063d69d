"""Recurring grants: when periods begin, what an outage leaves, and what is never granted twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flamewire_ledger.domain.credit_account import (
    CancelRecurringGrant,
    CreditsGranted,
    GrantRecurring,
    RecurringGrantSkipped,
    SetRecurringGrant,
    decisions,
)
from flamewire_ledger.domain.credit_account.recurring import (
    PERIODS_AT_ONCE_MAX,
    RULES_MAX,
    first_period_from,
    period_start,
)
from flamewire_ledger.domain.rejection import AlreadyExists, LimitReached, Malformed, NotFound
from tests.domain.credit_account.samples import ACCOUNT, NOON, account, consume, credit, opened
from tests.domain.spec import fact

DAY = 86_400
LAST = datetime(2026, 1, 31, 12, tzinfo=UTC)


def rule(name: str = "rg_1", **changes: object) -> SetRecurringGrant:
    given = {"every": "day", "anchor": NOON, "source": "granted", "at": NOON, **changes}
    return SetRecurringGrant(ACCOUNT, name, credit(10), **given)


def due(days: float = 0) -> GrantRecurring:
    return GrantRecurring(ACCOUNT, "rg_1", NOON + timedelta(days=days))


def test_months_keep_to_the_day_of_their_anchor():
    starts = [period_start(LAST, "month", number) for number in range(5)]
    assert [(it.month, it.day) for it in starts] == [(1, 31), (2, 28), (3, 31), (4, 30), (5, 31)]
    assert period_start(LAST, "month", 25).date().isoformat() == "2028-02-29"
    assert {it.hour for it in starts} == {12}


@pytest.mark.parametrize("every", ["day", "week", "month"])
def test_the_first_period_is_the_first_that_is_not_in_the_past(every: str):
    for hours in range(0, 24 * 100, 7):
        at = LAST + timedelta(hours=hours)
        number = first_period_from(LAST, every, at)
        assert period_start(LAST, every, number) >= at
        assert number == 0 or period_start(LAST, every, number - 1) < at


def test_a_period_is_granted_once():
    spec = account().given(opened(), rule())
    spec.when(due()).then(fact(CreditsGranted, amount=credit(10), expires_at=None))
    spec.when(due(0.9)).then()
    spec.when(due(1)).then(CreditsGranted)


def test_missed_periods_are_made_up_for():
    spec = account().given(opened(), rule())
    spec.when(due(3.5)).then(*[CreditsGranted] * 4)
    assert len({event.grant_id for event in spec.events[2:]}) == 4


def test_those_that_would_have_lapsed_are_skipped_in_one_fact():
    spec = account().given(opened(), rule(expires_after_seconds=2 * DAY))
    spec.when(due(5.5)).then(
        fact(RecurringGrantSkipped, first_period=0, last_period=3, reason="lapsed"),
        fact(CreditsGranted, expires_at=NOON + timedelta(days=6)),
        fact(CreditsGranted, expires_at=NOON + timedelta(days=7)),
    )


def test_a_long_outage_is_worked_off_in_pieces():
    spec = account().given(opened(), rule())
    spec.when(due(60)).then(*[CreditsGranted] * PERIODS_AT_ONCE_MAX)
    spec.when(due(60)).then(*[CreditsGranted] * (61 - PERIODS_AT_ONCE_MAX))


def test_where_there_are_too_many_grants_a_period_is_skipped_and_said_to_be(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(decisions, "GRANTS_LIVE_MAX", 3)
    spec = account().given(opened(), rule(expires_after_seconds=4 * DAY))
    spec.when(due(7.5)).then(
        fact(RecurringGrantSkipped, first_period=0, last_period=3, reason="lapsed"),
        *[CreditsGranted] * 3,
        fact(RecurringGrantSkipped, first_period=7, last_period=7, reason="too_many_grants"),
    )
    spec.when(due(7.9)).then()  # it is not asked about again
    spec.given(consume(10, at=8 * 24 * 60 - 1))
    spec.when(due(8)).then(CreditsGranted)


def test_a_period_that_only_pays_a_debt_needs_no_room(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(decisions, "GRANTS_LIVE_MAX", 0)
    spec = account().given(opened(overage_max=15), consume(13), rule())
    spec.when(due(1)).then(
        fact(CreditsGranted, settles=credit(10)),
        fact(RecurringGrantSkipped, reason="too_many_grants"),
    )


def test_it_ends_where_it_was_said_to():
    spec = account().given(opened(), rule(until=NOON + timedelta(days=2)))
    spec.when(due(30)).then(CreditsGranted, CreditsGranted)
    spec.when(due(60)).then()


def test_what_is_owed_is_settled_first():
    spec = account().given(opened(overage_max=15), consume(13), rule())
    spec.when(due(1)).then(
        fact(CreditsGranted, settles=credit(10)), fact(CreditsGranted, settles=credit(3))
    )
    assert spec.state.owed == 0


def test_a_rule_that_is_canceled_grants_no_more():
    spec = account().given(opened(), rule(), due())
    spec.given(CancelRecurringGrant(ACCOUNT, "rg_1", NOON))
    spec.when(due(9)).then()
    spec.when(CancelRecurringGrant(ACCOUNT, "rg_1", NOON)).then_refused(NotFound)


def test_a_rule_that_could_not_be_is_refused():
    spec = account().given(opened(), rule())
    spec.when(rule()).then_refused(AlreadyExists)
    spec.when(rule("rg_2", until=NOON)).then_refused(Malformed)
    for number in range(2, RULES_MAX + 1):
        spec.given(rule(f"rg_{number}"))
    spec.when(rule("rg_x")).then_refused(LimitReached)
