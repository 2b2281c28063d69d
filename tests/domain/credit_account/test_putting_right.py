"""Refunds of purchases, warnings and transfers: what the random histories cannot tell by sums alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from flamewire_ledger.domain.credit_account import (
    Consumption,
    ExpiryWarned,
    GrantReversed,
    PurchaseRefunded,
    RefundCredits,
    RefundPurchase,
    Slice,
    TransferCredits,
    WarnOfExpiry,
    decide_transfer,
)
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.posting import (
    CREDITS_ISSUED,
    DEFERRED_CREDITS,
    REFUNDS_PAYABLE,
    Posting,
    credits_available,
)
from flamewire_ledger.domain.rejection import NotAllowed
from tests.domain.credit_account.samples import (
    ACCOUNT,
    NOON,
    account,
    consume,
    credit,
    grant,
    hold,
    minute,
    opened,
    reverse,
)
from tests.domain.spec import Spec, fact

TAO = Asset("bittensor:TAO", 9)
DAY = 24 * 60
MONTHS = 90 * DAY


def purchase(units: int = 10) -> object:
    return replace(grant("gr_1", units, source="purchased", payment="pi_1"), cost=Amount(TAO, 100))


def refund(units: int | None = None) -> RefundPurchase:
    amount = None if units is None else credit(units)
    return RefundPurchase(ACCOUNT, "gr_1", (Amount(TAO, 100),), minute(2), amount)


def test_what_is_left_of_a_purchase_is_taken_back_and_its_price_is_payable():
    spec = account().given(opened(), purchase(), consume(3), hold("ho_1", 1))
    spec.when(refund()).then(
        fact(
            PurchaseRefunded,
            amount=credit(6),
            payable=(Amount(TAO, 60),),
            postings=(
                Posting(CREDITS_ISSUED, credits_available(ACCOUNT), credit(6)),
                Posting(DEFERRED_CREDITS, REFUNDS_PAYABLE, Amount(TAO, 60)),
            ),
        )
    )
    spec.when(refund()).then_refused(NotAllowed)


def test_parts_of_a_purchase_never_cost_more_than_it_did():
    spec = account().given(opened(), purchase(7))
    spec.given(*[refund(1)] * 7)
    paid = sum(event.payable[0].units for event in spec.events[2:])
    assert 93 < paid <= 100


def test_what_was_not_bought_or_was_taken_back_is_no_purchase_to_refund():
    spec = account().given(opened(), grant("gr_1", 10)).when(refund()).then_refused(NotAllowed)
    spec = account().given(opened(), purchase(), reverse("gr_1", at=1))
    spec.when(refund()).then_refused(NotAllowed)


def warn(days_before: float) -> WarnOfExpiry:
    ends = minute(MONTHS)
    return WarnOfExpiry(ACCOUNT, "gr_1", ends - timedelta(days=days_before))


def warned() -> Spec:
    return account().given(opened(), grant("gr_1", 10, expires=MONTHS))


def test_warnings_come_thirty_seven_and_one_days_ahead_once_each():
    spec = warned()
    spec.when(warn(30.1)).then()
    for days in (30, 7, 1):
        spec.when(warn(days)).then(fact(ExpiryWarned, days=days, amount=credit(10)))
        spec.when(warn(days)).then()
        spec.when(warn(days - 0.5)).then()
    spec.when(warn(0)).then()


@pytest.mark.parametrize(("left", "days"), [(20.0, 30), (5.0, 7), (0.5, 1)])
def test_behind_an_outage_only_the_nearest_warning_is_given(left: float, days: int):
    spec = warned().when(warn(left)).then(fact(ExpiryWarned, days=days))
    spec.when(warn(left)).then()


def test_nobody_is_warned_of_nothing_nor_of_what_was_known_when_it_was_granted():
    warned().given(consume(10)).when(warn(7)).then()
    week = account().given(opened(), grant("gr_1", 10, expires=7 * DAY))
    at = NOON + timedelta(days=2)
    week.when(WarnOfExpiry(ACCOUNT, "gr_1", at)).then()
    week.when(WarnOfExpiry(ACCOUNT, "gr_1", at + timedelta(days=4))).then(
        fact(ExpiryWarned, days=1)
    )


def test_the_parts_of_a_grant_cost_together_what_it_did():
    sender = account().given(opened(), purchase(7))
    receiver = Spec(sender._decide, sender._evolve).given(replace(opened(), account_id="ca_2"))
    costs = []
    for number in range(7):
        command = TransferCredits(ACCOUNT, "ca_2", f"tr_{number}", credit(1), minute(3))
        left, came = decide_transfer(sender.state, receiver.state, command)
        sender.given(*left)
        receiver.given(*came)
        costs.append(came[0].grants[0].cost.units)
    assert sum(costs) == 100
    assert max(costs) - min(costs) == 1


def test_parts_cost_no_more_than_their_grant_also_when_a_refund_came_between():
    grant_of_three = replace(purchase(3), cost=Amount(TAO, 1))
    sender = account().given(opened(), grant_of_three, consume(2))
    receiver = account().given(replace(opened(), account_id="ca_2"))
    burnt = Consumption(3, (Slice("gr_1", 2),), 0, None)
    costs = []
    for number, units in enumerate((1, 2)):
        command = TransferCredits(ACCOUNT, "ca_2", f"tr_{number}", credit(units), minute(3))
        left, came = decide_transfer(sender.state, receiver.state, command)
        sender.given(*left)
        receiver.given(*came)
        costs.append(came[0].grants[0].cost.units)
        if not number:
            sender.given(RefundCredits(ACCOUNT, "re_1", burnt, minute(3)))
    assert sum(costs) == 1


def owing() -> Spec:
    """Ten of a purchase are available, and five are owed: what burnt the ten was refunded."""
    spec = account().given(opened(overage_max=5), purchase(10), consume(10), consume(5))
    burnt = Consumption(3, (Slice("gr_1", 10),), 0, None)
    return spec.given(RefundCredits(ACCOUNT, "re_1", burnt, minute(2)))


def test_who_owes_does_not_give_away_what_would_pay_it():
    sender = owing()
    receiver = account().given(replace(opened(), account_id="ca_2"))
    command = TransferCredits(ACCOUNT, "ca_2", "tr_1", credit(6), minute(3))
    with pytest.raises(NotAllowed):
        decide_transfer(sender.state, receiver.state, command)
    left, came = decide_transfer(sender.state, receiver.state, replace(command, amount=credit(5)))
    assert (left[0].amount, came[0].amount) == (credit(5), credit(5))


def test_who_owes_is_paid_back_only_what_is_beyond_the_debt():
    owing().when(refund(6)).then_refused(NotAllowed)
    spec = owing().when(refund()).then(fact(PurchaseRefunded, amount=credit(5)))
    spec.when(refund()).then_refused(NotAllowed)


def test_whose_payment_is_undone_owes_what_it_gave_away():
    sender = account().given(opened(), purchase(10))
    receiver = Spec(sender._decide, sender._evolve).given(replace(opened(), account_id="ca_2"))
    command = TransferCredits(ACCOUNT, "ca_2", "tr_1", credit(4), minute(3))
    left, _ = decide_transfer(sender.state, receiver.state, command)
    sender.given(*left).given(reverse("gr_1", at=4))
    assert sender.state.owed == 4


def test_what_was_to_be_returned_of_a_payment_that_is_undone_is_not_to_be_returned():
    """The chain has taken back what would be returned, and the whole of it is off the books."""
    spec = account().given(opened(), purchase(), refund(3), refund(1))
    spec.when(reverse("gr_1")).then(fact(GrantReversed, taken_back=credit(6), owed=credit(0)))
    refunds = [it for it in spec.events[-1].postings if it.amount.asset == TAO]
    assert refunds == [Posting(REFUNDS_PAYABLE, DEFERRED_CREDITS, Amount(TAO, 40))]
