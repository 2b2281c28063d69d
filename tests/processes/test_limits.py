"""A command that a limit refuses holds nobody up: it is tried for a while, put aside, and done once
there is room. That the writer is full is another matter, and passes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from flamewire_ledger.commands.decider import Contended, Envelope, Failed, Outcome
from flamewire_ledger.domain.credit_account import CREDIT, ConsumeCredits, GrantCredits
from flamewire_ledger.domain.credit_account import decisions as credit_decisions
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.rejection import LimitReached, QueueFull
from flamewire_ledger.processes.process import Fact, FollowUp, Past
from flamewire_ledger.processes.reaction import TRIES_MAX, Reactions
from flamewire_ledger.processes.reactor import Reactor
from flamewire_ledger.processes.settlement import Settlement
from flamewire_ledger.store.event_store import StoreUnavailable
from tests.processes.conftest import Workshop
from tests.processes.paying import GRANTED, ISSUED, PAID, pay
from tests.processes.stories import (
    ACCOUNT,
    CODEC,
    LOCK,
    NOON,
    PAYMENT,
    confirmed,
    locked,
    minutes,
    opened,
    record,
    requested,
    succeeded,
)

BONUS = derived_id("gr", NOON, "bonus")
OTHER = derived_id("pi", NOON, "other")


class GivesABonus:
    """A process whose grant is an ordinary one, which an account has only so many of."""

    name = "gives_a_bonus"
    reads = frozenset({"payment.succeeded.v1"})

    def asks(self, fact: Fact, past: Past) -> frozenset[str]:
        return frozenset()

    def react(self, fact: Fact, past: Past) -> Sequence[FollowUp]:
        if fact.recorded.stream_id != PAYMENT:
            return ()
        bonus = GrantCredits(ACCOUNT, BONUS, Amount(CREDIT, 7), "granted", at=minutes(3))
        return (FollowUp("bonus", bonus),)


async def test_a_command_that_a_limit_refuses_holds_nobody_up_and_is_done_once_there_is_room(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(credit_decisions, "GRANTS_LIVE_MAX", 1)
    await record(workshop.store, ACCOUNT, opened())
    await workshop.do(GrantCredits(ACCOUNT, "gr_1", Amount(CREDIT, 5), "granted", NOON))
    await record(workshop.store, LOCK, locked())
    await record(workshop.store, PAYMENT, *PAID)
    sold = (requested(None, OTHER), confirmed(payment_id=OTHER), succeeded(None, payment_id=OTHER))
    await record(workshop.store, OTHER, *sold)
    reactor = workshop.reactor([GivesABonus(), Settlement()])

    reached = await reactor.catch_up(0)

    assert reached == (await workshop.checkpoints.load(0))["gives_a_bonus"]
    assert (await workshop.types()).count(ISSUED) == 2
    ((key, failure),) = workshop.dead_letters.letters.items()
    assert key[0] == "gives_a_bonus"
    assert "limit_reached: an account has at most 1 grants" in (failure.cause or "")

    still = await reactor.retry(*key)
    assert still is not None
    monkeypatch.setattr(credit_decisions, "GRANTS_LIVE_MAX", 3)
    assert await reactor.retry(*key) is None
    assert workshop.dead_letters.letters == {}
    assert (await workshop.types())[-1] == GRANTED


class Answers:
    """A writer that answers the same to everybody for a while."""

    def __init__(self, workshop: Workshop, outcome: Outcome, times: int) -> None:
        self._writer = workshop.writer
        self._outcome = outcome
        self._left = times
        self.asked = 0

    async def submit_many(self, envelopes: Sequence[Envelope]) -> list[Outcome | Failed]:
        self.asked += 1
        if self._left:
            self._left -= 1
            return [self._outcome for _ in envelopes]
        return await self._writer.submit_many(envelopes)


def _on(workshop: Workshop, writer: Answers) -> Reactor:
    reactions = Reactions(workshop.store, CODEC, writer, wait_seconds_first=0.0001)
    return Reactor(
        workshop.store, reactions, [Settlement()], workshop.checkpoints, workshop.dead_letters
    )


async def test_a_full_queue_says_nothing_of_a_command_and_is_waited_for(workshop: Workshop):
    await pay(workshop)
    always = Answers(workshop, QueueFull("too many"), 1_000)

    with pytest.raises(StoreUnavailable):
        await _on(workshop, always).catch_up(0)

    assert workshop.dead_letters.letters == {}
    assert always.asked == TRIES_MAX
    await _on(workshop, Answers(workshop, QueueFull("too many"), 3)).catch_up(0)
    assert (await workshop.types()).count(GRANTED) == 1


@pytest.mark.parametrize(
    ("outcome", "cause"),
    [
        (lambda: LimitReached("no more of these"), "no more of these"),
        (lambda: Contended((ACCOUNT,)), f"others kept writing to {ACCOUNT}"),
    ],
)
async def test_what_may_pass_is_tried_a_bounded_number_of_times_and_then_put_aside(
    workshop: Workshop, outcome: Callable[[], Outcome], cause: str
):
    await pay(workshop)
    writer = Answers(workshop, outcome(), 1_000)

    await _on(workshop, writer).catch_up(0)

    assert 1 < writer.asked <= TRIES_MAX
    (failure,) = workshop.dead_letters.letters.values()
    assert cause in (failure.cause or "")


async def test_a_limit_that_gives_way_in_the_meantime_leaves_nothing_aside(workshop: Workshop):
    await pay(workshop)

    await _on(workshop, Answers(workshop, LimitReached("no more"), 1)).catch_up(0)

    assert workshop.dead_letters.letters == {}
    assert (await workshop.types()).count(GRANTED) == 1


async def test_consuming_makes_room_for_a_grant_that_was_put_aside(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(credit_decisions, "GRANTS_LIVE_MAX", 1)
    await record(workshop.store, ACCOUNT, opened())
    await workshop.do(GrantCredits(ACCOUNT, "gr_1", Amount(CREDIT, 5), "granted", NOON))
    await record(workshop.store, LOCK, locked())
    await record(workshop.store, PAYMENT, *PAID)
    reactor = workshop.reactor([GivesABonus()])
    await reactor.catch_up(0)
    (key,) = workshop.dead_letters.letters

    await workshop.do(ConsumeCredits(ACCOUNT, Amount(CREDIT, 5), minutes(4)))

    assert await reactor.retry(*key) is None


async def test_a_letter_without_its_event_stops_no_other(workshop: Workshop):
    """As when a database came back without its last events, and without their checkpoints."""
    await record(workshop.store, LOCK, locked())
    await record(workshop.store, PAYMENT, *PAID)  # to an account that there is not
    reactor = workshop.reactor([Settlement()], retry_seconds=0)
    await reactor.catch_up(0)
    (letter,) = workshop.dead_letters.letters.values()
    gone = replace(letter.event, position=3, stream_id="pi_gone")
    workshop.dead_letters.letters["settlement", 0, 99] = replace(letter, event=gone)
    workshop.dead_letters.letters = dict(reversed(workshop.dead_letters.letters.items()))
    await record(workshop.store, ACCOUNT, opened())

    async def due(partition: int) -> list[tuple[str, int]]:
        return [("settlement", 99), ("settlement", 4)]

    workshop.dead_letters.due = due  # type: ignore[method-assign]
    await reactor._retry_due(0)

    assert list(workshop.dead_letters.letters) == [("settlement", 0, 99)]
    assert GRANTED in await workshop.types()
