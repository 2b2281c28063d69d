"""Granting and burning: order, expiry, what is not enough, what is owed."""

from __future__ import annotations

import pytest

from flamewire_ledger.domain.credit_account import (
    CreditAccountOpened,
    CreditsConsumed,
    CreditsGranted,
    GrantExpired,
    GrantReversed,
    OpenCreditAccount,
    balance,
    grants_in_burn_order,
)
from flamewire_ledger.domain.credit_account import decisions as credit_decisions
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.posting import (
    CREDITS_BREAKAGE,
    CREDITS_CONSUMED,
    CREDITS_ISSUED,
    CREDITS_OWED,
    Posting,
    credits_available,
)
from flamewire_ledger.domain.rejection import (
    AlreadyExists,
    InsufficientCredits,
    InvalidAmount,
    LimitReached,
    Malformed,
    NotAllowed,
    NotFound,
)
from tests.domain.credit_account.samples import (
    ACCOUNT,
    NOON,
    account,
    available,
    consume,
    credit,
    expire_grant,
    grant,
    hold,
    minute,
    opened,
    reverse,
    slices,
)
from tests.domain.spec import fact

AVAILABLE = credits_available(ACCOUNT)


def test_an_account_is_opened_once():
    spec = account().when(opened()).then(CreditAccountOpened)
    spec.when(opened()).then_refused(AlreadyExists)


def test_an_overage_is_of_credits():
    wrong = OpenCreditAccount(ACCOUNT, None, None, NOON, Amount(Asset("USD", 2), 1))
    account().when(wrong).then_refused(InvalidAmount)


def test_without_an_account_nothing_is_done():
    account().when(consume(1)).then_refused(NotFound)


def test_a_grant_can_be_burnt():
    spec = account().given(opened()).when(grant("gr_a", 100))
    spec.then(fact(CreditsGranted, settles=credit(0)))
    assert spec.outcome[0].postings == (Posting(AVAILABLE, CREDITS_ISSUED, credit(100)),)
    assert available(spec) == 100


def test_a_grant_is_made_once_even_when_it_is_used_up():
    spec = account().given(opened(), grant("gr_a", 100))
    spec.when(grant("gr_a", 100)).then_refused(AlreadyExists)
    spec.given(consume(100))
    spec.when(grant("gr_a", 100)).then_refused(AlreadyExists)


@pytest.mark.parametrize("command", [grant("gr_a", 0), consume(0), hold("ho_a", 0)])
def test_nothing_is_no_amount(command):
    account().given(opened(), grant("gr_b", 1)).when(command).then_refused(InvalidAmount)


def test_a_grant_that_is_over_already_is_refused():
    account().given(opened()).when(grant("gr_a", 1, at=5, expires=5)).then_refused(Malformed)


def test_gifts_are_bounded_and_purchases_are_not(monkeypatch):
    monkeypatch.setattr(credit_decisions, "GRANTS_LIVE_MAX", 1)
    spec = account().given(opened(), grant("gr_a", 1))
    spec.when(grant("gr_b", 1)).then_refused(LimitReached)
    spec.when(grant("gr_b", 1, source="purchased")).then(CreditsGranted)


def test_consumption_says_of_which_grant():
    spec = account().given(opened(), grant("gr_a", 100)).when(consume(30))
    spec.then(fact(CreditsConsumed, slices=slices(gr_a=30), overage=credit(0)))
    assert spec.outcome[0].postings == (Posting(CREDITS_CONSUMED, AVAILABLE, credit(30)),)
    assert available(spec) == 70


def test_one_consumption_burns_several_grants():
    spec = account().given(opened(), grant("gr_a", 10), grant("gr_b", 20), grant("gr_c", 30))
    spec.when(consume(35)).then(fact(CreditsConsumed, slices=slices(gr_a=10, gr_b=20, gr_c=5)))
    spec.when(consume(25)).then(fact(CreditsConsumed, slices=slices(gr_c=25)))
    assert spec.state.grants == ()
    assert spec.state.grant("gr_a").spent == 10


