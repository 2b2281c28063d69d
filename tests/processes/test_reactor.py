"""The reactor: what follows from events is recorded, once, whatever is repeated, lost or broken."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from flamewire_ledger.commands.decider import Envelope, Failed, Outcome
from flamewire_ledger.domain.credit_account import (
    CREDIT,
    ConsumeCredits,
    ExpireHold,
    GrantCredits,
    HoldCredits,
    OpenCreditAccount,
)
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment import ConfirmTransfer, DropTransfer, RequestPayment
from flamewire_ledger.processes.checkpoint import MemoryCheckpoints
from flamewire_ledger.processes.process import Fact, FollowUp, Past
from flamewire_ledger.processes.reaction import Reactions
from flamewire_ledger.processes.reactor import Reactor
from flamewire_ledger.processes.settlement import Settlement
from flamewire_ledger.store.event_store import StoreUnavailable
from tests.processes.conftest import Workshop
from tests.processes.paying import (
    GRANTED,
    HOLD,
    ISSUED,
    NUMBERED,
    PAID,
    REVERSED,
    pay,
    pay_often,
    run_for,
)
from tests.processes.stories import (
    ACCOUNT,
    BLOCK,
    CODEC,
    GRANT,
    LOCK,
    NOON,
    PAYMENT,
    SECOND,
    TRANSFER,
    confirmed,
    locked,
    minutes,
    opened,
    record,
    reorganised,
    requested,
    stream,
    succeeded,
)


async def test_a_success_is_followed_by_its_grant_and_its_numbered_receipt(workshop: Workshop):
    await pay(workshop)

    await workshop.reactor().catch_up(0)

    assert (await workshop.types())[5:] == [GRANTED, NUMBERED, ISSUED]
    granted = (await workshop.store.read_stream(0, ACCOUNT))[-1]
    assert b'"actor":"process:settlement"' in granted.metadata
    assert f'"causation_id":"{PAYMENT}/3"'.encode() in granted.metadata


async def test_seeing_everything_again_from_position_0_changes_nothing(workshop: Workshop):
    await pay(workshop)
    await record(workshop.store, PAYMENT, reorganised(GRANT))
    await workshop.reactor().catch_up(0)
    head = await workshop.store.head(0)

    workshop.checkpoints = MemoryCheckpoints()
    await workshop.reactor().catch_up(0)

    assert await workshop.store.head(0) == head
    assert workshop.dead_letters.letters == {}


class EndsAHold:
    """A process whose command has nothing to do yet when its event is seen first."""

    name = "ends_a_hold"
    reads = frozenset({"payment.succeeded.v1"})

    def asks(self, fact: Fact, past: Past) -> frozenset[str]:
        return frozenset()

    def react(self, fact: Fact, past: Past) -> Sequence[FollowUp]:
        return [FollowUp("end", ExpireHold(ACCOUNT, HOLD, at=minutes(60)))]


async def test_what_had_no_effect_then_has_none_when_it_is_seen_again(workshop: Workshop):
    await pay(workshop)
    await workshop.reactor(processes=[EndsAHold()]).catch_up(0)
    await workshop.do(
        GrantCredits(ACCOUNT, GRANT, Amount(CREDIT, 10), "granted", NOON),
        HoldCredits(ACCOUNT, HOLD, Amount(CREDIT, 4), minutes(10), NOON),
    )

    workshop.checkpoints = MemoryCheckpoints()
    await workshop.reactor(processes=[EndsAHold()]).catch_up(0)

    assert "credit_account.hold_released.v1" not in await workshop.types()


async def test_a_crash_before_the_checkpoint_moves_repeats_without_doing_twice(workshop: Workshop):
    class LosesTheLast(MemoryCheckpoints):
        async def save(self, partition: int, positions: object) -> None:
            raise StoreUnavailable("pulled the plug")

    await pay(workshop)
    kept, workshop.checkpoints = workshop.checkpoints, LosesTheLast()
    with pytest.raises(StoreUnavailable):
        await workshop.reactor().catch_up(0)
    head = await workshop.store.head(0)
    workshop.checkpoints = kept

    await workshop.reactor().catch_up(0)

    assert await workshop.store.head(0) == head == 8


async def test_a_reorganisation_takes_back_the_grant_and_voids_the_receipt(workshop: Workshop):
    await pay(workshop)
    await workshop.reactor().catch_up(0)
    await record(workshop.store, PAYMENT, reorganised(GRANT))

    await workshop.reactor().catch_up(0)

    types = await workshop.types()
    assert types[-2:] == [REVERSED, "invoice.voided.v1"]


async def test_a_success_and_its_reorganisation_in_one_page_keep_their_order(workshop: Workshop):
    await pay(workshop)
    await record(workshop.store, PAYMENT, reorganised(GRANT))

    await workshop.reactor().catch_up(0)

    assert workshop.dead_letters.letters == {}
    assert (await workshop.types())[-1] == "invoice.voided.v1"


async def test_spent_credits_of_an_undone_payment_need_a_person(workshop: Workshop):
    asked = requested()
    request = RequestPayment(
        asked.payment_id,
        asked.amount,
        asked.options,
        asked.credits,
        *(ACCOUNT, asked.reference, asked.requested_at, asked.expires_at),
    )
    await record(workshop.store, LOCK, locked())
    await workshop.do(
        OpenCreditAccount(ACCOUNT, None, None, NOON),
        request,
        ConfirmTransfer(PAYMENT, TRANSFER, BLOCK, 3, seen_at=minutes(1), at=minutes(2)),
    )
    await workshop.reactor().catch_up(0)
    await workshop.do(
        ConsumeCredits(ACCOUNT, Amount(CREDIT, 4_000_000), minutes(4)),
        DropTransfer(PAYMENT, TRANSFER, minutes(5)),
    )

    await workshop.reactor().catch_up(0)

    last = (await workshop.store.read_stream(0, PAYMENT))[-1]
    assert last.type == "payment.resolution_required.v1"
    assert CODEC.decode(last).why == "reorged"
    assert (await workshop.store.read_stream(0, ACCOUNT))[-1].type == REVERSED
    assert workshop.dead_letters.letters == {}


async def test_receipts_of_many_payments_are_numbered_without_a_gap_in_few_appends(
    workshop: Workshop,
):
    await pay_often(workshop, 120)

    await workshop.reactor().catch_up(0)

    events = [CODEC.decode(event) for event in await workshop.store.read(0, 0, 10_000)]
    numbers = [event.number for event in events if event.type == ISSUED]
    assert numbers == [f"2026-{number:06d}" for number in range(1, 121)]
    assert workshop.writer.counts.batches <= 4


async def test_an_event_that_cannot_be_handled_is_put_aside_and_the_rest_goes_on(
    workshop: Workshop,
):
    await record(workshop.store, LOCK, locked())
    await record(workshop.store, PAYMENT, *PAID)  # to an account that there is not
    other = derived_id("pi", NOON, "other")
    paid = (requested(None, other), confirmed(payment_id=other), succeeded(None, payment_id=other))
    await record(workshop.store, other, *paid)

    reached = await workshop.reactor().catch_up(0)

    assert reached == await workshop.store.head(0)
    ((key, failure),) = workshop.dead_letters.letters.items()
    assert key == ("settlement", 0, 4)
    assert "not_found" in (failure.cause or "")
    assert (await workshop.types()).count(
        ISSUED
    ) == 2  # its own receipt does not wait for the grant


async def test_what_comes_later_for_the_same_payment_waits_and_is_retried_in_order(
    workshop: Workshop,
):
    await record(workshop.store, LOCK, locked())
    await record(workshop.store, PAYMENT, *PAID)
    reactor = workshop.reactor()
    await reactor.catch_up(0)
    await record(workshop.store, PAYMENT, confirmed(), succeeded(SECOND))
    await reactor.catch_up(0)
    assert [it.cause is None for it in workshop.dead_letters.letters.values()] == [False, True]

    still = await reactor.retry("settlement", 0, 4)
    assert still is not None
    await record(workshop.store, ACCOUNT, opened())
    assert await reactor.retry("settlement", 0, 4) is None

    assert workshop.dead_letters.letters == {}
    assert (await workshop.types()).count(GRANTED) == 2


async def test_what_was_put_aside_is_tried_again_by_itself(workshop: Workshop):
    await record(workshop.store, LOCK, locked())
    await record(workshop.store, PAYMENT, *PAID)
    task = asyncio.create_task(workshop.reactor(retry_seconds=0.02).run())
    async with asyncio.timeout(5):
        while not workshop.dead_letters.letters:
            await asyncio.sleep(0.005)
    await record(workshop.store, ACCOUNT, opened())

    async def granted() -> None:
        async with asyncio.timeout(5):
            while GRANTED not in await workshop.types():
                await asyncio.sleep(0.005)

    await run_for(task, granted)

    assert workshop.dead_letters.letters == {}


async def test_retrying_what_is_not_there_says_so(workshop: Workshop):
    with pytest.raises(LookupError):
        await workshop.reactor().retry("settlement", 0, 99)


async def test_an_event_that_cannot_be_read_is_put_aside(workshop: Workshop):
    await pay(workshop)
    events = workshop.store._partitions[0].events
    events[4] = replace(events[4], data=b'{"no":"payment"}')

    await workshop.reactor().catch_up(0)

    ((_, failure),) = workshop.dead_letters.letters.items()
    assert "cannot be read" in (failure.cause or "")


class FailsAtFirst:
    """A writer that is away for a while."""

    def __init__(self, workshop: Workshop, times: int) -> None:
        self._writer = workshop.writer
        self.times = times

    async def submit_many(self, envelopes: Sequence[Envelope]) -> list[Outcome | Failed]:
        if self.times:
            self.times -= 1
            return [Failed(StoreUnavailable("away")) for _ in envelopes]
        return await self._writer.submit_many(envelopes)


def on(workshop: Workshop, writer: FailsAtFirst) -> Reactor:
    reactions = Reactions(workshop.store, CODEC, writer, wait_seconds_first=0.001)
    return Reactor(
        workshop.store, reactions, [Settlement()], workshop.checkpoints, workshop.dead_letters
    )


async def test_a_store_that_comes_back_in_time_is_waited_for(workshop: Workshop):
    await pay(workshop)

    await on(workshop, FailsAtFirst(workshop, times=3)).catch_up(0)

    assert (await workshop.types()).count(GRANTED) == 1


async def test_a_store_that_stays_away_leaves_the_checkpoint_where_it_was(workshop: Workshop):
    await pay(workshop)

    with pytest.raises(StoreUnavailable):
        await on(workshop, FailsAtFirst(workshop, times=1000)).catch_up(0)

    assert await workshop.checkpoints.load(0) == {}
    assert workshop.dead_letters.letters == {}


def test_a_fact_is_judged_by_what_was_true_then():
    facts = stream(PAYMENT, *PAID, reorganised(GRANT), confirmed(), succeeded(SECOND))

    (grant, _) = Settlement().react(facts[2], {PAYMENT: facts, LOCK: stream(LOCK, locked())})

    assert grant.command.grant_id == GRANT
