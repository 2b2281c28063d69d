"""Money that goes away again: dropped before it was final, reorganised after."""

from __future__ import annotations

from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment import (
    LatePolicy,
    PaymentExcessRecorded,
    PaymentExpired,
    PaymentProcessing,
    PaymentResolutionRequired,
    PaymentSucceeded,
    PaymentTransferConfirmed,
    PaymentTransferDetected,
    PaymentTransferDropped,
    PaymentTransferReorganised,
    Use,
)
from flamewire_ledger.domain.rejection import NotAllowed
from tests.domain.books import Books
from tests.domain.payment.samples import (
    ETH,
    TAO,
    block,
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


def assert_books_are_empty(spec):
    assert not any(Books(spec.events).balances.values())


def test_what_is_dropped_in_time_leaves_the_payment_open():
    spec = story().given(request(), seen(100)).when(gone()).then(PaymentTransferDropped)
    assert spec.outcome[0].status_after == "requires_payment"
    assert spec.state.status == "requires_payment"
    assert spec.state.totals.detected == usd(0)


def test_what_is_dropped_after_time_is_up_leaves_it_expired():
    spec = story().given(request(), seen(100), expire()).when(gone(at=20))
    spec.then(PaymentTransferDropped, PaymentExpired)
    assert spec.outcome[0].status_after == "expired"


def test_what_is_dropped_after_time_is_up_leaves_the_part_underpaid():
    spec = story().given(request(), final(40), seen(60, "0xb"), expire()).when(gone("0xb", at=20))
    spec.then(PaymentTransferDropped, PaymentResolutionRequired)
    assert spec.outcome[1].why == "underpaid"


def test_a_drop_leaves_it_processing_when_the_rest_is_still_enough():
    spec = story().given(request(), seen(100), seen(100, "0xb")).when(gone())
    spec.then(PaymentTransferDropped)
    assert spec.state.status == "processing"


def test_a_drop_of_what_was_never_seen_says_nothing():
    story().given(request()).when(gone()).then_nothing_new()


def test_a_drop_twice_says_nothing_new():
    story().given(request(), seen(100), gone()).when(gone(at=4)).then_nothing_new()
    story().given(request(), final(100), gone()).when(gone(at=4)).then_nothing_new()


def test_what_was_dropped_may_come_again():
    spec = story().given(request(), seen(100), gone())
    spec.when(seen(100, at=5)).then(PaymentTransferDetected, PaymentProcessing)
    spec.when(final(100, at=6)).then(PaymentTransferConfirmed, PaymentSucceeded)


def test_announcing_a_transfer_in_time_and_dropping_it_keeps_no_price_open():
    spec = story().given(request(), seen(100, at=1), gone(at=2), expire())
    spec.when(final(100, at=600))
    assert spec.state.status == "requires_action"
    assert "late" in spec.state.labels


def test_what_had_been_in_a_block_keeps_its_time_when_it_comes_again():
    spec = story().given(request(), seen(100, at=1, block=block(1)), gone(at=14), expire())
    spec.when(final(100, at=16, seen_at=16, block_at=16, height=2))
    assert spec.state.status == "succeeded"
    assert "late" not in spec.state.labels


def test_a_drop_after_confirmation_is_a_reorganisation_that_reverses_the_books():
    spec = story().given(request(), final(40)).when(gone(units=40))
    spec.then(PaymentTransferReorganised)
    confirmed = spec.events[2]
    reorganised = spec.outcome[0]
    assert reorganised.postings == tuple(p.reversed() for p in confirmed.postings)
    assert not reorganised.undoes_success
    assert spec.state.status == "requires_payment"
    assert spec.state.labels == {"reorged"}
    assert_books_are_empty(spec)


def test_a_reorganisation_after_success_undoes_it_and_waits():
    spec = story().given(request(for_credits=True), final(100))
    confirmed, succeeded = spec.events[-2:]
    spec.when(gone()).then(PaymentTransferReorganised)
    reorganised = spec.outcome[0]
    assert reorganised.undoes_success
    assert reorganised.status_after == "processing"
    assert reorganised.grants_undone == (succeeded.grant_id,)
    assert reorganised.postings == (
        *(posting.reversed() for posting in succeeded.postings),
        *(posting.reversed() for posting in confirmed.postings),
    )
    assert spec.state.totals.confirmed == usd(0)
    assert_books_are_empty(spec)


def test_what_was_reorganised_and_comes_back_succeeds_again_with_another_grant():
    spec = story().given(request(for_credits=True), final(100))
    first = spec.events[-1]
    spec.given(gone())
    spec.when(seen(100, at=4, block=block(4, height=2))).then(PaymentTransferDetected)
    spec.when(final(100, at=5, height=2)).then(PaymentTransferConfirmed, PaymentSucceeded)
    assert spec.outcome[-1].grant_id != first.grant_id
    assert Books(spec.events).debit("assets:wallet:bittensor", TAO.code) == 100


def test_what_was_reorganised_and_comes_back_after_expiry_is_not_late():
    spec = story().given(request(), final(100), gone(at=14))
    spec.when(final(100, at=40, seen_at=40, height=9)).then(
        PaymentTransferDetected, PaymentTransferConfirmed, PaymentSucceeded
    )
    assert "late" not in spec.state.labels


def test_what_was_repriced_and_comes_back_keeps_its_price():
    policy = LatePolicy("reprice")
    spec = story().given(request(late=policy), expire(), final(100, at=16, worth_now=2500))
    spec.given(gone(at=17)).when(final(100, at=18, height=2, worth_now=1))
    assert spec.state.status == "succeeded"


def test_what_does_not_come_back_needs_a_person_in_the_end():
    spec = story().given(request(), final(100), gone(at=3))
    spec.when(expire(at=62)).then_refused(NotAllowed)
    spec.when(expire(at=63)).then(PaymentResolutionRequired)
    assert spec.outcome[0].why == "reorged"
    assert spec.state.status == "requires_action"


def test_spent_credits_need_a_person_at_once():
    spec = story().given(request(for_credits=True), final(100), gone())
    spec.when(require()).then(PaymentResolutionRequired)
    assert spec.outcome[0].labels == ("reorged",)
    assert spec.state.status == "requires_action"
    spec.when(require()).then_nothing_new()
    spec.when(final(100, at=6, height=2))
    assert spec.state.status == "succeeded"


def test_a_payment_that_has_succeeded_again_needs_nobody():
    spec = story().given(request(for_credits=True), final(100), gone(), final(100, height=2))
    spec.when(require()).then_nothing_new()


def test_a_second_payment_takes_the_place_of_the_one_that_went_away():
    spec = story().given(request(for_credits=True), final(100), final(1000, "0xe", asset=ETH))
    spec.when(gone()).then(PaymentTransferReorganised, PaymentSucceeded)
    reorganised, succeeded = spec.outcome
    assert reorganised.undoes_success
    assert succeeded.applied == (Amount(ETH, 1000),)
    assert succeeded.transaction_id == "0xe"
    assert spec.state.status == "succeeded"
    assert spec.state.totals.excess == usd(0)


def test_an_excess_that_goes_away_leaves_success_alone():
    spec = story().given(request(), final(100), final(50, "0xb")).when(gone("0xb"))
    spec.then(PaymentTransferReorganised)
    assert not spec.outcome[0].undoes_success
    assert spec.state.status == "succeeded"
    assert spec.state.totals.excess == usd(0)


def test_a_refund_of_what_went_away_is_not_owed_any_more():
    spec = story().given(request(), final(40), expire(), resolve("refund"))
    spec.when(gone(units=40, at=31)).then(PaymentTransferReorganised)
    assert_books_are_empty(spec)
    assert spec.state.status == "expired"


def test_a_refund_of_two_when_one_went_away_is_decided_again():
    spec = story().given(request(), final(40), final(30, "0xb"), expire(), resolve("refund"))
    spec.when(gone(units=40, at=31)).then(PaymentTransferReorganised, PaymentResolutionRequired)
    assert spec.outcome[1].why == "reorged"
    assert spec.outcome[1].held == (Amount(TAO, 30),)
    spec.when(resolve("refund", at=32))
    assert spec.state.status == "expired"


def test_a_decision_about_an_excess_is_undone_with_its_transfer():
    spec = story().given(request(for_credits=True), final(100), final(50, "0xb"))
    spec.given(final(10, "0xc"), resolve("credit"))
    credited = spec.events[-1]
    spec.when(gone("0xb", at=31)).then(PaymentTransferReorganised, PaymentExcessRecorded)
    reorganised, excess = spec.outcome
    assert not reorganised.undoes_success
    assert reorganised.grants_undone == (credited.grant_id,)
    assert excess.excess == (Amount(TAO, 10),)
    assert spec.state.status == "succeeded"


def test_a_part_that_goes_away_after_it_was_underpaid_leaves_nothing_to_decide():
    spec = story().given(request(), final(40), expire()).when(gone(units=40, at=20))
    spec.then(PaymentTransferReorganised, PaymentExpired)


def test_what_comes_back_after_a_cancellation_is_held():
    spec = story().given(request(), final(40), gone(units=40), cancel(at=4))
    spec.when(final(40, at=5, height=2))
    assert spec.state.status == "requires_action"
    assert spec.state.why == "canceled"


def test_a_late_transfer_while_another_is_waited_for_is_shown_at_once():
    spec = story().given(request(), final(100), gone(at=14)).when(final(100, "0xb", at=20))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentResolutionRequired)
    assert spec.outcome[-1].why == "late"
    spec.when(final(100, at=21, seen_at=21, height=2))
    assert spec.state.status == "succeeded"


