"""Credits that were bought are gone: the share of what was paid for them is earned."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment import (
    EarnedCredits,
    PaymentRevenueRecognised,
    PaymentTransferReorganised,
    RecogniseRevenue,
    decide,
    evolve,
)
from flamewire_ledger.domain.posting import (
    BREAKAGE,
    DEFERRED_CREDITS,
    SALES,
    UNAPPLIED,
    Posting,
    wallet,
)
from tests.domain.books import Books
from tests.domain.payment.samples import (
    ACCOUNT,
    CREDITS,
    ETH,
    PAYMENT,
    TAO,
    expire,
    final,
    gone,
    minute,
    request,
    resolve,
    story,
)
from tests.domain.spec import fact

ALL = CREDITS.units  # 25 000 000 units, for which 100 units of TAO were paid
SECOND = "gr_of_another_account"


def paid(*transfers):
    return story().given(request(for_credits=True), *(transfers or [final(100)]))


def grants_of(spec):
    return [it.grant_id for it in spec.state.settlings]


def told(spec, spent=0, lapsed=0, *, refunded=0, payable=0, day=2, grant=None, bought=None):
    bought = bought or grants_of(spec)[0]
    earned = EarnedCredits(
        grant_id=grant or bought,
        bought_grant_id=bought,
        day=date(2026, 1, day),
        spent=spent,
        lapsed=lapsed,
        refunded=refunded,
        payable=(Amount(TAO, payable),) if payable else (),
    )
    at = minute(0) + timedelta(days=day)
    return RecogniseRevenue(PAYMENT, ACCOUNT, earned.day, (earned,), at)


def tao(units):
    return Amount(TAO, units)


def standing(spec):
    """Deferred, sales and breakage, in units of TAO."""
    books = Books(spec.events)
    return tuple(books.credit(it, TAO.code) for it in (DEFERRED_CREDITS, SALES, BREAKAGE))


def test_what_is_burnt_becomes_sales_and_what_lapses_breakage_in_what_was_paid():
    spec = paid()
    spec.when(told(spec, ALL // 4, ALL // 2)).then(
        fact(
            PaymentRevenueRecognised,
            day=date(2026, 1, 2),
            credit_account_id=ACCOUNT,
            postings=(
                Posting(DEFERRED_CREDITS, SALES, tao(25)),
                Posting(DEFERRED_CREDITS, BREAKAGE, tao(50)),
            ),
        )
    )
    spec.when(told(spec, ALL // 2, ALL // 2, day=3))
    assert spec.outcome[0].postings == (Posting(DEFERRED_CREDITS, SALES, tao(25)),)
    assert standing(spec) == (0, 50, 50)


def test_what_was_told_before_says_nothing_new_and_older_news_is_none():
    spec = paid()
    command = told(spec, ALL // 4, day=5)
    spec.given(command)
    spec.when(command).then_nothing_new()
    spec.when(told(spec, ALL // 10, day=4)).then_nothing_new()
    assert standing(spec) == (75, 25, 0)


def test_shares_are_rounded_down_and_the_last_unit_takes_the_rest():
    spec = paid()
    spec.given(told(spec, ALL // 3))
    assert standing(spec) == (67, 33, 0)
    spec.given(told(spec, ALL - 1, day=3))
    assert standing(spec) == (1, 99, 0)
    spec.given(told(spec, ALL, day=4))
    assert standing(spec) == (0, 100, 0)
    spec = paid()
    spec.given(told(spec, ALL // 3, ALL - ALL // 3))
    assert standing(spec) == (0, 33, 67)


def test_what_is_worth_less_than_a_unit_is_kept_in_mind():
    """Or two accounts that burn a little each would never add up."""
    spec = paid()
    spec.when(told(spec, 1, grant="gr_a")).then(fact(PaymentRevenueRecognised, postings=()))
    spec.when(told(spec, ALL // 100 - 1, grant="gr_b"))
    assert standing(spec) == (99, 1, 0)


def test_parts_in_several_accounts_add_up():
    spec = paid()
    spec.given(told(spec, ALL // 2), told(spec, ALL // 4, ALL // 4, grant=SECOND))
    assert standing(spec) == (0, 75, 25)


def test_what_is_payable_is_left_for_whoever_gets_it():
    spec = paid()
    spec.given(told(spec, ALL // 3, refunded=ALL // 3, payable=33))
    assert standing(spec) == (67, 33, 0)
    spec.given(told(spec, ALL - ALL // 3, refunded=ALL // 3, payable=33, day=3))
    assert standing(spec) == (33, 67, 0)  # the 33 leave with the refund, in the account's stream


def test_a_refund_of_all_of_it_leaves_nothing_to_earn_but_what_rounding_left():
    spec = paid()
    spec.given(told(spec, refunded=ALL, payable=99))
    assert standing(spec) == (99, 0, 1)


def test_less_than_before_goes_back():
    spec = paid()
    spec.given(told(spec, ALL))
    spec.when(told(spec, ALL // 2, ALL // 2, day=3))
    assert spec.outcome[0].postings == (
        Posting(SALES, DEFERRED_CREDITS, tao(50)),
        Posting(DEFERRED_CREDITS, BREAKAGE, tao(50)),
    )
    spec.given(told(spec, 0, 0, day=4))
    assert standing(spec) == (100, 0, 0)


def test_no_more_is_earned_than_there_is_while_two_accounts_tell_of_the_same():
    spec = paid()
    spec.given(told(spec, ALL), told(spec, ALL // 2, grant=SECOND))
    assert standing(spec) == (0, 100, 0)
    spec.given(told(spec, ALL // 2, day=3))
    assert standing(spec) == (0, 100, 0)


@pytest.mark.parametrize("spent", [0, 1, ALL // 3, ALL])
def test_what_a_chain_takes_back_takes_back_what_was_earned_of_it(spent):
    spec = paid()
    if spent:
        spec.given(told(spec, spent, ALL - spent))
    bought = grants_of(spec)[0]
    spec.when(gone(at=5))
    assert isinstance(spec.outcome[0], PaymentTransferReorganised)
    assert set(Books(spec.events).balances.values()) == {0}
    spec.when(told(spec, ALL, day=9, bought=bought)).then_nothing_new()


def test_it_is_earned_anew_of_what_came_in_its_place():
    spec = paid()
    spec.given(told(spec, ALL), gone(at=5), final(100, "0xb", at=6))
    spec.given(told(spec, ALL // 2, day=3))
    assert standing(spec) == (50, 50, 0)


def test_what_was_credited_of_an_excess_is_a_purchase_of_its_own():
    spec = paid(final(150)).given(resolve("credit"))
    first, second = grants_of(spec)
    assert [it.bought for it in spec.state.settlings] == [ALL, ALL // 2]
    spec.given(told(spec, ALL // 2, bought=second))
    assert standing(spec) == (100, 50, 0)
    command = told(spec, ALL, bought=first, day=3)
    both = replace(command, grants=(*command.grants, *told(spec, 0, day=3, bought=second).grants))
    spec.when(both)
    assert standing(spec) == (50, 100, 0)
    assert len(spec.outcome) == 1


def test_each_asset_it_was_paid_in_is_earned_by_its_own_share():
    spec = paid(final(50), final(500, "0xe", asset=ETH))
    spec.given(told(spec, ALL // 4))
    books = Books(spec.events)
    assert books.credit(SALES, TAO.code) == 12
    assert books.credit(SALES, ETH.code) == 125
    spec.given(told(spec, ALL, day=3))
    books.take(spec.events[-1])
    assert (books.credit(SALES, TAO.code), books.credit(SALES, ETH.code)) == (50, 500)


def test_a_payment_that_bought_nothing_or_was_not_paid_earns_nothing():
    for spec in (
        story().given(request(), final(100)),
        story().given(request(for_credits=True), expire()),
    ):
        spec.when(told(spec, ALL, bought="gr_unknown")).then_nothing_new()


def test_the_order_of_what_is_undone_leaves_every_account_at_nothing_on_the_way():
    """What was earned is owed again before it is taken back: no account is below zero between."""
    spec = paid()
    spec.given(told(spec, ALL // 2, ALL // 4))
    (undone,) = decide(spec.state, gone(at=5))[:1]
    books = Books(spec.events)
    for posting in undone.postings:
        books.take(replace(undone, postings=(posting,)))
        assert books.credit(DEFERRED_CREDITS, TAO.code) >= 0
        assert books.credit(UNAPPLIED, TAO.code) >= 0
    assert books.debit(wallet("bittensor"), TAO.code) == 0
    assert evolve(spec.state, undone).settlings == ()
