"""What follows when a chain takes a transfer back, as given, when, then."""

from __future__ import annotations

from dataclasses import replace

from flamewire_ledger.domain.credit_account import (
    CREDIT,
    GrantReversed,
    HoldCaptured,
    PurchaseRefunded,
    ReverseGrant,
    Slice,
)
from flamewire_ledger.domain.invoice import VoidReceipt
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.payment import RequireResolution
from flamewire_ledger.processes.reversal import Reversal
from flamewire_ledger.processes.settlement import invoice_id
from tests.processes.stories import (
    ACCOUNT,
    GRANT,
    PAYMENT,
    SECOND,
    confirmed,
    known,
    minutes,
    opened,
    reorganised,
    requested,
    resolved,
    stream,
    succeeded,
)

REVERSAL = Reversal()


def reversed_grant(owed: int, payment_id: str | None = PAYMENT) -> GrantReversed:
    taken, owes = Amount(CREDIT, 25_000_000 - owed), Amount(CREDIT, owed)
    return GrantReversed(ACCOUNT, GRANT, taken, owes, payment_id, (), minutes(5))


def captured(owed: int) -> HoldCaptured:
    return HoldCaptured(
        account_id=ACCOUNT,
        hold_id="ho_1",
        captured=Amount(CREDIT, 5_000_000),
        slices=(Slice(GRANT, 5_000_000),),
        released=(),
        reference=None,
        postings=(),
        captured_at=minutes(8),
        owed=Amount(CREDIT, owed),
    )


def commands(stream_id: str, *events: object) -> list[object]:
    facts = stream(stream_id, *events)
    return [it.command for it in REVERSAL.react(facts[-1], known(facts))]


def test_an_undone_success_takes_back_its_grant_and_voids_its_receipt():
    facts = stream(PAYMENT, requested(), confirmed(), succeeded(), reorganised(GRANT))

    follow_ups = [it.command for it in REVERSAL.react(facts[-1], known(facts))]

    assert follow_ups == [
        ReverseGrant(ACCOUNT, GRANT, PAYMENT, at=minutes(5)),
        VoidReceipt(invoice_id(facts[2]), "bittensor took back 0xaa", at=minutes(5)),
    ]


def test_of_two_successes_the_last_one_is_undone():
    facts = stream(
        PAYMENT,
        *(requested(), confirmed(), succeeded(), reorganised(GRANT)),
        *(confirmed(), succeeded(SECOND, at=minutes(9)), reorganised(SECOND)),
    )

    reverse, void = (it.command for it in REVERSAL.react(facts[-1], known(facts)))

    assert reverse.grant_id == SECOND
    assert void.invoice_id == invoice_id(facts[5])


def test_a_success_that_came_later_is_not_undone_by_an_earlier_reorganisation():
    facts = stream(
        PAYMENT,
        *(requested(None), confirmed(), succeeded(None), reorganised()),
        *(confirmed(), succeeded(None, at=minutes(9))),
    )

    (void,) = (it.command for it in REVERSAL.react(facts[3], known(facts)))

    assert void.invoice_id == invoice_id(facts[2])


def test_a_transfer_that_was_only_an_excess_undoes_what_was_made_of_it_and_not_the_success():
    story = (requested(), confirmed(), succeeded(), resolved("credit", 3_870_000, SECOND))
    facts = stream(PAYMENT, *story, reorganised(SECOND, undoes_success=False))

    reverse, void = (it.command for it in REVERSAL.react(facts[-1], known(facts)))

    assert reverse == ReverseGrant(ACCOUNT, SECOND, PAYMENT, at=minutes(5))
    assert void.invoice_id == invoice_id(facts[3])


def test_an_undone_success_without_credits_has_its_receipt_voided():
    story = (requested(credit_account_id=None), confirmed(), succeeded(grant_id=None))
    facts = stream(PAYMENT, *story, reorganised())

    (void,) = (it.command for it in REVERSAL.react(facts[-1], known(facts)))

    assert void.invoice_id == invoice_id(facts[2])


def test_a_transfer_that_had_bought_nothing_undoes_nothing():
    assert commands(PAYMENT, requested(), confirmed(), reorganised(undoes_success=False)) == []


def test_credits_that_were_spent_ask_for_a_person():
    assert commands(ACCOUNT, opened(), reversed_grant(owed=4_000_000)) == [
        RequireResolution(PAYMENT, "reorged", at=minutes(5))
    ]


def test_credits_that_were_all_there_ask_for_nobody():
    assert commands(ACCOUNT, opened(), reversed_grant(owed=0)) == []


def test_what_was_to_be_returned_of_a_purchase_asks_for_a_person():
    refunded = PurchaseRefunded(
        account_id=ACCOUNT,
        grant_id=GRANT,
        amount=Amount(CREDIT, 5_000_000),
        payable=(Amount(Asset("bittensor:TAO", 9), 12_121_212),),
        payment_id=PAYMENT,
        reason=None,
        postings=(),
        refunded_at=minutes(4),
    )
    asked = [RequireResolution(PAYMENT, "reorged", at=minutes(5))]
    assert commands(ACCOUNT, opened(), refunded, reversed_grant(owed=0)) == asked
    other = replace(refunded, grant_id=SECOND)
    assert commands(ACCOUNT, opened(), other, reversed_grant(owed=0)) == []


def test_a_grant_without_a_payment_asks_for_nobody():
    assert commands(ACCOUNT, opened(), reversed_grant(owed=4_000_000, payment_id=None)) == []


def test_credits_held_at_the_time_and_captured_later_ask_for_a_person_then():
    story = (opened(), reversed_grant(owed=0), captured(owed=5_000_000))

    assert commands(ACCOUNT, *story) == [RequireResolution(PAYMENT, "reorged", at=minutes(8))]


def test_an_ordinary_capture_is_not_even_looked_into():
    fact = stream(ACCOUNT, captured(owed=0))[0]

    assert REVERSAL.asks(fact, {}) == frozenset()
    assert REVERSAL.react(fact, {}) == ()
