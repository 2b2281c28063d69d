"""Credits that were bought are burnt: the deadline closes the day, and the payment recognises revenue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flamewire_ledger.domain.credit_account import CREDIT, ConsumeCredits
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment import ConfirmTransfer, DropTransfer
from flamewire_ledger.domain.posting import DEFERRED_CREDITS, SALES, UNAPPLIED
from flamewire_ledger.processes.deadlines import Deadlines
from flamewire_ledger.processes.recognition import Recognition
from tests.domain.books import Books
from tests.processes.conftest import ALL, Workshop
from tests.processes.stories import (
    ACCOUNT,
    BLOCK,
    CODEC,
    LOCK,
    NOON,
    PAYMENT,
    TAO,
    TRANSFER,
    locked,
    minutes,
    opened,
    record,
    requested,
)
from tests.processes.test_deadlines import Clock, Rows, row

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
PAID = 60_606_061
EXCESS = TRANSFER.amount.units - PAID
PROCESSES = (*ALL, Recognition())


async def bought(workshop: Workshop) -> None:
    await record(workshop.store, ACCOUNT, opened())
    await record(workshop.store, LOCK, locked())
    await record(workshop.store, PAYMENT, requested())
    await workshop.do(ConfirmTransfer(PAYMENT, TRANSFER, BLOCK, 3, minutes(1), minutes(2)))
    await workshop.reactor(PROCESSES).catch_up(0)


def burn(amount: int, at: datetime) -> ConsumeCredits:
    return ConsumeCredits(ACCOUNT, Amount(CREDIT, amount * 1_000_000), at)


async def day_ends(workshop: Workshop, at: datetime) -> None:
    rows = Rows(row("credit_day", ACCOUNT, ACCOUNT, at))
    clocks = {False: Clock(at), True: Clock(NOON)}
    await Deadlines(rows, workshop.writer, clocks).sweep(livemode=False)
    await workshop.reactor(PROCESSES).catch_up(0)


async def events(workshop: Workshop, stream_id: str) -> list[Any]:
    return [CODEC.decode(it) for it in await workshop.store.read_stream(0, stream_id)]


async def standing(workshop: Workshop) -> tuple[int, int]:
    """What is deferred, and what is earned."""
    books = Books(await events(workshop, PAYMENT))
    return books.credit(DEFERRED_CREDITS, TAO.code), books.credit(SALES, TAO.code)


async def test_what_a_day_has_burnt_is_earned_at_its_end(workshop: Workshop):
    await bought(workshop)
    await workshop.do(burn(10, minutes(5)), burn(2, minutes(6)))
    assert await standing(workshop) == (PAID, 0)

    await day_ends(workshop, MIDNIGHT)

    earned = PAID * 12 // 25
    assert await standing(workshop) == (PAID - earned, earned)
    last = (await workshop.store.read_stream(0, PAYMENT))[-1]
    assert b'"actor":"process:recognition"' in last.metadata
    assert CODEC.decode(last).recognised_at == MIDNIGHT
    assert workshop.dead_letters.letters == {}


async def test_days_that_are_told_late_are_each_told_as_they_ended(workshop: Workshop):
    """No deadline was met for three days; what was burnt behind a day closed it."""
    await bought(workshop)
    for day in range(3):
        await workshop.do(burn(5, minutes(5) + timedelta(days=day)))
    await day_ends(workshop, MIDNIGHT + timedelta(days=9))

    recognised = (await events(workshop, PAYMENT))[-3:]
    assert [(it.day.day, it.grants[0].spent // 1_000_000) for it in recognised] == [
        (1, 5),
        (2, 10),
        (3, 15),
    ]


async def test_seeing_it_again_earns_nothing_more(workshop: Workshop):
    await bought(workshop)
    await workshop.do(burn(10, minutes(5)))
    await day_ends(workshop, MIDNIGHT)
    head = await workshop.store.head(0)

    await day_ends(workshop, MIDNIGHT + timedelta(hours=1))

    assert await workshop.store.head(0) == head


async def test_what_a_chain_takes_back_is_no_revenue_and_burning_it_on_is_none(workshop: Workshop):
    await bought(workshop)
    await workshop.do(burn(10, minutes(5)))
    await day_ends(workshop, MIDNIGHT)

    await workshop.do(DropTransfer(PAYMENT, TRANSFER, MIDNIGHT + timedelta(hours=1)))
    await workshop.reactor(PROCESSES).catch_up(0)
    await day_ends(workshop, MIDNIGHT + timedelta(days=1))

    books = Books(await events(workshop, PAYMENT))
    assert set(books.balances.values()) == {0}


async def test_what_comes_back_from_the_chain_pays_for_what_was_burnt_meanwhile(workshop: Workshop):
    await bought(workshop)
    await workshop.do(burn(10, minutes(5)))
    await day_ends(workshop, MIDNIGHT)
    back = MIDNIGHT + timedelta(minutes=30)
    await workshop.do(DropTransfer(PAYMENT, TRANSFER, MIDNIGHT + timedelta(minutes=20)))
    await workshop.reactor(PROCESSES).catch_up(0)
    await workshop.do(ConfirmTransfer(PAYMENT, TRANSFER, BLOCK, 3, back, back))
    await workshop.reactor(PROCESSES).catch_up(0)

    await day_ends(workshop, MIDNIGHT + timedelta(days=1))

    assert await standing(workshop) == (PAID - PAID * 10 // 25, PAID * 10 // 25)
    books = Books(await events(workshop, PAYMENT))
    assert books.credit(UNAPPLIED, TAO.code) == EXCESS
