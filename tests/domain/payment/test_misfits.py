"""Money that arrives late, in another asset, or on another network: settled or held, never refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flamewire_ledger.domain.money import Amount, Asset
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
)
from flamewire_ledger.domain.payment.transfers import SUSPENSE_ARRIVALS_MAX
from flamewire_ledger.domain.posting import SUSPENSE, UNAPPLIED, Posting, wallet
from tests.domain.payment.samples import (
    ALPHA,
    ETH,
    SUI,
    TAO,
    TAO_OPTION,
    block,
    expire,
    final,
    gone,
    request,
    seen,
    story,
    usd,
)

HONOUR_5_MINUTES = LatePolicy("honour", within_seconds=300)
REPRICE = LatePolicy("reprice")


def test_a_late_transfer_is_held_not_refused():
    spec = story().given(request(), expire()).when(final(100, at=20))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentResolutionRequired)
    detected, confirmed, required = spec.outcome
    assert detected.labels == ("late", "stale_price")
    assert detected.standing == confirmed.standing == "late"
    assert confirmed.postings == (Posting(wallet("bittensor"), UNAPPLIED, Amount(TAO, 100)),)
    assert required.why == "late"
    assert required.held == (Amount(TAO, 100),)
    assert spec.state.status == "requires_action"
    assert spec.state.labels == {"late", "stale_price"}


def test_a_late_transfer_that_is_only_seen_changes_nothing_but_labels():
    spec = story().given(request(), expire()).when(seen(100, at=20)).then(PaymentTransferDetected)
    assert spec.state.status == "expired"


def test_a_late_transfer_before_anybody_said_that_time_is_up_is_late_all_the_same():
    spec = story().given(request()).when(final(100, at=20))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentResolutionRequired)


def test_the_last_moment_is_in_time():
    spec = story().given(request()).when(seen(100, at=15))
    spec.then(PaymentTransferDetected, PaymentProcessing)
    spec.when(final(100, at=20, seen_at=15))
    spec.then(PaymentTransferConfirmed, PaymentSucceeded)


def test_a_transfer_is_judged_by_its_block_when_we_saw_it_too_late():
    spec = story().given(request(), expire()).when(final(100, at=60, seen_at=60, block_at=14))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentSucceeded)
    assert "late" not in spec.state.labels


def test_a_transfer_is_judged_by_when_it_was_seen_when_its_block_came_late():
    spec = story().given(request(), seen(100, at=14), expire())
    spec.given(seen(100, at=18, block=block(18)))
    spec.when(final(100, at=60, seen_at=18, block_at=18))
    spec.then(PaymentTransferConfirmed, PaymentSucceeded)


def test_a_sighting_after_expiry_with_a_block_in_time_is_processing_again():
    spec = story().given(request(), expire()).when(seen(100, at=16, block=block(14)))
    spec.then(PaymentTransferDetected, PaymentProcessing)


def test_a_block_that_proves_a_late_sighting_in_time_counts_at_confirmation():
    spec = story().given(request(), seen(100, at=16), expire())
    spec.when(final(100, at=20, seen_at=16, block_at=14.9))
    assert spec.outcome[0].standing == "in_time"
    assert spec.state.status == "succeeded"


def test_a_block_in_time_counts_though_the_transfer_became_final_in_another():
    spec = story().given(request(), seen(100, at=16), seen(100, at=16, block=block(14)))
    spec.when(final(100, at=20, block_at=17, height=2))
    assert spec.state.status == "succeeded"


def test_late_and_too_little_is_both():
    spec = story().given(request(), expire()).when(final(40, at=20))
    assert spec.state.labels == {"late", "stale_price", "underpaid"}


def test_a_late_transfer_without_a_lock_has_no_stale_price():
    option = replace(TAO_OPTION, price_lock_id=None, due=Amount(TAO, 2500))
    spec = story().given(request(amount=Amount(TAO, 2500), options=(option,)), expire())
    spec.when(final(2500, at=20))
    assert spec.state.labels == {"late"}


def test_late_within_the_limits_is_honoured_at_the_locked_rate():
    spec = story().given(request(late=HONOUR_5_MINUTES), expire()).when(final(100, at=20))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentSucceeded)
    assert spec.outcome[0].standing == "honoured"
    assert spec.state.labels == {"late", "stale_price"}


def test_late_beyond_the_limits_is_held():
    spec = story().given(request(late=HONOUR_5_MINUTES), expire()).when(final(100, at=20.1))
    assert spec.state.status == "requires_action"


@pytest.mark.parametrize(
    ("worth_now", "status"),
    [(2375, "succeeded"), (2374, "requires_action"), (None, "requires_action")],
)
def test_late_is_honoured_only_while_the_price_has_not_drifted_too_far(worth_now, status):
    policy = LatePolicy("honour", within_seconds=300, drift_ppm_max=50_000)
    spec = story().given(request(late=policy), expire())
    spec.when(final(100, at=16, worth_now=worth_now))
    assert spec.state.status == status


def test_late_is_repriced_at_what_it_is_worth_when_it_comes():
    spec = story().given(request(late=REPRICE), expire()).when(final(100, at=20, worth_now=2400))
    detected, confirmed, required = spec.outcome
    assert (detected.standing, detected.worth) == ("repriced", usd(2400))
    assert confirmed.worth == usd(2400)
    assert required.why == "underpaid"
    assert spec.state.labels == {"late", "underpaid"}
    spec.when(final(10, "0xb", at=21, worth_now=100))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentSucceeded)


THEIR_OWN = Asset("bittensor:0xDeadBeef", 0)  # not listed: its decimals are not known


def test_a_flood_of_a_token_of_their_own_is_taken_in_up_to_a_limit():
    """Thousands fit in one transaction of a contract that anybody can write."""
    flood = [final(5, f"0x{number}", asset=THEIR_OWN) for number in range(SUSPENSE_ARRIVALS_MAX)]
    spec = story().given(request(), *flood).when(final(5, "0xmore", asset=THEIR_OWN))
    spec.then_nothing_new()
    story().given(request(), *flood).when(seen(5, "0xmore", asset=THEIR_OWN)).then_nothing_new()
    # What was taken in goes on, and the payment itself is not in their hands.
    story().given(request(), *flood).when(gone("0x7", asset=THEIR_OWN)).then(
        PaymentTransferReorganised
    )
    spec = story().given(request(), *flood).when(final(100))
    spec.then(
        PaymentTransferDetected, PaymentTransferConfirmed, PaymentSucceeded, PaymentExcessRecorded
    )


def test_a_listed_token_that_nobody_asked_for_is_held_among_any_flood():
    flood = [final(5, f"0x{number}", asset=THEIR_OWN) for number in range(SUSPENSE_ARRIVALS_MAX)]
    story().given(request(), *flood).when(final(5, "0xmore", asset=SUI)).then(
        PaymentTransferDetected, PaymentTransferConfirmed, PaymentResolutionRequired
    )


def test_what_a_person_said_is_this_payments_is_taken_in_among_any_flood():
    """No other books hold it."""
    flood = [final(5, f"0x{number}", asset=THEIR_OWN) for number in range(SUSPENSE_ARRIVALS_MAX)]
    given = replace(final(5, "0xmore", asset=THEIR_OWN), is_assigned=True)
    story().given(request(), *flood).when(given).then(
        PaymentTransferDetected, PaymentTransferConfirmed, PaymentResolutionRequired
    )


def test_more_of_a_token_than_there_is_of_anything_is_no_money():
    """Two of 2**256 - 1 would not fit in any book together."""
    most = final(2**256 - 1, asset=ALPHA)
    story().given(request()).when(most).then_nothing_new()


def test_a_repriced_transfer_that_is_worth_nothing_is_shown_to_somebody():
    """Less than a cent by now: it is on the books, and whoever sent it may ask for it."""
    spec = story().given(request(late=REPRICE), expire()).when(final(1, at=20, worth_now=0))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentResolutionRequired)
    assert spec.state.status == "requires_action"
    assert spec.outcome[-1].held == (Amount(TAO, 1),)


def test_a_repriced_transfer_that_is_worth_more_leaves_an_excess():
    spec = story().given(request(late=REPRICE), expire()).when(final(100, at=20, worth_now=5000))
    assert spec.outcome[-1].excess == (Amount(TAO, 50),)
    assert spec.state.totals.excess == usd(2500)


def test_the_price_when_it_was_seen_counts_and_not_the_one_when_it_was_final():
    spec = story().given(request(late=REPRICE), expire(), seen(100, at=20, worth_now=2500))
    spec.when(final(100, at=30, seen_at=20, worth_now=100))
    assert spec.state.status == "succeeded"


def test_late_without_a_price_is_held():
    spec = story().given(request(late=REPRICE), expire()).when(final(100, at=20))
    assert spec.outcome[-1].why == "late"


def test_a_late_transfer_after_success_is_late_and_multiple():
    spec = story().given(request(), final(100)).when(final(100, "0xb", at=20))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentExcessRecorded)
    assert spec.state.labels == {"late", "stale_price", "multiple"}
    assert spec.state.status == "succeeded"


def test_another_asset_is_in_suspense_and_needs_a_person():
    spec = story().given(request()).when(final(7, asset=ALPHA))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentResolutionRequired)
    detected, confirmed, required = spec.outcome
    assert detected.labels == ("wrong_asset",)
    assert confirmed.postings == (Posting(wallet("bittensor"), SUSPENSE, Amount(ALPHA, 7)),)
    assert confirmed.worth == usd(0)
    assert required.why == "wrong_asset"
    assert spec.state.totals.detected == usd(0)


def test_another_network_is_in_suspense_and_needs_a_person():
    spec = story().given(request()).when(final(7, asset=SUI))
    assert spec.outcome[-1].why == "wrong_network"
    assert spec.state.labels == {"wrong_network"}


def test_the_right_money_after_the_wrong_one_still_succeeds():
    spec = story().given(request(), final(7, "0xb", asset=ALPHA))
    spec.when(seen(100)).then(PaymentTransferDetected, PaymentProcessing)
    spec.when(final(100))
    spec.then(PaymentTransferConfirmed, PaymentSucceeded, PaymentExcessRecorded)
    assert spec.outcome[-1].excess == (Amount(ALPHA, 7),)
    assert spec.outcome[-1].labels == ()
    assert spec.state.labels == {"wrong_asset"}


def test_the_wrong_money_does_not_stop_what_is_processing():
    spec = story().given(request(), seen(100)).when(final(7, "0xb", asset=ALPHA))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed)
    assert spec.state.status == "processing"
    spec.when(gone()).then(PaymentTransferDropped, PaymentResolutionRequired)


def test_the_wrong_money_after_success_is_shown_and_success_stays():
    spec = story().given(request(), final(100)).when(final(7, "0xb", asset=ALPHA))
    spec.then(PaymentTransferDetected, PaymentTransferConfirmed, PaymentExcessRecorded)
    assert spec.outcome[-1].excess == (Amount(ALPHA, 7),)
    assert spec.outcome[-1].worth == usd(0)
    assert spec.state.status == "succeeded"
    assert spec.state.labels == {"wrong_asset"}


def test_wrong_money_that_is_only_on_its_way_does_not_stop_expiry():
    story().given(request(), seen(7, asset=ALPHA)).when(expire()).then(PaymentExpired)


def test_an_in_time_part_and_a_late_rest_are_both_held():
    spec = story().given(request(), final(40), expire()).when(final(600, "0xe", at=20, asset=ETH))
    required = spec.outcome[-1]
    assert required.why == "late"
    assert required.held == (Amount(TAO, 40), Amount(ETH, 600))