def test_what_comes_back_with_another_amount_is_booked_anew():
    """The chain executed the call again, in another block, and nobody saw it away."""
    spec = story().given(request(), final(100)).when(final(40, at=5, height=2))
    spec.then(
        PaymentTransferReorganised,
        PaymentTransferDetected,
        PaymentTransferConfirmed,
    )
    assert spec.outcome[0].undoes_success
    assert spec.state.totals.confirmed == usd(1000)
    balances = Books([*spec.events]).balances
    assert {units for units in balances.values() if units > 0} == {40}


def test_what_is_put_to_use_after_something_was_undone_has_a_number_of_its_own():
    spec = story().given(request(for_credits=True), final(100), final(100, "0xb"))
    spec.given(resolve("credit", at=3), gone(at=4), final(100, "0xc", at=5))
    spec.when(gone("0xc", at=6)).then(PaymentTransferReorganised)
    assert spec.outcome[0].undone == (3,)
    assert spec.state.arrivals["bittensor/0xb/0"].open_units == 0


def test_the_first_that_is_enough_takes_the_place_and_the_rest_stays_excess():
    spec = story().given(request(), final(100), final(1000, "0xe", asset=ETH), final(100, "0xc"))
    spec.when(gone(at=4))
    spec.then(PaymentTransferReorganised, PaymentSucceeded, PaymentExcessRecorded)
    assert spec.outcome[1].uses == (Use("ethereum/0xe/0", 1000),)
    assert spec.outcome[2].excess == (Amount(TAO, 100),)


