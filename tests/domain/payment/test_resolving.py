"""What a person may decide about money that is held."""

from __future__ import annotations

import pytest

from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment import (
    PaymentExcessRecorded,
    PaymentResolved,
    PaymentSucceeded,
)
from flamewire_ledger.domain.posting import (
    DEFERRED_CREDITS,
    REFUNDS_PAYABLE,
    SALES,
    SUSPENSE,
    UNAPPLIED,
    WRITE_OFFS,
    Posting,
)
from flamewire_ledger.domain.rejection import Malformed, NotAllowed
from tests.domain.payment.samples import (
    ACCOUNT,
    ALPHA,
    CREDIT,
    CREDITS,
    ETH,
    TAO,
    cancel,
    expire,
    final,
    gone,
    request,
    require,
    resolve,
    seen,
    story,
    usd,
)

UNDERPAID = (final(40), expire())
LATE = (expire(), final(100, at=20))


def test_an_underpaid_payment_may_be_accepted_as_full():
    spec = story().given(request(for_credits=True), *UNDERPAID).when(resolve("accept"))
    spec.then(PaymentResolved, PaymentSucceeded)
    resolved, succeeded = spec.outcome
    assert resolved.postings == ()
    assert resolved.status_after == "succeeded"
    assert succeeded.postings == (Posting(UNAPPLIED, DEFERRED_CREDITS, Amount(TAO, 40)),)
    assert succeeded.credits == CREDITS
    assert succeeded.labels == ("manual",)
    assert spec.state.labels == {"underpaid", "manual"}
    assert spec.state.totals.due == usd(0)


def test_a_late_payment_may_be_accepted():
    spec = story().given(request(), *LATE).when(resolve("accept"))
    assert spec.outcome[-1].postings == (Posting(UNAPPLIED, SALES, Amount(TAO, 100)),)
    assert spec.state.status == "succeeded"


def test_accepting_more_than_was_due_leaves_the_rest():
    spec = story().given(request(), final(40), *LATE[:1], final(100, "0xb", at=20))
    spec.when(resolve("accept")).then(PaymentResolved, PaymentSucceeded, PaymentExcessRecorded)
    assert spec.outcome[-1].excess == (Amount(TAO, 40),)


def test_a_payment_that_was_canceled_and_paid_may_be_accepted():
    spec = story().given(request(), cancel(), final(100)).when(resolve("accept"))
    assert spec.state.status == "succeeded"


def test_an_underpaid_payment_may_become_credits_in_proportion():
    spec = story().given(request(for_credits=True), *UNDERPAID).when(resolve("credit"))
    spec.then(PaymentResolved)
    resolved = spec.outcome[0]
    assert resolved.credits == Amount(CREDIT, 10_000_000)
    assert resolved.credit_account_id == ACCOUNT
    assert resolved.grant_id.startswith("gr_")
    assert resolved.postings == (Posting(UNAPPLIED, DEFERRED_CREDITS, Amount(TAO, 40)),)
    assert spec.state.status == "succeeded"


def test_credits_for_what_is_held_are_rounded_down():
    spec = story().given(request(for_credits=True, credits=Amount(CREDIT, 3)), *UNDERPAID)
    spec.when(resolve("credit"))
    assert spec.outcome[0].credits == Amount(CREDIT, 1)


def test_what_is_worth_less_than_a_unit_of_credit_does_not_become_credits():
    spec = story().given(request(for_credits=True, credits=Amount(CREDIT, 2)), *UNDERPAID)
    spec.when(resolve("credit")).then_refused(NotAllowed)


def test_money_for_no_credit_account_does_not_become_credits():
    story().given(request(), *UNDERPAID).when(resolve("credit")).then_refused(NotAllowed)


@pytest.mark.parametrize(("units", "label"), [(60, "overpaid"), (100, "multiple")])
def test_money_after_it_became_credits_is_too_much(units: int, label: str):
    spec = story().given(request(for_credits=True), *UNDERPAID, resolve("credit"))
    spec.when(final(units, "0xb", at=40))
    assert spec.outcome[-1].labels == (label,)


