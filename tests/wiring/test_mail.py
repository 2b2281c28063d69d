"""Who is given a mail server sends what became final, from the log to the letter."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from flamewire_ledger.commands import invoice, merchant
from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.domain.identifiers import command_id, derived_id
from flamewire_ledger.domain.invoice import (
    Customer,
    DraftInvoice,
    FinaliseInvoice,
    InvoiceLine,
    IssueCreditNote,
)
from flamewire_ledger.domain.merchant import RegisterMerchant
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.settings import read_settings
from flamewire_ledger.wiring import open_ledger
from flamewire_ledger.wiring.mail import senders
from flamewire_ledger.wiring.roles import run_roles
from tests.mail.servers import mail_server

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
MERCHANT = derived_id("mer", AT, "bakery")
EUR = Asset("EUR", 2)


def named(name: str) -> Origin:
    return Origin(command_id(name), MERCHANT, "key:test", name.encode())


async def bill(writer: Any) -> None:
    """One invoice, and a credit note over it."""
    id_ = derived_id("inv", AT, "bread")
    bread = InvoiceLine("Bread", "1", "10.00", Amount(EUR, 10_00))
    draft = DraftInvoice(id_, Customer(name="Ada", email="ada@example.com"), EUR, AT, (bread,))
    note = IssueCreditNote(id_, derived_id("cn", AT, "bread"), "stale", AT)
    for envelope in (
        merchant.envelope(named("bakery"), RegisterMerchant(MERCHANT, "Bakery", False, AT)),
        invoice.envelope(named("draft"), draft),
        invoice.finalise(named("final"), FinaliseInvoice(id_, AT)),
        invoice.credit(named("note"), note),
    ):
        assert isinstance(await writer.submit(envelope), Done)


async def test_an_invoice_and_its_credit_note_are_sent_and_that_is_recorded(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = asyncio.Event()
    async with mail_server() as server:
        monkeypatch.setenv("FLAMEWIRE_SMTP_URL", server.url)
        monkeypatch.setenv("FLAMEWIRE_MAIL_SENDER", "billing@shop.example")
        async with open_ledger(read_settings(), ledger_url) as ledger:
            async with ledger.writing() as writer:
                await bill(writer)
            roles = run_roles(
                ledger, ("projector", "reactor"), listener=None, stop=stop, on_ready=lambda: None
            )
            running = asyncio.create_task(roles)
            delivered: set[str] = set()
            async with asyncio.timeout(60):
                while len(delivered) < 2:
                    await asyncio.sleep(0.05)
                    events = await ledger.store.read(0, 0, 100)
                    delivered = {it.type for it in events if it.type.endswith("delivered.v1")}
            stop.set()
            await running
    assert delivered == {"invoice.delivered.v1", "invoice.credit_note_delivered.v1"}
    assert [it["Subject"] for it in server.taken] == [
        "[TEST] Invoice 2026-000001 from Bakery",
        "[TEST] Credit note CN-2026-000001 from Bakery",
    ]
    for letter in server.taken:
        (attached,) = letter.iter_attachments()
        assert attached.get_content().startswith(b"%PDF-1.")


async def test_nobody_sends_without_a_mail_server(ledger_url: str) -> None:
    async with open_ledger(read_settings(), ledger_url) as ledger, ledger.writing() as writer:
        assert senders(ledger, writer) == ()
