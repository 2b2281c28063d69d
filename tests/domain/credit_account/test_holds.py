"""Holds: set aside, captured in whole or part, released, let go by time; and grants that end meanwhile."""

from __future__ import annotations

from flamewire_ledger.domain.credit_account import (
    CreditsConsumed,
    CreditsHeld,
    GrantExpired,
    GrantReversed,
    HoldCaptured,
    HoldReleased,
    balance,
    holds,
)
from flamewire_ledger.domain.posting import (
    CREDITS_BREAKAGE,
    CREDITS_CONSUMED,
    CREDITS_ISSUED,
    CREDITS_OWED,
    Posting,
    credits_available,
    credits_held,
)
from flamewire_ledger.domain.rejection import (
    AlreadyExists,
    InsufficientCredits,
    InvalidAmount,
    LimitReached,
    Malformed,
    NotAllowed,
    NotFound,
)
from tests.domain.credit_account.samples import (
    ACCOUNT,
    account,
    available,
    capture,
    consume,
    credit,
    expire_grant,
    expire_hold,
    grant,
    hold,
    minute,
    opened,
    release,
    reverse,
    slices,
)
from tests.domain.spec import fact

AVAILABLE = credits_available(ACCOUNT)
HELD = credits_held(ACCOUNT)


def test_a_hold_sets_aside_what_would_burn_next():
    spec = account().given(opened(), grant("gr_a", 10), grant("gr_b", 10)).when(hold("ho_1", 15))
    spec.then(fact(CreditsHeld, slices=slices(gr_a=10, gr_b=5)))
    assert spec.outcome[0].postings == (Posting(HELD, AVAILABLE, credit(15)),)
    now = balance(spec.state, minute(1))
    assert (now.available, now.held) == (credit(5), credit(15))


def test_what_is_held_cannot_be_burnt_or_held_again():
    spec = account().given(opened(), grant("gr_a", 10), hold("ho_1", 8))
    spec.when(consume(3)).then_refused(InsufficientCredits)
    spec.when(hold("ho_2", 3)).then_refused(InsufficientCredits)
    spec.when(consume(2)).then(CreditsConsumed)


def test_a_hold_takes_no_overage():
    account().given(opened(overage_max=100)).when(hold("ho_1", 1)).then_refused(InsufficientCredits)


def test_a_hold_is_made_once_and_ends_after_it_begins():
    spec = account().given(opened(), grant("gr_a", 10), hold("ho_1", 1))
    spec.when(hold("ho_1", 1)).then_refused(AlreadyExists)
    spec.when(hold("ho_2", 1, at=5, expires=5)).then_refused(Malformed)


def test_open_holds_are_bounded(monkeypatch):
    monkeypatch.setattr(holds, "HOLDS_OPEN_MAX", 1)
    spec = account().given(opened(), grant("gr_a", 10), hold("ho_1", 1))
    spec.when(hold("ho_2", 1)).then_refused(LimitReached)


def test_a_capture_burns_all_that_was_held():
    spec = account().given(opened(), grant("gr_a", 10), hold("ho_1", 8)).when(capture("ho_1"))
    spec.then(fact(HoldCaptured, captured=credit(8), slices=slices(gr_a=8), released=()))
    assert spec.outcome[0].postings == (Posting(CREDITS_CONSUMED, HELD, credit(8)),)
    assert available(spec) == 2
    spec.when(capture("ho_1")).then_refused(NotFound)


def test_a_capture_in_part_gives_the_rest_back():
    spec = account().given(opened(), grant("gr_a", 5), grant("gr_b", 5), hold("ho_1", 8))
    spec.when(capture("ho_1", 6))
    spec.then(fact(HoldCaptured, slices=slices(gr_a=5, gr_b=1), released=slices(gr_b=2), lapsed=()))
    assert spec.outcome[0].postings == (
        Posting(CREDITS_CONSUMED, HELD, credit(6)),
        Posting(AVAILABLE, HELD, credit(2)),
    )
    assert available(spec) == 4


def test_more_than_was_held_is_not_captured():
    spec = account().given(opened(), grant("gr_a", 10), hold("ho_1", 8))
    spec.when(capture("ho_1", 9)).then_refused(NotAllowed)
    spec.when(capture("ho_1", 0)).then_refused(InvalidAmount)


def test_a_release_gives_everything_back():
    spec = account().given(opened(), grant("gr_a", 10), hold("ho_1", 8)).when(release("ho_1"))
    spec.then(fact(HoldReleased, expired=False, amount=credit(8)))
    assert available(spec) == 10
    spec.when(release("ho_1")).then_refused(NotFound)


def test_a_hold_is_let_go_when_its_time_is_up():
    spec = account().given(opened(), grant("gr_a", 10), hold("ho_1", 8))
    spec.when(expire_hold("ho_1", at=59)).then_refused(NotAllowed)
    spec.when(expire_hold("ho_1")).then(fact(HoldReleased, expired=True))
    spec.when(expire_hold("ho_1")).then_nothing_new()