def test_burn_order_is_priority_then_expiry_then_gifts_then_age_then_id():
    spec = account().given(
        opened(),
        grant("gr_7", 1, at=1),
        grant("gr_6", 1, at=1),
        grant("gr_5", 1, at=0),
        grant("gr_8", 1, at=0, source="purchased"),
        grant("gr_4", 1, at=2, expires=90),
        grant("gr_3", 1, at=3, expires=80, source="purchased"),
        grant("gr_2", 1, at=9, priority=10),
        grant("gr_1", 1, at=9, priority=10, expires=99),
    )
    order = [each.terms.grant_id for each in grants_in_burn_order(spec.state, minute(9))]
    assert order == ["gr_1", "gr_2", "gr_3", "gr_4", "gr_5", "gr_6", "gr_7", "gr_8"]
    spec.when(consume(8, at=9))
    assert [part.grant_id for part in spec.outcome[0].slices] == order


def test_not_enough_says_what_there_is():
    spec = account().given(opened(), grant("gr_a", 10_500_000), hold("ho_a", 500_000))
    refusal = spec.when(consume(10_000_001)).then_refused(InsufficientCredits)
    assert refusal.facts == {
        "available": "10.000000",
        "held": "0.500000",
        "requested": "10.000001",
    }


def test_an_expired_grant_is_not_spendable_though_nobody_has_said_so():
    spec = account().given(opened(), grant("gr_a", 100, expires=10))
    spec.when(consume(1, at=10)).then_refused(InsufficientCredits)
    assert available(spec, at=9) == 100
    assert available(spec, at=10) == 0
    assert balance(spec.state, minute(10)).expired == credit(100)
    assert grants_in_burn_order(spec.state, minute(10)) == ()


def test_an_expired_grant_is_passed_over():
    spec = account().given(opened(), grant("gr_a", 100, expires=10), grant("gr_b", 5))
    spec.when(consume(5, at=11)).then(fact(CreditsConsumed, slices=slices(gr_b=5)))


def test_what_is_left_of_a_grant_lapses_when_it_expires():
    spec = account().given(opened(), grant("gr_a", 100, expires=10), consume(30))
    before = balance(spec.state, minute(10))
    spec.when(expire_grant("gr_a")).then(fact(GrantExpired, amount=credit(70)))
    assert spec.outcome[0].postings == (Posting(CREDITS_BREAKAGE, AVAILABLE, credit(70)),)
    assert balance(spec.state, minute(10)) == before
    spec.when(expire_grant("gr_a")).then_nothing_new()


def test_a_used_up_grant_expires_too_so_that_its_deadline_ends():
    spec = account().given(opened(), grant("gr_a", 100, expires=10), consume(100))
    spec.when(expire_grant("gr_a")).then(fact(GrantExpired, amount=credit(0), postings=()))
    spec.when(expire_grant("gr_a")).then_nothing_new()


@pytest.mark.parametrize("expires", [None, 11])
def test_a_grant_does_not_expire_before_its_time(expires):
    spec = account().given(opened(), grant("gr_a", 1, expires=expires))
    spec.when(expire_grant("gr_a", at=10)).then_refused(NotAllowed)


def test_a_grant_nobody_made_does_not_expire_and_is_not_reversed():
    spec = account().given(opened())
    spec.when(expire_grant("gr_x")).then_refused(NotFound)
    spec.when(reverse("gr_x")).then_refused(NotFound)


def test_an_overage_is_allowed_up_to_its_bound():
    spec = account().given(opened(overage_max=10), grant("gr_a", 5))
    spec.when(consume(12)).then(fact(CreditsConsumed, slices=slices(gr_a=5), overage=credit(7)))
    assert spec.outcome[0].postings == (
        Posting(CREDITS_CONSUMED, AVAILABLE, credit(5)),
        Posting(CREDITS_CONSUMED, CREDITS_OWED, credit(7)),
    )
    assert balance(spec.state, minute(1)).owed == credit(7)
    spec.when(consume(4)).then_refused(InsufficientCredits)
    spec.when(consume(3)).then(fact(CreditsConsumed, slices=(), overage=credit(3)))


