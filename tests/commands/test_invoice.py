"""Invoices as envelopes: a number that was given is a number that was used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from flamewire_ledger.commands import invoice
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.invoice import InvoiceLine, IssueReceipt, VoidReceipt, register_id
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.rejection import AlreadyExists
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.memory import MemoryEventStore
from tests.commands.test_payment import MERCHANT, NOON, USD, origin


@pytest.fixture
async def ledger() -> AsyncIterator[tuple[Writer, MemoryEventStore]]:
    store = MemoryEventStore(lambda: NOON)
    writer = Writer(store, Codec())
    running = asyncio.create_task(writer.run())
    yield writer, store
    writer.stop()
    await running


def receipt(name: str) -> IssueReceipt:
    total = Amount(USD, 2500)
    return IssueReceipt(
        register_id=register_id(MERCHANT, NOON),
        invoice_id=derived_id("inv", NOON, name),
        payment_id=derived_id("pi", NOON, name),
        credit_account_id=None,
        reference=None,
        lines=(InvoiceLine("25 credits", "1", total.text, total),),
        total=total,
        settled_with=(),
        at=NOON,
    )


async def test_numbers_have_no_gap_even_where_one_is_refused(
    ledger: tuple[Writer, MemoryEventStore],
):
    writer, store = ledger
    names = ["a", "b", "a", "c"]  # the second "a" is a command of its own, for the same invoice
    envelopes = [
        invoice.issue(origin(f"{number}"), receipt(name)) for number, name in enumerate(names)
    ]
    outcomes = await writer.submit_many(envelopes)
    assert [type(it) for it in outcomes] == [Done, Done, AlreadyExists, Done]
    events = await store.read(0, 0, 100)
    numbers = [
        Codec().decode(event).number for event in events if event.type == "invoice.issued.v1"
    ]
    assert numbers == ["2026-000001", "2026-000002", "2026-000003"]


async def test_a_void_invoice_keeps_its_number(ledger: tuple[Writer, MemoryEventStore]):
    writer, store = ledger
    command = receipt("a")
    await writer.submit(invoice.issue(origin("issue"), command))
    void = VoidReceipt(command.invoice_id, "the chain took it back", NOON)
    assert isinstance(await writer.submit(invoice.envelope(origin("void"), void)), Done)
    await writer.submit(invoice.issue(origin("next"), receipt("b")))
    last = Codec().decode((await store.read(0, 0, 100))[-1])
    assert last.number == "2026-000002"
