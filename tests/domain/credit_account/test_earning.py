"""What is told when a day is over: how much of what was bought is burnt or has lapsed by its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from flamewire_ledger.domain.credit_account import (
    CloseDay,
    Consumption,
    CreditsConsumed,
    CreditsEarned,
    CreditsTransferredIn,
    CreditsTransferredOut,
    GrantExpired,
    GrantReversed,
    HoldCaptured,
    OverageSet,
    PurchaseRefunded,
    RefundCredits,
    RefundPurchase,
    SetOverage,
    TransferCredits,
    decide_transfer,
    evolve,
)
from flamewire_ledger.domain.credit_account.earning import GRANTS_TOLD_MAX
from flamewire_ledger.domain.money import Amount, Asset
from tests.domain.credit_account.samples import (
    ACCOUNT,
    NOON,
    account,
    capture,
    consume,
    credit,
    expire_grant,
    grant,
    hold,
    minute,
    opened,
    release,
    reverse,
)
from tests.domain.spec import fact

DAY = 24 * 60
MIDNIGHT = 12 * 60  # after noon
TAO = Asset("bittensor:TAO", 9)


def bought(grant_id="gr_1", units=10, **terms):
    return grant(grant_id, units, source="purchased", payment="pi_1", **terms)


def close(at=MIDNIGHT):
    return CloseDay(ACCOUNT, minute(at))


def told(spec):
    """Of each grant: burnt, lapsed, refunded, as it was told last."""
    return {
        it.grant_id: (it.spent, it.lapsed, it.refunded)
        for event in spec.outcome
        if isinstance(event, CreditsEarned)
        for it in event.grants
    }


def test_a_day_that_is_over_tells_what_was_burnt_of_what_was_bought():
    spec = account().given(opened(), bought(), grant("gr_free", 5, priority=1), consume(8))
    spec.when(close()).then(fact(CreditsEarned, day=date(2026, 1, 1), earned_at=minute(MIDNIGHT)))
    (earned,) = spec.outcome[0].grants
    assert told(spec) == {"gr_1": (3, 0, 0)}
    assert (earned.payment_id, earned.bought_grant_id) == ("pi_1", "gr_1")


def test_a_day_that_is_not_over_or_was_told_says_nothing():
    spec = account().given(opened(), bought())
    spec.when(close(at=DAY)).then_nothing_new()  # nothing was burnt
    spec.given(consume(3))
    spec.when(close(at=MIDNIGHT - 1)).then_nothing_new()
    spec.when(close()).then(CreditsEarned)
    spec.when(close(at=3 * DAY)).then_nothing_new()


def test_the_first_command_of_the_next_day_closes_the_day_before_as_it_ended():
    spec = account().given(opened(), bought(), consume(3))
    spec.when(consume(4, at=MIDNIGHT)).then(
        fact(CreditsEarned, day=date(2026, 1, 1)), CreditsConsumed
    )
    assert told(spec) == {"gr_1": (3, 0, 0)}
    spec.when(consume(1, at=MIDNIGHT + 1)).then(CreditsConsumed)
    spec.when(close(at=9 * DAY)).then(fact(CreditsEarned, day=date(2026, 1, 2)))
    assert told(spec) == {"gr_1": (8, 0, 0)}


def test_a_day_is_closed_by_whatever_comes_first_but_not_by_what_says_nothing():
    spec = account().given(opened(), bought(), consume(3))
    spec.when(SetOverage(ACCOUNT, credit(0), minute(DAY))).then_nothing_new()
    spec.when(SetOverage(ACCOUNT, credit(5), minute(DAY))).then(CreditsEarned, OverageSet)


def test_what_was_bought_and_not_touched_is_not_told_again():
    spec = account().given(opened(), bought(), bought("gr_2", 10), consume(3), close())
    spec.when(consume(1, at=DAY)).then(CreditsConsumed)
    spec.given(consume(7, at=DAY))
    spec.when(close(at=2 * DAY))
    assert told(spec) == {"gr_1": (10, 0, 0), "gr_2": (1, 0, 0)}
    spec.given(consume(1, at=3 * DAY))
    spec.when(close(at=4 * DAY))
    assert told(spec) == {"gr_2": (2, 0, 0)}


def test_a_clock_that_is_behind_opens_no_day_anew():
    spec = account().given(opened(), bought(), consume(3), consume(4, at=MIDNIGHT))
    spec.when(consume(1, at=MIDNIGHT - 1)).then(CreditsConsumed)
    spec.when(close(at=MIDNIGHT)).then_nothing_new()
    spec.when(close(at=MIDNIGHT + DAY)).then(fact(CreditsEarned, day=date(2026, 1, 2)))
    assert told(spec) == {"gr_1": (8, 0, 0)}


def test_what_comes_too_late_for_its_day_is_told_with_the_last_one_again():
    """A command that waited in a queue for two days. News of an older day would be no news."""
    spec = account().given(opened(), bought(), consume(3), consume(1, at=DAY), close(at=2 * DAY))
    spec.given(consume(2, at=5))
    spec.when(close(at=2 * DAY)).then(fact(CreditsEarned, day=date(2026, 1, 2)))
    assert told(spec) == {"gr_1": (6, 0, 0)}
    spec.given(consume(1, at=3 * DAY))
    spec.when(close(at=4 * DAY)).then(fact(CreditsEarned, day=date(2026, 1, 4)))


def test_what_lapses_is_told_apart_also_out_of_a_hold():
    spec = account().given(opened(), bought(expires=10), hold("ho_1", 4), hold("ho_2", 2))
    spec.given(expire_grant("gr_1"), release("ho_1", at=11), capture("ho_2", 1, at=12))
    assert {type(it) for it in spec.events} >= {GrantExpired, HoldCaptured}
    spec.when(close())
    assert told(spec) == {"gr_1": (1, 9, 0)}


def test_what_settles_a_debt_is_earned_when_it_does():
    spec = account().given(opened(overage_max=5), consume(4), bought(at=DAY))
    spec.when(close(at=2 * DAY)).then(fact(CreditsEarned, day=date(2026, 1, 2)))
    assert told(spec) == {"gr_1": (4, 0, 0)}


def test_a_refunded_consumption_is_less_earned_and_a_grant_may_come_back_from_its_shelf():
    spec = account().given(opened(), bought(units=3), consume(3), close())
    burnt = Consumption(3, spec.events[2].slices, 0, None)
    spec.given(RefundCredits(ACCOUNT, "re_1", burnt, minute(DAY), credit(2)))
    spec.when(close(at=2 * DAY))
    assert told(spec) == {"gr_1": (1, 0, 0)}


def test_a_day_that_undid_itself_is_told_all_the_same():
    """Or whoever waits for it would ask for ever."""
    for closing in (close(at=2 * DAY), consume(1, at=2 * DAY)):
        spec = account().given(opened(), bought(), consume(3), close(), consume(2, at=DAY))
        burnt = Consumption(5, spec.events[-1].slices, 0, None)
        spec.given(RefundCredits(ACCOUNT, "re_1", burnt, minute(DAY)))
        spec.when(closing)
        assert isinstance(spec.outcome[0], CreditsEarned)
        assert spec.outcome[0].grants == ()
        spec.when(close(at=2 * DAY)).then_nothing_new()


def test_an_account_that_bought_nothing_has_nothing_to_tell():
    spec = account().given(opened(), grant("gr_free", 9), consume(3))
    spec.when(consume(1, at=2 * DAY)).then(CreditsConsumed)
    spec.when(close(at=9 * DAY)).then_nothing_new()


def test_what_is_refunded_of_a_purchase_is_told_with_what_is_payable():
    paid = (Amount(TAO, 100),)
    spec = account().given(opened(), bought(), consume(3))
    for units in (2, 1):
        spec.given(RefundPurchase(ACCOUNT, "gr_1", paid, minute(5), credit(units)))
    assert isinstance(spec.events[-1], PurchaseRefunded)
    spec.when(close())
    (earned,) = spec.outcome[0].grants
    assert told(spec) == {"gr_1": (3, 0, 3)}
    assert earned.payable == (Amount(TAO, 30),)


def test_a_grant_that_was_reversed_is_told_no_more():
    spec = account().given(opened(), bought(), consume(3), close(), consume(2, at=DAY))
    spec.given(reverse("gr_1", at=DAY + 1))
    assert isinstance(spec.events[-1], GrantReversed)
    spec.when(close(at=2 * DAY)).then(fact(CreditsEarned, grants=()))


def test_a_part_that_is_transferred_is_told_of_where_it_is_burnt_and_names_what_was_bought():
    sender = account().given(opened(), bought(), consume(3))
    receiver = evolve(None, opened_as("ca_bob"))
    command = TransferCredits(ACCOUNT, "ca_bob", "tr_1", credit(5), minute(DAY))
    left, came = decide_transfer(sender.state, receiver, command)
    assert [type(it) for it in left] == [CreditsEarned, CreditsTransferredOut]
    assert [type(it) for it in came] == [CreditsTransferredIn]
    for event in left:
        sender.given(event)
    sender.when(close(at=3 * DAY)).then_nothing_new()
    sender.given(consume(1, at=3 * DAY)).when(close(at=4 * DAY))
    assert told(sender) == {"gr_1": (4, 0, 0)}
    (part,) = came[0].grants
    assert (part.payment_id, part.bought_grant_id) == ("pi_1", "gr_1")
    other = account()
    other.given(opened_as("ca_bob"), *came, consume(2, at=DAY))
    other.when(close(at=2 * DAY))
    assert told(other) == {part.grant_id: (2, 0, 0)}
    assert other.outcome[0].grants[0].bought_grant_id == "gr_1"


def test_one_fact_tells_of_so_many_grants_and_no_more():
    number = GRANTS_TOLD_MAX + 1
    spec = account().given(opened(), *[bought(f"gr_{it:04}", 1) for it in range(number)])
    spec.given(consume(number))
    spec.when(close()).then(CreditsEarned, CreditsEarned)
    assert len(told(spec)) == number
    spec.when(close()).then_nothing_new()


def opened_as(name):
    return replace(account().given(opened()).events[0], account_id=name, opened_at=NOON)