@pytest.mark.parametrize(
    ("choice", "account"), [("refund", REFUNDS_PAYABLE), ("write_off", WRITE_OFFS)]
)
def test_what_is_held_may_be_given_back_or_written_off(choice, account):
    spec = story().given(request(), *UNDERPAID).when(resolve(choice)).then(PaymentResolved)
    assert spec.outcome[0].postings == (Posting(UNAPPLIED, account, Amount(TAO, 40)),)
    assert spec.state.status == "expired"
    spec.when(resolve(choice)).then_refused(NotAllowed)


def test_what_is_in_suspense_may_be_given_back():
    spec = story().given(request(), final(7, asset=ALPHA)).when(resolve("refund", at=5))
    assert spec.outcome[0].postings == (Posting(SUSPENSE, REFUNDS_PAYABLE, Amount(ALPHA, 7)),)
    assert spec.state.status == "requires_payment"


@pytest.mark.parametrize("choice", ["accept", "credit"])
def test_what_is_in_suspense_has_no_worth_to_accept(choice):
    spec = story().given(request(for_credits=True), final(7, asset=ALPHA))
    spec.when(resolve(choice)).then_refused(NotAllowed)


def test_accepting_what_is_unapplied_leaves_what_is_in_suspense():
    spec = story().given(request(), final(7, "0xb", asset=ALPHA), *UNDERPAID)
    spec.when(resolve("accept")).then(PaymentResolved, PaymentSucceeded, PaymentExcessRecorded)
    assert spec.outcome[-1].excess == (Amount(ALPHA, 7),)
    assert spec.outcome[-1].labels == ()
    spec.when(resolve("refund", at=31)).then(PaymentResolved)
    assert spec.state.status == "succeeded"


@pytest.mark.parametrize("choice", ["refund", "write_off", "credit"])
def test_an_excess_after_success_may_be_resolved_and_success_stays(choice):
    spec = story().given(request(for_credits=True), final(150)).when(resolve(choice))
    spec.then(PaymentResolved)
    assert spec.state.status == "succeeded"
    assert spec.state.totals.excess == usd(0)
    spec.when(resolve(choice)).then_refused(NotAllowed)


def test_an_excess_becomes_credits_in_proportion():
    spec = story().given(request(for_credits=True), final(150)).when(resolve("credit"))
    assert spec.outcome[0].credits == Amount(CREDIT, 12_500_000)


def test_an_excess_cannot_be_accepted_as_there_is_nothing_more_to_pay():
    story().given(request(), final(150)).when(resolve("accept")).then_refused(NotAllowed)


@pytest.mark.parametrize("history", [(), (final(40),), (seen(100),), (final(100),), (expire(),)])
def test_where_nothing_waits_for_a_decision_none_is_taken(history):
    spec = story().given(request(), *history)
    spec.when(resolve("refund")).then_refused(NotAllowed)


def test_a_decision_has_a_reason():
    spec = story().given(request(), *UNDERPAID)
    spec.when(resolve("refund", reason=" ")).then_refused(Malformed)


def test_a_payment_that_was_reorganised_away_may_be_given_up():
    spec = story().given(request(), final(100), gone(), require())
    spec.when(resolve("accept")).then_refused(NotAllowed)
    spec.when(resolve("refund")).then_refused(NotAllowed)
    spec.when(resolve("write_off")).then(PaymentResolved)
    assert spec.state.status == "failed"
    assert spec.outcome[0].postings == ()


def test_money_that_comes_back_after_it_was_given_up_still_succeeds():
    spec = story().given(request(), final(100), gone(), require(), resolve("write_off"))
    spec.when(final(100, at=40, height=3))
    assert spec.state.status == "succeeded"


def test_late_money_in_two_assets_is_given_back_in_both():
    spec = story().given(request(), *LATE, final(10, "0xe", at=21, asset=ETH))
    spec.when(resolve("refund"))
    assert [posting.amount for posting in spec.outcome[0].postings] == [
        Amount(TAO, 100),
        Amount(ETH, 10),
    ]


def test_a_refunded_part_counts_no_more_towards_the_request():
    spec = story().given(request(), *UNDERPAID, resolve("refund", at=20))
    spec.when(final(60, "0xb", at=25, seen_at=14))
    assert spec.state.status == "requires_action"
    assert spec.state.why == "underpaid"


def test_a_canceled_payment_is_canceled_again_when_its_money_is_given_back():
    spec = story().given(request(), cancel(), final(100)).when(resolve("refund"))
    assert spec.state.status == "canceled"
