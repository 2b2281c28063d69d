"""Payments as they are recorded, and waiting for what follows from them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from flamewire_ledger.domain.identifiers import derived_id
from tests.processes.conftest import Workshop
from tests.processes.stories import (
    ACCOUNT,
    LOCK,
    MERCHANT,
    NOON,
    PAYMENT,
    confirmed,
    locked,
    opened,
    record,
    requested,
    succeeded,
)

PAID = (requested(), confirmed(), succeeded())
GRANTED, NUMBERED, ISSUED = (
    "credit_account.granted.v1",
    "invoice_register.number_assigned.v1",
    "invoice.issued.v1",
)
HOLD = derived_id("ho", NOON, "hold")
REVERSED = "credit_account.grant_reversed.v1"


async def pay(workshop: Workshop, merchant_id: str = MERCHANT) -> None:
    await record(workshop.store, ACCOUNT, opened(), merchant_id=merchant_id)
    await record(workshop.store, LOCK, locked(), merchant_id=merchant_id)
    await record(workshop.store, PAYMENT, *PAID, merchant_id=merchant_id)


async def pay_often(workshop: Workshop, count: int) -> None:
    await record(workshop.store, ACCOUNT, opened())
    await record(workshop.store, LOCK, locked())
    for number in range(count):
        payment_id = derived_id("pi", NOON, str(number))
        grant_id = derived_id("gr", NOON, str(number))
        await record(
            workshop.store,
            payment_id,
            requested(payment_id=payment_id),
            confirmed(payment_id=payment_id),
            succeeded(grant_id, payment_id=payment_id),
        )


async def until_granted(workshop: Workshop, partition: int = 0) -> None:
    async with asyncio.timeout(5):
        while ISSUED not in await workshop.types(partition):
            await asyncio.sleep(0.005)


async def run_for(task: asyncio.Task[None], work: Callable[[], object]) -> None:
    try:
        await work()  # type: ignore[misc]
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
