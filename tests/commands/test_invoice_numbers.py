"""Numbers without a gap: whoever writes at once, whatever is refused, voided, or dies on the way, and
while the year turns.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flamewire_ledger.commands import invoice
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.identifiers import command_id, derived_id
from flamewire_ledger.domain.invoice import (
    CreditedLine,
    CreditNoteIssued,
    Customer,
    DraftInvoice,
    FinaliseInvoice,
    InvoiceFinalised,
    InvoiceIssued,
    InvoiceLine,
    InvoiceNumberAssigned,
    IssueCreditNote,
    VoidInvoice,
)
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import EventStore
from flamewire_ledger.store.memory import MemoryEventStore
from flamewire_ledger.store.migrate import migrate_blocking
from flamewire_ledger.store.postgres import PostgresEventStore
from tests.commands.test_invoice import receipt
from tests.commands.test_payment import MERCHANT, NOON, USD
from tests.services.postgres import Databases

CODEC = Codec()
COUNT = 12
EVE = datetime(2025, 12, 31, 18, 59, 59, 999_999, tzinfo=UTC)  # before the last moment of its year


def steps_of(number: int, chance: random.Random) -> list[Envelope]:
    """What is asked of one invoice, in its order; some of it in vain."""
    if chance.random() < 0.2:
        return [invoice.issue(named(f"receipt {number}"), receipt(f"{number}"))]
    hours = [it + timedelta(hours=chance.randrange(6)) for it in (EVE, NOON)]  # of their own clocks
    at, later = sorted(chance.choices(hours, k=2))
    invoice_id = derived_id("inv", NOON, f"drafted {number}")
    line = InvoiceLine("Bread", "1", "1.00", Amount(USD, 100), "19")
    lines = () if chance.random() < 0.15 else (line,)  # without lines it is not made final
    draft = DraftInvoice(invoice_id, Customer(name="Ada"), USD, at, lines)
    final = FinaliseInvoice(invoice_id, at)
    steps = [
        invoice.envelope(named(f"draft {number}"), draft),
        invoice.finalise(named(f"final {number}"), final),
        invoice.finalise(named(f"final again {number}"), final),
    ]
    if chance.random() < 0.3:
        void = VoidInvoice(invoice_id, "a mistake", later)
        steps.append(invoice.envelope(named(f"void {number}"), void))
    for part in range(chance.randrange(3)):
        note = IssueCreditNote(
            invoice_id,
            derived_id("cn", NOON, f"{number} {part}"),
            "stale",
            later,
            (CreditedLine(1, Amount(USD, 60)),),  # the second is more than is left
        )
        steps.append(invoice.credit(named(f"note {number} {part}"), note))
    return steps


def named(name: str) -> Origin:
    return Origin(command_id(name), MERCHANT, "key:test", name.encode())


async def send(store: EventStore, asked: Sequence[Sequence[Envelope]], dies: bool) -> None:
    """A writer that is given all of it at once; one that dies leaves some of it undone."""
    writer = Writer(store, CODEC)
    running = asyncio.create_task(writer.run())
    sending = [asyncio.create_task(_in_order(writer, steps)) for steps in asked]
    if dies:
        for _ in range(5):
            await asyncio.sleep(0)
        running.cancel()
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, running, return_exceptions=True)
        return
    await asyncio.gather(*sending)
    writer.stop()
    with suppress(asyncio.CancelledError):
        await running


async def _in_order(writer: Writer, steps: Sequence[Envelope]) -> None:
    for step in steps:
        await writer.submit(step)


@pytest.mark.parametrize("seed", range(25))
async def test_numbers_are_given_in_order_and_each_is_used(seed: int) -> None:
    store = MemoryEventStore(lambda: NOON)
    await tell(store, store, random.Random(seed))


async def test_two_processes_on_one_database_leave_no_gap_either(databases: Databases) -> None:
    url = databases.create()
    migrate_blocking(url)
    async with PostgresEventStore(url) as one, PostgresEventStore(url) as other:
        await tell(one, other, random.Random(7))
    databases.drop(url)


async def tell(one: EventStore, other: EventStore, chance: random.Random) -> None:
    """Some of it by writers that die, then all of it by two at once, and all of it again."""
    asked = [steps_of(number, chance) for number in range(COUNT)]
    for _ in range(chance.randrange(1, 4)):
        part = chance.sample(asked, chance.randrange(1, COUNT))
        await send(one, part, dies=True)
    half = chance.sample(asked, COUNT)
    await asyncio.gather(
        send(one, half[: COUNT // 2], dies=False), send(other, half[COUNT // 2 :], dies=False)
    )
    await send(other, asked, dies=False)  # nothing is done twice

    events = [CODEC.decode(it) for it in await one.read(0, 0, 1_000)]
    numbers, notes, registers = told(events)
    assert {number[:4] for number in numbers} == {"2025", "2026"}, "the year turned on the way"
    for given, prefix in ((numbers, ""), (notes, "CN-")):
        for year in ("2025", "2026"):
            of_year = [it for it in given if it.startswith(f"{prefix}{year}")]
            assert of_year == [f"{prefix}{year}-{it:06d}" for it in range(1, len(of_year) + 1)]
    assert sum(map(len, registers.values())) == len(numbers) + len(notes)
    final = [it for it in events if isinstance(it, InvoiceFinalised)]
    assert len(numbers) == len(final) + sum(isinstance(it, InvoiceIssued) for it in events)
    assert len({it.invoice_id for it in final}) == len(final), "a final invoice is final once"
    dated = [it for it in events if isinstance(it, InvoiceNumberAssigned)]
    for register in registers:
        dates = [it.assigned_at for it in dated if it.register_id == register]
        assert dates == sorted(dates), "numbers and dates go up together"
    for it in final:
        assert it.number.startswith(f"{it.finalised_at.year}-")


def told(events: Sequence[Any]) -> tuple[list[str], list[str], dict[str, list[int]]]:
    """The numbers of invoices and of credit notes in the order of the log, and the registers."""
    numbers = [it.number for it in events if isinstance(it, InvoiceFinalised | InvoiceIssued)]
    notes = [it.number for it in events if isinstance(it, CreditNoteIssued)]
    registers: dict[str, list[int]] = defaultdict(list)
    for it in events:
        if it.type == "invoice_register.number_assigned.v1":
            registers[it.register_id].append(it.sequence)
    for given in registers.values():
        assert given == list(range(1, len(given) + 1))
    return numbers, notes, registers