def test_what_is_owed_is_paid_first_by_the_next_grant():
    spec = account().given(opened(overage_max=10), consume(7)).when(grant("gr_a", 20))
    spec.then(fact(CreditsGranted, settles=credit(7)))
    assert spec.outcome[0].postings == (
        Posting(CREDITS_OWED, CREDITS_ISSUED, credit(7)),
        Posting(AVAILABLE, CREDITS_ISSUED, credit(13)),
    )
    assert available(spec) == 13
    assert spec.state.owed == 0


def test_a_grant_that_goes_to_what_is_owed_leaves_nothing():
    spec = account().given(opened(overage_max=10), consume(7), grant("gr_a", 5))
    assert spec.state.grants == ()
    assert spec.state.owed == 2
    spec.when(grant("gr_a", 5)).then_refused(AlreadyExists)


def test_reversing_an_untouched_grant_takes_it_back():
    spec = account().given(opened(), grant("gr_a", 100)).when(reverse("gr_a"))
    spec.then(fact(GrantReversed, taken_back=credit(100), owed=credit(0)))
    assert spec.outcome[0].postings == (Posting(CREDITS_ISSUED, AVAILABLE, credit(100)),)
    assert available(spec) == 0
    spec.when(reverse("gr_a")).then_nothing_new()


def test_reversing_a_spent_grant_leaves_a_debt():
    spec = account().given(opened(), grant("gr_a", 100), consume(60)).when(reverse("gr_a"))
    spec.then(fact(GrantReversed, taken_back=credit(40), owed=credit(60)))
    assert spec.outcome[0].postings == (
        Posting(CREDITS_ISSUED, AVAILABLE, credit(40)),
        Posting(CREDITS_ISSUED, CREDITS_OWED, credit(60)),
    )
    spec.when(consume(1)).then_refused(InsufficientCredits)
    spec.when(grant("gr_b", 100)).then(fact(CreditsGranted, settles=credit(60)))
    assert available(spec) == 40


def test_reversing_a_used_up_grant_leaves_a_debt_of_all_of_it():
    spec = account().given(opened(), grant("gr_a", 100), consume(100)).when(reverse("gr_a"))
    spec.then(fact(GrantReversed, taken_back=credit(0), owed=credit(100)))
    spec.when(reverse("gr_a")).then_nothing_new()


def test_reversing_the_grant_that_paid_a_debt_brings_the_debt_back():
    spec = account().given(opened(overage_max=10), consume(7), grant("gr_a", 20))
    spec.when(reverse("gr_a")).then(fact(GrantReversed, taken_back=credit(13), owed=credit(7)))
    assert spec.state.owed == 7


def test_what_has_lapsed_is_not_owed_when_its_grant_is_reversed():
    spec = account().given(opened(), grant("gr_a", 100, expires=10), consume(30))
    spec.given(expire_grant("gr_a"))
    spec.when(reverse("gr_a", at=11))
    spec.then(fact(GrantReversed, taken_back=credit(0), owed=credit(30)))
    assert balance(spec.state, minute(11)).expired == credit(70)


def test_a_debt_leaves_no_room_for_overage():
    spec = account().given(opened(overage_max=50), grant("gr_a", 100), consume(60), reverse("gr_a"))
    spec.when(consume(1)).then_refused(InsufficientCredits)


def test_dead_grants_are_kept_apart_from_the_living():
    spec = account().given(opened())
    for number in range(200):
        spec.given(grant(f"gr_{number}", 1), consume(1))
    assert spec.state.grants == ()
    assert sum(len(shelf) for shelf in spec.state.used_up.values()) == 200
