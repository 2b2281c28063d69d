"""Deadlines are met by the clock of their merchant, in pages, and again when they could not be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from flamewire_ledger.commands import price_lock
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.credit_account import CREDIT, GrantCredits, HoldCredits
from flamewire_ledger.domain.identifiers import command_id, derived_id
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment import (
    ConfirmTransfer,
    DropTransfer,
    LatePolicy,
    RequestPayment,
)
from flamewire_ledger.domain.price_lock import LockPrice
from flamewire_ledger.processes.deadlines import Deadlines
from flamewire_ledger.store.event_store import StoreUnavailable
from tests.processes.conftest import Workshop
from tests.processes.stories import (
    ACCOUNT,
    BLOCK,
    CODEC,
    GRANT,
    MERCHANT,
    NOON,
    PAYMENT,
    TRANSFER,
    locked,
    minutes,
    opened,
    record,
    requested,
)

HOLD = derived_id("ho", NOON, "hold")


class Clock:
    """A clock that is set by hand."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


def row(kind: str, subject_id: str, stream_id: str, due_at: datetime) -> dict[str, Any]:
    names = ("kind", "subject_id", "stream_id", "merchant_id", "due_at")
    return dict(zip(names, (kind, subject_id, stream_id, MERCHANT, due_at), strict=True))


class Rows:
    """The read model: rows by mode, which stay until a test takes them away."""

    def __init__(self, *rows: Mapping[str, Any], livemode: bool = False) -> None:
        self.rows = {livemode: list(rows), not livemode: []}
        self.asked = 0
        self.away = 0

    async def due_deadlines(
        self,
        now: datetime,
        *,
        livemode: bool,
        limit: int = 500,
        after: tuple[datetime, str] = (NOON, ""),
    ) -> Sequence[Mapping[str, Any]]:
        self.asked += 1
        if self.away:
            self.away -= 1
            raise StoreUnavailable("away")
        due = [it for it in self.rows[livemode] if it["due_at"] <= now]
        due.sort(key=lambda it: (it["due_at"], it["subject_id"]))
        return [it for it in due if (it["due_at"], it["subject_id"]) > after][:limit]


def deadlines(workshop: Workshop, rows: Rows, clock: Clock, **changes: Any) -> Deadlines:
    clocks = {False: clock, True: Clock(NOON)}
    return Deadlines(rows, workshop.writer, clocks, poll_seconds=0.01, **changes)


async def test_a_payment_nobody_paid_expires(workshop: Workshop):
    await record(workshop.store, PAYMENT, requested())
    rows = Rows(row("payment", PAYMENT, PAYMENT, minutes(15)))

    met = await deadlines(workshop, rows, Clock(minutes(15))).sweep(livemode=False)

    assert met == 1
    assert (await workshop.types())[-1] == "payment.expired.v1"


async def test_a_deadline_that_makes_no_sense_keeps_no_other_from_being_met(workshop: Workshop):
    """As one of a kind that a newer version of the read model tells of."""
    await record(workshop.store, PAYMENT, requested())
    strange = row("eclipse", "ec_1", "ec_1", minutes(14))
    due = deadlines(
        workshop, Rows(strange, row("payment", PAYMENT, PAYMENT, minutes(15))), Clock(minutes(15))
    )

    assert await due.sweep(livemode=False) == 1

    assert (await workshop.types())[-1] == "payment.expired.v1"


async def test_before_its_time_nothing_happens(workshop: Workshop):
    await record(workshop.store, PAYMENT, requested())
    rows = Rows(row("payment", PAYMENT, PAYMENT, minutes(15)))

    assert await deadlines(workshop, rows, Clock(minutes(14))).sweep(livemode=False) == 0
    assert await workshop.types() == ["payment.requested.v1"]


async def test_a_merchant_lives_by_the_clock_of_its_mode(workshop: Workshop):
    await record(workshop.store, PAYMENT, requested())
    rows = Rows(row("payment", PAYMENT, PAYMENT, minutes(15)), livemode=True)
    sandbox_is_far_ahead = deadlines(workshop, rows, Clock(minutes(600)))

    await sandbox_is_far_ahead.sweep(livemode=False)
    await sandbox_is_far_ahead.sweep(livemode=True)  # where it is noon

    assert await workshop.types() == ["payment.requested.v1"]


async def test_holds_grants_and_locks_end_too(workshop: Workshop):
    lock = locked()
    await record(workshop.store, ACCOUNT, opened())
    origin = Origin(command_id("lock"), MERCHANT, "key:1")
    lock_command = LockPrice(lock.lock_id, lock.rate, lock.quotes, lock.locked_at, lock.expires_at)
    await workshop.writer.submit(price_lock.envelope(origin, lock_command))
    for command in (
        GrantCredits(ACCOUNT, GRANT, Amount(CREDIT, 10), "granted", NOON, expires_at=minutes(20)),
        HoldCredits(ACCOUNT, HOLD, Amount(CREDIT, 4), minutes(10), NOON),
    ):
        await workshop.do(command)
    rows = Rows(
        row("price_lock", lock.lock_id, lock.lock_id, minutes(15)),
        row("hold", HOLD, ACCOUNT, minutes(10)),
        row("grant", GRANT, ACCOUNT, minutes(20)),
    )

    await deadlines(workshop, rows, Clock(minutes(30))).sweep(livemode=False)

    assert (await workshop.types())[-3:] == [
        "credit_account.hold_released.v1",
        "price_lock.expired.v1",
        "credit_account.grant_expired.v1",
    ]
    released = CODEC.decode((await workshop.store.read_stream(0, ACCOUNT))[-2])
    assert released.expired


