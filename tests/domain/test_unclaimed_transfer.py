"""An unclaimed transfer: held, on the books once, and let go only by a person or by its chain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.posting import REFUNDS_PAYABLE, SUSPENSE, WRITE_OFFS, Posting, wallet
from flamewire_ledger.domain.rejection import Malformed, NotAllowed, NotFound
from flamewire_ledger.domain.transfer import Block, Transfer
from flamewire_ledger.domain.unclaimed_transfer import (
    AssignTransfer,
    ConfirmUnclaimed,
    DropUnclaimed,
    GiveUpTransfer,
    ReceiveTransfer,
    UnclaimedTransferAssigned,
    UnclaimedTransferConfirmed,
    UnclaimedTransferDropped,
    UnclaimedTransferGivenUp,
    UnclaimedTransferReceived,
    UnclaimedTransferReorganised,
    decide,
    evolve,
)
from tests.domain.books import Books
from tests.domain.snapshots import through_json
from tests.domain.spec import Spec, fact

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TAO = Asset("bittensor:TAO", 9)
CHAIN = "polkadot:2f0555cc76fc2840a25a6ea3b9637146"
WALLET = wallet("bittensor")


def minute(number):
    return NOON + timedelta(minutes=number)


def transfer(units=100):
    return Transfer("bittensor", "0xaa", 0, "5Fshared", Amount(TAO, units), "0xfeed")


def block(height=10):
    return Block(height, f"0xb{height}", minute(0))


def receive(units=100, at=None):
    return ReceiveTransfer("ut_1", CHAIN, transfer(units), at, "unknown_mark", minute(0))


def confirm(units=100, height=10):
    moved, at = transfer(units), block(height)
    return ConfirmUnclaimed("ut_1", CHAIN, moved, at, 3, "unknown_mark", minute(0), minute(3))


def assign(payment="pi_1", reason="the payer wrote to us"):
    return AssignTransfer("ut_1", payment, "mer_shop", reason, minute(5))


def give_up(choice="refund", reason="nobody asked for it"):
    return GiveUpTransfer("ut_1", choice, reason, minute(5))


DROP = DropUnclaimed("ut_1", minute(9))


@pytest.fixture
def spec():
    return Spec(decide, evolve)


def test_what_is_seen_is_shown_and_not_on_the_books_yet(spec):
    spec.when(receive()).then(fact(UnclaimedTransferReceived, transfer=transfer(), block=None))
    assert not Books(spec.events).balances


def test_seeing_it_again_says_nothing_new(spec):
    spec.given(receive()).when(receive(at=block())).then_nothing_new()


def test_what_is_final_is_on_the_books_and_owed_to_somebody(spec):
    posting = Posting(WALLET, SUSPENSE, Amount(TAO, 100))
    spec.given(receive()).when(confirm()).then(
        fact(UnclaimedTransferConfirmed, postings=(posting,))
    )
    spec.when(confirm()).then_nothing_new()


def test_what_nobody_saw_coming_is_received_and_confirmed(spec):
    spec.when(confirm()).then(UnclaimedTransferReceived, UnclaimedTransferConfirmed)


def test_what_never_became_final_is_dropped(spec):
    spec.given(receive()).when(DROP).then(UnclaimedTransferDropped)
    spec.when(DROP).then_nothing_new()
    spec.when(receive()).then(UnclaimedTransferReceived)


def test_dropping_what_was_never_seen_says_nothing(spec):
    spec.when(DROP).then_nothing_new()


def test_what_the_chain_takes_back_is_off_the_books_to_the_last_posting(spec):
    spec.given(confirm()).when(DROP).then(fact(UnclaimedTransferReorganised, payment_id=None))
    assert not any(Books(spec.events).balances.values())


def test_assigning_it_takes_it_off_these_books(spec):
    spec.given(confirm()).when(assign()).then(
        fact(
            UnclaimedTransferAssigned,
            payment_id="pi_1",
            payment_merchant_id="mer_shop",
            transfer=transfer(),
            seen_at=minute(0),
            postings=(Posting(SUSPENSE, WALLET, Amount(TAO, 100)),),
        )
    )
    assert not any(Books(spec.events).balances.values())


def test_it_is_assigned_once(spec):
    spec.given(confirm(), assign()).when(assign("pi_2")).then_refused(NotAllowed)


def test_what_is_not_final_is_not_assigned(spec):
    spec.given(receive()).when(assign()).then_refused(NotAllowed)


def test_what_is_gone_is_not_assigned(spec):
    spec.given(confirm(), DROP).when(assign()).then_refused(NotAllowed)


def test_a_decision_has_a_reason_and_something_it_is_about(spec):
    spec.when(assign()).then_refused(NotFound)
    spec.given(confirm()).when(assign(reason=" ")).then_refused(Malformed)
    spec.when(give_up(reason="")).then_refused(Malformed)


def test_the_payment_is_told_when_the_chain_takes_back_what_it_was_given(spec):
    spec.given(confirm(), assign()).when(DROP).then(
        fact(UnclaimedTransferReorganised, payment_id="pi_1", payment_merchant_id="mer_shop")
    )
    assert not any(Books(spec.events).balances.values())


def test_what_returns_belongs_to_the_payment_it_was_given_to(spec):
    spec.given(confirm(), assign(), DROP).when(confirm(height=12)).then(
        UnclaimedTransferReceived,
        UnclaimedTransferConfirmed,
        fact(UnclaimedTransferAssigned, payment_id="pi_1", block=block(12)),
    )


def test_what_returns_after_it_was_given_up_is_decided_anew(spec):
    spec.given(confirm(), give_up(), DROP).when(confirm(height=12)).then(
        UnclaimedTransferReceived, UnclaimedTransferConfirmed
    )
    assert Books(spec.events).credit(SUSPENSE, TAO.code) == 100


@pytest.mark.parametrize(
    ("choice", "account"), [("refund", REFUNDS_PAYABLE), ("write_off", WRITE_OFFS)]
)
def test_it_is_given_up_for_a_refund_or_kept(spec, choice, account):
    spec.given(confirm()).when(give_up(choice)).then(fact(UnclaimedTransferGivenUp, choice=choice))
    books = Books(spec.events)
    assert books.debit(WALLET, TAO.code) == 100
    assert books.credit(account, TAO.code) == 100
    assert books.credit(SUSPENSE, TAO.code) == 0
    spec.when(DROP)
    assert not any(Books(spec.events).balances.values())


def test_other_content_in_the_same_place_takes_the_place_of_the_first(spec):
    spec.given(confirm(100)).when(confirm(70, height=12)).then(
        UnclaimedTransferReorganised, UnclaimedTransferReceived, UnclaimedTransferConfirmed
    )
    assert Books(spec.events).debit(WALLET, TAO.code) == 70


def test_a_state_is_the_same_after_it_was_kept_as_a_snapshot(spec):
    spec.given(confirm(), assign(), DROP, receive())
    assert through_json(spec.state) == spec.state
