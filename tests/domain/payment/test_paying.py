"""Money that arrives in time: enough, too little, too much, twice."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment import (
    PaymentCanceled,
    PaymentExcessRecorded,
    PaymentExpired,
    PaymentProcessing,
    PaymentRequested,
    PaymentResolutionRequired,
    PaymentSucceeded,
    PaymentTransferConfirmed,
    PaymentTransferDetected,
    PaymentTransferDropped,
    PaymentTransferIncluded,
    Totals,
    decide,
    evolve,
    state,
)
from flamewire_ledger.domain.posting import DEFERRED_CREDITS, SALES, UNAPPLIED, Posting, wallet
from flamewire_ledger.domain.rejection import (
    AlreadyExists,
    InvalidAmount,
    LimitReached,
    Malformed,
    NotAllowed,
    NotFound,
)
from tests.domain.payment.samples import (
    ACCOUNT,
    CREDITS,
    ETH,
    ETH_OPTION,
    TAO,
    TAO_OPTION,
    block,
    cancel,
    expire,
    final,
    gone,
    minute,
    request,
    seen,
    story,
    transfer,
    usd,
)
from tests.domain.spec import fact


def test_a_request_books_nothing_and_waits():
    spec = (
        story()
        .when(request())
        .then(fact(PaymentRequested, amount=usd(2500), expires_at=minute(15)))
    )
    assert spec.state.status == "requires_payment"
    assert spec.state.totals == Totals(usd(0), usd(0), usd(0), usd(2500))


def test_a_payment_is_requested_once():
    story().given(request()).when(request()).then_refused(AlreadyExists)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"amount": usd(0)}, InvalidAmount),
        ({"options": ()}, Malformed),
        ({"options": (TAO_OPTION, TAO_OPTION)}, Malformed),
        ({"options": (TAO_OPTION,) * 33}, LimitReached),
        ({"expires_at": minute(0)}, Malformed),
        ({"tolerance_ppm": 1_000_000}, Malformed),
        ({"tolerance_ppm": -1}, Malformed),
        ({"credits": CREDITS}, Malformed),
        ({"credit_account_id": ACCOUNT}, Malformed),
    ],
)
def test_a_request_that_could_not_be_paid_is_refused(changes, refusal):
    story().when(request(**changes)).then_refused(refusal)


def test_commands_for_a_payment_nobody_made_are_refused():
    for command in (seen(100), final(100), expire(), cancel()):
        story().when(command).then_refused(NotFound)


def test_a_part_that_is_seen_changes_no_status():
    spec = story().given(request()).when(seen(40)).then(PaymentTransferDetected)
    assert spec.state.status == "requires_payment"
    assert spec.state.totals == Totals(usd(1000), usd(0), usd(0), usd(2500))
    assert spec.outcome[0].totals == spec.state.totals


def test_enough_that_is_seen_makes_it_processing_and_books_nothing():
    spec = story().given(request()).when(seen(100))
    spec.then(PaymentTransferDetected, PaymentProcessing)
    assert spec.state.status == "processing"
    assert not any(getattr(event, "postings", ()) for event in spec.events)


def test_processing_is_said_once():
    story().given(request(), seen(100)).when(seen(50, "0xb")).then(PaymentTransferDetected)


def test_parts_that_add_up_make_it_processing():
    spec = story().given(request(), seen(40))
    spec.when(seen(60, "0xb")).then(PaymentTransferDetected, PaymentProcessing)


def test_a_block_and_then_another_block_are_both_said():
    spec = story().given(request(), seen(100))
    spec.when(seen(100, block=block(2))).then(PaymentTransferIncluded)
    assert spec.state.arrivals[transfer(100).key].status == "included"
    spec.when(seen(100, block=block(2, height=2))).then(PaymentTransferIncluded)


def test_the_same_sighting_twice_says_nothing_new():
    spec = story().given(request(), seen(100)).when(seen(100, at=2)).then_nothing_new()
    spec.given(seen(100, block=block(2)))
    spec.when(seen(100, block=block(2))).then_nothing_new()
    spec.when(seen(100)).then_nothing_new()


def test_a_full_final_transfer_succeeds_and_goes_to_sales():
    spec = story().given(request(), seen(100)).when(final(100))
    spec.then(PaymentTransferConfirmed, PaymentSucceeded)
    confirmed, succeeded = spec.outcome
    amount = Amount(TAO, 100)
    assert confirmed.postings == (Posting(wallet("bittensor"), UNAPPLIED, amount),)
    assert confirmed.worth == usd(2500)
    assert succeeded.postings == (Posting(UNAPPLIED, SALES, amount),)
    assert succeeded.applied == (amount,)
    assert succeeded.transaction_id == "0xa"
    assert succeeded.labels == ()
    assert spec.state.status == "succeeded"
    assert spec.state.totals == Totals(usd(2500), usd(2500), usd(0), usd(0))
    assert succeeded.totals == spec.state.totals


def test_a_payment_for_credits_goes_to_deferred_credits_and_names_the_grant():
    spec = story().given(request(for_credits=True), seen(100)).when(final(100))
    succeeded = spec.outcome[-1]
    assert succeeded.postings == (Posting(UNAPPLIED, DEFERRED_CREDITS, Amount(TAO, 100)),)
    assert succeeded.credits == CREDITS
    assert succeeded.credit_account_id == ACCOUNT
    assert succeeded.grant_id.startswith("gr_")


def test_a_payment_for_no_credits_names_no_grant():
    spec = story().given(request()).when(final(100))
    assert spec.outcome[-1].grant_id is None


def test_a_confirmation_nobody_saw_coming_is_detected_and_confirmed_at_once():
    spec = story().given(request()).when(final(100))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentSucceeded)


def test_the_same_confirmation_twice_is_booked_once():
    spec = story().given(request(), final(100)).when(final(100)).then_nothing_new()
    spec.when(final(100, height=2, at=4)).then_nothing_new()
    spec.when(seen(100, block=block(5, height=3))).then_nothing_new()


def test_a_transfer_of_nothing_is_no_transfer():
    spec = story().given(request()).when(seen(0)).then_nothing_new()
    spec.when(final(0)).then_nothing_new()


def test_a_final_part_is_unapplied_and_the_payment_stays_open():
    spec = story().given(request()).when(final(40))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed)
    assert spec.state.status == "requires_payment"
    assert spec.state.totals == Totals(usd(1000), usd(1000), usd(0), usd(1500))


def test_two_parts_in_two_assets_make_one_whole():
    spec = story().given(request(), final(50))
    spec.when(final(500, "0xe", asset=ETH))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentSucceeded)
    assert spec.outcome[-1].applied == (Amount(TAO, 50), Amount(ETH, 500))
    assert spec.state.totals.confirmed == usd(2500)


def test_thirds_of_the_due_are_summed_exactly():
    spec = story().given(request(options=(due(3, TAO_OPTION),)))
    spec.given(final(1, "0x1"), final(1, "0x2"))
    assert spec.state.totals.confirmed == usd(1666)
    assert spec.state.totals.due == usd(834)
    spec.when(final(1, "0x3"))
    assert spec.state.status == "succeeded"
    assert spec.state.totals.confirmed == usd(2500)


def due(units, option):
    return replace(option, due=Amount(option.due.asset, units))


def test_a_unit_that_is_needed_in_part_is_taken_whole():
    spec = story().given(request(options=(due(3, TAO_OPTION), ETH_OPTION)))
    spec.given(final(500, "0xe", asset=ETH)).when(final(2))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentSucceeded)
    assert spec.outcome[-1].applied == (Amount(ETH, 500), Amount(TAO, 2))


def test_what_the_tolerance_forgives_is_labelled():
    spec = story().given(request(tolerance_ppm=10_000)).when(final(99))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentSucceeded)
    assert spec.outcome[-1].labels == ("tolerance_applied",)
    assert spec.state.totals.due == usd(0)


def test_a_unit_less_than_the_tolerance_is_too_little():
    spec = story().given(request(tolerance_ppm=9_999)).when(final(99))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed)


def test_a_full_payment_under_tolerance_has_no_label():
    spec = story().given(request(tolerance_ppm=10_000)).when(final(100))
    assert spec.outcome[-1].labels == ()


def test_what_is_over_stays_unapplied():
    spec = story().given(request()).when(final(150))
    spec.then(
        PaymentTransferDetected, PaymentTransferConfirmed, PaymentSucceeded, PaymentExcessRecorded
    )
    succeeded, excess = spec.outcome[-2:]
    assert succeeded.applied == (Amount(TAO, 100),)
    assert excess.excess == (Amount(TAO, 50),)
    assert excess.worth == usd(1250)
    assert excess.labels == ("overpaid",)
    assert spec.state.totals == Totals(usd(3750), usd(3750), usd(1250), usd(0))


def test_parts_that_together_are_too_much_are_overpaid_not_multiple():
    spec = story().given(request(), final(70)).when(final(70, "0xb"))
    assert spec.outcome[-1].labels == ("overpaid",)
    assert spec.outcome[-1].excess == (Amount(TAO, 40),)
    assert spec.state.labels == {"overpaid"}


def test_a_second_full_payment_is_multiple_and_all_excess():
    spec = story().given(request(), seen(100), seen(100, "0xb"), final(100))
    spec.when(final(100, "0xb")).then(PaymentTransferConfirmed, PaymentExcessRecorded)
    excess = spec.outcome[-1]
    assert excess.labels == ("multiple",)
    assert excess.worth == usd(2500)
    assert spec.state.status == "succeeded"


def test_a_second_payment_on_another_network_is_multiple():
    spec = story().given(request(), final(100)).when(final(1000, "0xe", asset=ETH))
    assert spec.outcome[-1].labels == ("multiple",)
    assert spec.outcome[-1].excess == (Amount(ETH, 1000),)


def test_nothing_by_the_time_it_expires():
    spec = story().given(request()).when(expire()).then(PaymentExpired)
    assert spec.state.status == "expired"
    spec.when(expire()).then_nothing_new()


def test_time_that_is_not_up_is_refused_rather_than_remembered():
    story().given(request()).when(expire(at=14)).then_refused(NotAllowed)


def test_a_part_by_the_time_it_expires_needs_a_person():
    spec = story().given(request(), final(40)).when(expire()).then(PaymentResolutionRequired)
    required = spec.outcome[0]
    assert required.why == "underpaid"
    assert required.labels == ("underpaid",)
    assert required.held == (Amount(TAO, 40),)
    assert spec.state.status == "requires_action"
    spec.when(expire(at=16)).then_nothing_new()


def test_what_was_seen_in_time_is_waited_for():
    story().given(request(), seen(100)).when(expire()).then_nothing_new()
    story().given(request(), seen(40)).when(expire()).then_nothing_new()


def test_what_was_seen_in_time_succeeds_however_late_it_is_final():
    spec = story().given(request(), seen(100), expire()).when(final(100, at=600, seen_at=1))
    spec.then(PaymentTransferConfirmed, PaymentSucceeded)
    assert "late" not in spec.state.labels


def test_a_part_seen_in_time_and_final_after_expiry_is_underpaid():
    spec = story().given(request(), seen(40), expire()).when(final(40, at=20, seen_at=1))
    spec.then(PaymentTransferConfirmed, PaymentResolutionRequired)
    assert spec.state.labels == {"underpaid"}


def test_nothing_is_underpaid_while_the_rest_is_on_its_way():
    spec = story().given(request(), seen(40), seen(60, "0xb"), expire())
    spec.when(final(40, at=20, seen_at=1)).then(PaymentTransferConfirmed)
    assert spec.state.status == "processing"
    spec.when(final(60, "0xb", at=21, seen_at=1))
    spec.then(PaymentTransferConfirmed, PaymentSucceeded)


def test_a_part_that_was_told_of_before_expiry_and_recorded_behind_it_needs_a_person():
    spec = story().given(request(), expire()).when(final(40, at=14))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentResolutionRequired)
    assert spec.state.why == "underpaid"


def test_a_drop_that_was_told_of_before_expiry_and_recorded_behind_it_leaves_it_expired():
    spec = story().given(request(), expire(), seen(40, at=13)).when(gone(at=14, units=40))
    spec.then(PaymentTransferDropped)
    assert spec.outcome[0].status_after == spec.state.status == "expired"


def test_success_does_not_expire():
    story().given(request(), final(100)).when(expire()).then_nothing_new()


def test_a_payment_nothing_was_seen_of_can_be_canceled():
    spec = story().given(request()).when(cancel()).then(PaymentCanceled)
    assert spec.state.status == "canceled"
    spec.when(cancel()).then_nothing_new()
    spec.when(expire()).then_nothing_new()


@pytest.mark.parametrize("history", [(seen(1),), (seen(100),), (final(40),), (final(100),)])
def test_a_payment_something_was_seen_of_cannot_be_canceled(history):
    story().given(request(), *history).when(cancel()).then_refused(NotAllowed)


def test_an_expired_payment_cannot_be_canceled():
    story().given(request(), expire()).when(cancel()).then_refused(NotAllowed)


def test_money_for_a_canceled_payment_is_held():
    spec = story().given(request(), cancel()).when(final(100))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentResolutionRequired)
    assert spec.outcome[-1].why == "canceled"
    assert spec.state.status == "requires_action"


def test_an_option_in_the_currency_of_the_request_needs_no_lock():
    option = due(25, ETH_OPTION)
    spec = story().given(request(amount=Amount(ETH, 25), options=(option,)))
    spec.when(final(25, "0xe", asset=ETH))
    assert spec.state.totals.confirmed == Amount(ETH, 25)
    assert spec.state.status == "succeeded"


def test_what_becomes_final_counts_and_not_what_had_been_announced():
    spec = story().given(request(), seen(100)).when(final(40))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed)
    assert spec.state.totals.confirmed == usd(1000)


def test_more_of_too_little_is_shown_again():
    spec = story().given(request(), final(40), expire())
    spec.when(final(30, "0xb", at=20, seen_at=14))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentResolutionRequired)
    assert spec.outcome[-1].held == (Amount(TAO, 70),)


def test_a_final_part_with_the_rest_on_its_way_makes_it_processing():
    spec = story().given(request(), seen(40)).when(final(60, "0xb"))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentProcessing)


def test_deciding_on_many_parts_takes_few_fractions(monkeypatch: pytest.MonkeyPatch):
    """Dust is cheap to send, and a writer that adds thousands of fractions serves nobody else."""
    parts = [seen(1, f"0x{number}", asset=ETH) for number in range(300)]
    payment = story().given(request(), *parts).when(seen(1, "0xmore", asset=ETH)).state
    made = 0

    def counted(*of: int) -> Fraction:
        nonlocal made
        made += 1
        return Fraction(*of)

    monkeypatch.setattr(state, "Fraction", counted)
    for event in decide(payment, final(1, "0x7", asset=ETH)):
        payment = evolve(payment, event)
    assert payment.totals.detected == usd(752)  # 301 of 1000 for 25.00, rounded down
    assert made < 60