def test_everything_built_on_a_transfer_is_reversed_the_newest_first():
    spec = story().given(request(), final(150))
    confirmed, succeeded = spec.events[2:4]
    spec.given(resolve("refund", at=3))
    resolved = spec.events[-1]
    spec.when(gone(at=4, units=150))
    assert spec.outcome[0].postings == tuple(
        posting.reversed()
        for event in (resolved, succeeded, confirmed)
        for posting in event.postings
    )
    assert_books_are_empty(spec)


def test_a_payment_that_needs_a_person_still_does_when_something_else_came_and_went():
    spec = story().given(request(for_credits=True), final(100), gone(), require())
    spec.given(seen(40, "0xb", at=6)).when(gone("0xb", at=7))
    assert spec.outcome[0].status_after == "requires_action"
    spec.when(expire(at=700)).then_nothing_new()


def test_what_came_and_went_leaves_a_canceled_payment_canceled():
    spec = story().given(request(), cancel(), seen(100)).when(gone(at=20))
    assert spec.state.status == "canceled"


def test_a_person_is_asked_when_what_came_back_goes_away_again():
    spec = story().given(request(for_credits=True), final(100), gone(), require())
    spec.when(seen(100, at=6)).then(PaymentTransferDetected, PaymentProcessing)
    spec.when(gone(at=7)).then(PaymentTransferDropped, PaymentResolutionRequired)
    assert spec.outcome[1].why == "reorged"


def test_nobody_is_asked_while_what_went_away_is_on_its_way_back():
    spec = story().given(request(for_credits=True), final(100), gone(), seen(100, at=4))
    spec.when(require()).then_nothing_new()
    spec.given(gone(at=6)).when(expire(at=63)).then(PaymentResolutionRequired)
    assert spec.outcome[0].why == "reorged"


def test_a_part_that_comes_after_it_was_given_up_is_shown():
    spec = story().given(request(), final(100), gone(), require(), resolve("write_off", at=6))
    spec.when(final(40, "0xb", at=7))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentResolutionRequired)
    assert spec.state.status == "requires_action"