def test_a_hold_past_its_time_is_available_though_nobody_has_said_so():
    spec = account().given(opened(), grant("gr_a", 10), hold("ho_1", 8, expires=5))
    assert available(spec, at=4) == 2
    assert available(spec, at=5) == 10
    spec.when(consume(9, at=5)).then(HoldReleased, CreditsConsumed)
    assert available(spec, at=5) == 1


def test_what_a_hold_past_its_time_held_burns_in_its_order():
    spec = account().given(
        opened(), grant("gr_a", 8, priority=1), hold("ho_1", 8, expires=5), grant("gr_b", 10)
    )
    spec.when(consume(2, at=4)).then(fact(CreditsConsumed, slices=slices(gr_b=2)))
    spec.when(consume(3, at=5)).then(HoldReleased, fact(CreditsConsumed, slices=slices(gr_a=3)))


def test_a_hold_past_its_time_makes_room_for_another():
    spec = account().given(opened(), grant("gr_a", 10), hold("ho_1", 8, expires=5))
    spec.when(hold("ho_2", 10, at=6)).then(HoldReleased, CreditsHeld)


def test_a_hold_past_its_time_is_not_captured():
    spec = account().given(opened(), grant("gr_a", 10), hold("ho_1", 8, expires=5))
    spec.when(capture("ho_1", at=5)).then_refused(NotAllowed)


def test_what_was_held_in_time_is_captured_after_its_grant_expired():
    spec = account().given(opened(), grant("gr_a", 10, expires=10), hold("ho_1", 8))
    spec.when(expire_grant("gr_a")).then(fact(GrantExpired, amount=credit(2)))
    spec.when(capture("ho_1", at=11)).then(fact(HoldCaptured, captured=credit(8), lapsed=()))
    assert balance(spec.state, minute(11)).consumed == credit(8)


def test_what_is_released_after_its_grant_expired_lapses():
    spec = account().given(opened(), grant("gr_a", 10, expires=10), hold("ho_1", 8))
    spec.given(expire_grant("gr_a"))
    spec.when(release("ho_1", at=11)).then(fact(HoldReleased, lapsed=slices(gr_a=8)))
    assert spec.outcome[0].postings == (Posting(CREDITS_BREAKAGE, HELD, credit(8)),)
    assert available(spec, at=11) == 0
    assert balance(spec.state, minute(11)).expired == credit(10)


def test_what_is_released_lapses_by_the_clock_though_nobody_said_its_grant_expired():
    spec = account().given(opened(), grant("gr_a", 10, expires=10), grant("gr_b", 5))
    spec.given(hold("ho_1", 12))
    spec.when(release("ho_1", at=11)).then(fact(HoldReleased, lapsed=slices(gr_a=10)))
    assert available(spec, at=11) == 5


def test_the_rest_of_a_capture_lapses_too():
    spec = account().given(opened(), grant("gr_a", 10, expires=10), hold("ho_1", 8))
    spec.when(capture("ho_1", 3, at=11))
    spec.then(fact(HoldCaptured, released=slices(gr_a=5), lapsed=slices(gr_a=5)))
    assert available(spec, at=11) == 0


def test_what_is_held_of_a_reversed_grant_is_taken_back_when_it_is_released():
    spec = account().given(opened(), grant("gr_a", 10), hold("ho_1", 8))
    spec.when(reverse("gr_a")).then(fact(GrantReversed, taken_back=credit(2), owed=credit(0)))
    spec.when(release("ho_1", at=6)).then(fact(HoldReleased, taken_back=slices(gr_a=8)))
    assert spec.outcome[0].postings == (Posting(CREDITS_ISSUED, HELD, credit(8)),)
    assert available(spec, at=6) == 0
    assert spec.state.owed == 0


def test_what_is_held_of_a_reversed_grant_is_owed_when_it_is_captured():
    spec = account().given(opened(), grant("gr_a", 10), hold("ho_1", 8), reverse("gr_a"))
    spec.when(capture("ho_1", 5, at=6))
    spec.then(fact(HoldCaptured, owed=credit(5), taken_back=slices(gr_a=3)))
    assert spec.outcome[0].postings == (
        Posting(CREDITS_CONSUMED, HELD, credit(5)),
        Posting(CREDITS_ISSUED, CREDITS_OWED, credit(5)),
        Posting(CREDITS_ISSUED, HELD, credit(3)),
    )
    assert spec.state.owed == 5
    assert_adds_up(spec, at=6)


def test_what_is_held_of_a_reversed_grant_is_not_available_when_the_hold_ends():
    spec = account().given(opened(), grant("gr_a", 10), hold("ho_1", 8, expires=9))
    spec.given(reverse("gr_a"))
    assert balance(spec.state, minute(9)).taken_back == credit(10)
    assert available(spec, at=9) == 0
    assert_adds_up(spec, at=9)


def test_what_is_held_of_an_expired_grant_is_not_available_when_the_hold_ends():
    spec = account().given(opened(), grant("gr_a", 10, expires=7), hold("ho_1", 8, expires=9))
    assert balance(spec.state, minute(9)).expired == credit(10)
    assert available(spec, at=9) == 0
    assert_adds_up(spec, at=9)


def assert_adds_up(spec, at):
    now = balance(spec.state, minute(at))
    assert now.granted + now.owed == (
        now.available + now.held + now.consumed + now.expired + now.taken_back
    )