async def test_after_an_outage_everything_overdue_is_worked_off_page_by_page(workshop: Workshop):
    ids = [derived_id("pi", NOON, str(number)) for number in range(95)]
    for payment_id in ids:
        await record(workshop.store, payment_id, requested(payment_id=payment_id))
    rows = Rows(*(row("payment", payment_id, payment_id, minutes(15)) for payment_id in ids))
    late = deadlines(workshop, rows, Clock(minutes(900)), page_rows_max=10, pages_max=4)

    met = [await late.sweep(livemode=False) for _ in range(3)]

    assert met == [40, 40, 15]
    assert (await workshop.types()).count("payment.expired.v1") == 95


async def test_what_cannot_end_yet_is_asked_about_again_less_and_less_often(workshop: Workshop):
    await record(workshop.store, PAYMENT, requested())
    rows, clock = Rows(row("payment", PAYMENT, PAYMENT, minutes(1))), Clock(minutes(2))
    eager = deadlines(workshop, rows, clock)  # the read model says a minute, the payment fifteen
    for _ in range(100):
        await eager.sweep(livemode=False)
        clock.at += timedelta(seconds=1)
    asked = workshop.writer.counts.commands

    clock.at = minutes(15)
    await eager.sweep(livemode=False)

    assert asked <= 7
    assert (await workshop.types())[-1] == "payment.expired.v1"


async def test_a_payment_that_was_reopened_meets_its_time_a_second_time(workshop: Workshop):
    asked = requested()
    rows, clock = Rows(row("payment", PAYMENT, PAYMENT, minutes(15))), Clock(minutes(15))
    await record(workshop.store, ACCOUNT, opened())
    await workshop.do(
        RequestPayment(
            *(asked.payment_id, asked.amount, asked.options, asked.credits, ACCOUNT),
            *(asked.reference, asked.requested_at, asked.expires_at),
            late_policy=LatePolicy("honour", within_seconds=3600),
        )
    )
    both = deadlines(workshop, rows, clock)
    await both.sweep(livemode=False)
    await workshop.do(
        ConfirmTransfer(PAYMENT, TRANSFER, BLOCK, 3, seen_at=minutes(20), at=minutes(21)),
        DropTransfer(PAYMENT, TRANSFER, minutes(30)),
    )

    clock.at = minutes(120)  # the transfer has not come back
    await both.sweep(livemode=False)

    types = await workshop.types()
    assert "payment.expired.v1" in types
    assert types[-1] == "payment.resolution_required.v1"


async def test_two_at_work_on_the_same_deadline_end_it_once(workshop: Workshop):
    await record(workshop.store, PAYMENT, requested())
    rows, clock = Rows(row("payment", PAYMENT, PAYMENT, minutes(15))), Clock(minutes(16))

    await asyncio.gather(
        *(deadlines(workshop, rows, clock).sweep(livemode=False) for _ in range(4))
    )

    assert (await workshop.types()).count("payment.expired.v1") == 1


async def test_a_failure_is_survived(workshop: Workshop):
    await record(workshop.store, PAYMENT, requested())
    rows = Rows(row("payment", PAYMENT, PAYMENT, minutes(15)))
    rows.away = 3
    task = asyncio.create_task(deadlines(workshop, rows, Clock(minutes(16))).run())

    async with asyncio.timeout(5):
        while "payment.expired.v1" not in await workshop.types():
            await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_an_idle_ledger_is_hardly_asked_and_meets_its_deadlines_all_the_same(
    workshop: Workshop,
):
    await record(workshop.store, PAYMENT, requested())
    rows, clock = Rows(), Clock(minutes(1))
    news = [1]
    polling = deadlines(workshop, rows, clock, recorded=lambda: list(news), quiet_seconds=0.05)
    task = asyncio.create_task(polling.run())
    async with asyncio.timeout(20):  # nothing is recorded, and no time passes
        before = -1
        while rows.asked != before:
            before = rows.asked
            await asyncio.sleep(0.3)

    rows.rows[False].append(row("payment", PAYMENT, PAYMENT, minutes(15)))
    news.append(2)  # what was recorded brought a deadline
    clock.at = minutes(14)
    await asyncio.sleep(0.1)
    assert "payment.expired.v1" not in await workshop.types()
    await asyncio.sleep(0.2)  # it is quiet again
    clock.at = minutes(15)
    async with asyncio.timeout(5):
        while "payment.expired.v1" not in await workshop.types():
            await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_clock_that_is_moved_far_ahead_is_noticed_by_an_idle_ledger(workshop: Workshop):
    await record(workshop.store, PAYMENT, requested())
    rows, clock = Rows(row("payment", PAYMENT, PAYMENT, minutes(15))), Clock(minutes(1))
    polling = deadlines(workshop, rows, clock, recorded=lambda: 1, quiet_seconds=0)
    task = asyncio.create_task(polling.run())
    await asyncio.sleep(0.1)
    clock.at = minutes(16)
    async with asyncio.timeout(5):
        while "payment.expired.v1" not in await workshop.types():
            await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
