"""One payment, payable on two networks at once: the first that is final wins, the other is kept for its owner."""

from __future__ import annotations

from itertools import permutations

import pytest

from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment import (
    PaymentExcessRecorded,
    PaymentProcessing,
    PaymentResolutionRequired,
    PaymentSucceeded,
    PaymentTransferConfirmed,
    PaymentTransferDetected,
    PaymentTransferReorganised,
    Use,
)
from flamewire_ledger.domain.posting import SALES, UNAPPLIED
from tests.domain.books import Books
from tests.domain.payment.samples import (
    ETH,
    TAO,
    expire,
    final,
    gone,
    request,
    resolve,
    seen,
    story,
    usd,
)

TAO_SEEN = seen(100, "0xt")
ETH_SEEN = seen(1000, "0xe", asset=ETH)
TAO_FINAL = final(100, "0xt")
ETH_FINAL = final(1000, "0xe", asset=ETH)
TAO_GONE = gone("0xt")
TAO_KEY, ETH_KEY = "bittensor/0xt/0", "ethereum/0xe/0"


def test_two_full_payments_on_their_way_are_processing_once():
    spec = story().given(request()).when(TAO_SEEN)
    spec.then(PaymentTransferDetected, PaymentProcessing)
    spec.when(ETH_SEEN).then(PaymentTransferDetected)
    assert spec.state.totals.detected == usd(5000)


def test_the_one_that_is_final_first_wins_although_it_was_seen_second():
    spec = story().given(request(), TAO_SEEN, ETH_SEEN).when(ETH_FINAL)
    spec.then(PaymentTransferConfirmed, PaymentSucceeded)
    assert spec.outcome[1].uses == (Use(ETH_KEY, 1000),)
    spec.when(TAO_FINAL).then(PaymentTransferConfirmed, PaymentExcessRecorded)
    assert spec.outcome[1].labels == ("multiple",)
    assert spec.outcome[1].excess == (Amount(TAO, 100),)
    assert Books(spec.events).credit(UNAPPLIED, TAO.code) == 100


def test_parts_on_two_networks_add_up_by_their_worth():
    spec = story().given(request(), final(40, "0xt")).when(final(600, "0xe", asset=ETH))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentSucceeded)
    succeeded = spec.outcome[-1]
    assert succeeded.applied == (Amount(TAO, 40), Amount(ETH, 600))
    assert succeeded.labels == ()
    assert spec.state.labels == frozenset()


def test_parts_on_two_networks_that_are_too_little_are_underpaid():
    spec = story().given(request(), final(40, "0xt"), final(599, "0xe", asset=ETH))
    spec.when(expire()).then(PaymentResolutionRequired)
    assert spec.outcome[0].held == (Amount(TAO, 40), Amount(ETH, 599))


def test_when_the_winner_is_taken_back_the_other_pays():
    spec = story().given(request(for_credits=True), TAO_SEEN, ETH_SEEN, TAO_FINAL, ETH_FINAL)
    first_grant = spec.state.settlings[0].grant_id
    spec.when(TAO_GONE).then(PaymentTransferReorganised, PaymentSucceeded)
    reorganised, succeeded = spec.outcome
    assert reorganised.grants_undone == (first_grant,)
    assert succeeded.uses == (Use(ETH_KEY, 1000),)
    assert succeeded.grant_id not in (None, first_grant)
    assert spec.state.status == "succeeded"
    assert spec.state.held_amounts == ()


def test_when_the_winner_is_taken_back_the_other_is_waited_for():
    spec = story().given(request(), TAO_SEEN, ETH_SEEN, TAO_FINAL).when(TAO_GONE)
    spec.then(PaymentTransferReorganised, PaymentProcessing)
    assert spec.state.status == "processing"
    spec.when(ETH_FINAL).then(PaymentTransferConfirmed, PaymentSucceeded)
    assert spec.state.labels == {"reorged"}


def test_the_winner_that_comes_back_is_the_second_payment():
    spec = story().given(request(), TAO_SEEN, ETH_SEEN, TAO_FINAL, ETH_FINAL, TAO_GONE)
    spec.when(final(100, "0xt", at=5, height=9))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentExcessRecorded)
    assert spec.outcome[-1].excess == (Amount(TAO, 100),)
    books = Books(spec.events)
    assert (books.credit(SALES, ETH.code), books.credit(SALES, TAO.code)) == (1000, 0)


def test_a_second_payment_that_was_given_back_does_not_pay_for_the_winner():
    spec = story().given(request(), TAO_FINAL, ETH_FINAL, resolve("refund")).when(TAO_GONE)
    spec.then(PaymentTransferReorganised)
    assert spec.outcome[0].undoes_success
    assert spec.state.status == "processing"  # it may be mined again


def test_both_were_seen_in_time_and_are_final_after_it():
    spec = story().given(request(), TAO_SEEN, ETH_SEEN, expire())
    spec.given(final(1000, "0xe", at=20, seen_at=1, asset=ETH))
    spec.when(final(100, "0xt", at=25, seen_at=1))
    assert spec.state.status == "succeeded"
    assert spec.state.labels == {"multiple"}


def test_the_second_came_after_time_was_up_and_is_late_too():
    spec = story().given(request(), TAO_SEEN, expire())
    spec.given(seen(1000, "0xe", at=16, asset=ETH), final(100, "0xt", at=20, seen_at=1))
    spec.when(final(1000, "0xe", at=21, seen_at=16, asset=ETH))
    assert spec.state.status == "succeeded"
    assert {"late", "multiple"} <= spec.state.labels
    spec.when(gone("0xt", at=22)).then(PaymentTransferReorganised)
    assert spec.state.status == "processing"  # what is late pays for nothing by itself


@pytest.mark.parametrize(
    ("shares", "labels"),
    [
        ((50, 50), set()),
        ((50, 100), {"overpaid"}),
        ((100, 1), {"overpaid"}),
        ((250,), {"overpaid"}),
        ((100, 100), {"multiple"}),
        ((60, 60, 100), {"multiple"}),
    ],
)
def test_whether_it_was_paid_twice_is_the_same_in_any_order(shares: tuple[int, ...], labels: set):
    """In the end, that is: on the way there it may have been overpaid."""
    for order in permutations(enumerate(shares)):
        spec = story().given(request())
        for place, (name, share) in enumerate(order):
            is_tao = place % 2 == 0
            units, asset = (share, TAO) if is_tao else (share * 10, ETH)
            spec.given(final(units, f"0x{name}", asset=asset))
        assert spec.state.status == "succeeded"
        assert labels <= spec.state.labels <= labels | {"overpaid"}
