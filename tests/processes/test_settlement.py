"""What follows from a payment that succeeded, as given, when, then."""

from __future__ import annotations

from flamewire_ledger.domain.credit_account import CREDIT, GrantCredits
from flamewire_ledger.domain.invoice import IssueReceipt, SettledWith, register_id
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.processes.settlement import Settlement
from tests.processes.stories import (
    ACCOUNT,
    GRANT,
    LOCK,
    MERCHANT,
    NOON,
    PAYMENT,
    SECOND,
    TAO,
    USD,
    confirmed,
    known,
    locked,
    minutes,
    reorganised,
    requested,
    resolved,
    stream,
    succeeded,
)

SETTLEMENT = Settlement()
LOCKED = stream(LOCK, locked())


def commands(*events: object) -> dict[str, object]:
    """The commands that follow from the last of these events of a payment, by name."""
    facts = stream(PAYMENT, *events)
    follow_ups = SETTLEMENT.react(facts[-1], known(facts, LOCKED))
    return {it.name: it.command for it in follow_ups}


def receipt(*events: object) -> IssueReceipt:
    issued = commands(*events)["receipt"]
    assert isinstance(issued, IssueReceipt)
    return issued


def test_a_payment_for_credits_grants_what_was_promised():
    granted = commands(requested(), confirmed(), succeeded())["grant"]

    assert granted == GrantCredits(
        account_id=ACCOUNT,
        grant_id=GRANT,
        amount=Amount(CREDIT, 25_000_000),
        source="purchased",
        at=minutes(2),
        payment_id=PAYMENT,
        cost=Amount(USD, 25_00),
    )


def test_a_payment_for_no_credits_grants_none():
    paid = commands(requested(credit_account_id=None), confirmed(), succeeded(grant_id=None))

    assert list(paid) == ["receipt"]


def test_a_receipt_says_what_was_bought_and_what_paid_for_it_at_which_rate():
    issued = receipt(requested(), confirmed(), succeeded())

    assert issued.register_id == register_id(MERCHANT, minutes(2))
    assert issued.total == Amount(USD, 25_00)
    assert [line.amount for line in issued.lines] == [Amount(USD, 25_00)]
    assert [line.description for line in issued.lines] == ["25 credits"]
    assert issued.reference == "order-17"
    # What came beyond the due is not what paid for this: it is still the customer's.
    assert issued.settled_with == (
        SettledWith(
            "bittensor", "0xaa", Amount(TAO, 60_606_061), "412.50", LOCK, NOON, ("sandbox",)
        ),
    )


def test_a_repriced_transfer_is_shown_without_the_lock_it_did_not_count_by():
    issued = receipt(requested(), confirmed(standing="repriced"), succeeded())

    assert [(it.price, it.price_lock_id) for it in issued.settled_with] == [(None, None)]


def test_a_payment_that_succeeds_again_has_another_receipt():
    story = (requested(), confirmed(), succeeded())
    again = (*story, reorganised(GRANT), confirmed(), succeeded(SECOND))

    assert receipt(*story).invoice_id != receipt(*again).invoice_id


def test_the_same_success_has_the_same_receipt_whatever_came_behind_it():
    facts = stream(PAYMENT, requested(), confirmed(), succeeded(), reorganised(GRANT))

    now = SETTLEMENT.react(facts[2], known(facts[:3], LOCKED))
    later = SETTLEMENT.react(facts[2], known(facts, LOCKED))

    assert now == later


def test_an_excess_turned_into_credits_is_granted_at_its_share_of_the_price():
    story = (requested(), confirmed(), succeeded(), resolved("credit", 3_870_000, SECOND))

    assert commands(*story)["grant"].amount == Amount(CREDIT, 3_870_000)
    assert commands(*story)["grant"].cost == Amount(USD, 3_87)
    assert receipt(*story).total == Amount(USD, 3_87)


def test_a_refund_buys_nothing():
    story = (requested(), confirmed(), succeeded(), resolved("refund", 0, None))

    assert commands(*story) == {}


def test_a_payment_accepted_by_a_person_is_settled_once_by_the_success_behind_it():
    accepted = (requested(), confirmed(), resolved("accept", 0, None))

    assert commands(*accepted) == {}
    assert list(commands(*accepted, succeeded())) == ["grant", "receipt"]


def test_it_asks_for_the_payment_and_then_for_the_locks_it_was_paid_by():
    facts = stream(PAYMENT, requested(), confirmed(), succeeded())

    assert SETTLEMENT.asks(facts[-1], {}) == {PAYMENT}
    assert SETTLEMENT.asks(facts[-1], known(facts)) == {LOCK}
    assert SETTLEMENT.asks(facts[-1], known(facts, LOCKED)) == frozenset()
