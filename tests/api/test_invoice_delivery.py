"""An invoice that became final is sent to its customer: once, whatever fails on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from flamewire_ledger.mail.smtp import Server, Smtp
from flamewire_ledger.processes.invoice_delivery import (
    AGAIN_AFTER,
    ATTEMPTS_MAX,
    InvoiceDelivery,
    message_id_of,
)
from tests.api.test_invoices import DRAFT, done, looked_at, opened
from tests.api.world import World
from tests.mail.servers import MailServer, mail_server

SENDER = "billing@shop.example"


class Drawn:
    async def pdf(self, row: Mapping[str, Any]) -> bytes:
        return f"%PDF {row['number']}".encode()

    async def credit_note_pdf(self, row: Mapping[str, Any]) -> bytes:
        return await self.pdf(row)


def delivery(ledger: World, server: MailServer, writer: Any = None) -> InvoiceDelivery:
    return InvoiceDelivery(
        ledger.reads,
        writer or ledger.writer,
        Smtp(Server.of(server.url)),
        Drawn(),
        ledger.clock.now,
        sender=SENDER,
        livemode=False,
    )


async def caught_up(ledger: World) -> None:
    await ledger.reads.wait_for(0, await ledger.store.head(0), (), 2)


async def test_it_is_sent_once_when_it_is_final(ledger: World) -> None:
    invoice = await opened(ledger)
    await caught_up(ledger)
    async with mail_server() as server:
        sending = delivery(ledger, server)
        assert await sending.look() == 1
        assert await sending.look() == 0
        await caught_up(ledger)
        assert await delivery(ledger, server).look() == 0
    (letter,) = server.taken
    assert letter["To"] == "ada@example.com"
    assert letter["Subject"] == "[TEST] Invoice 2026-000001 from shop"
    assert [it.get_filename() for it in letter.iter_attachments()] == ["invoice-2026-000001.pdf"]
    shown = (await looked_at(ledger, invoice["id"]))["delivery"]
    assert (shown["status"], shown["attempts"]) == ("sent", 1)
    assert shown["message_id"] == letter["Message-ID"] == message_id_of(invoice["id"], SENDER)


async def test_a_credit_note_is_sent_and_its_failure_is_seen(ledger: World) -> None:
    invoice = await opened(ledger)
    note = await done(ledger, f"{invoice['id']}/credit_notes", {"reason": "late"})
    assert note["delivery"]["status"] == "waiting"
    await caught_up(ledger)
    path = f"/v1/credit_notes/{note['id']}"
    async with mail_server(MailServer(answer="451 later")) as server:
        sending = delivery(ledger, server)
        assert await sending.look() == 0
        await caught_up(ledger)
        shown = (await ledger.get(path)).json()["delivery"]
        assert (shown["status"], shown["attempts"]) == ("retrying", 1)
        server.answer = "250 taken"
        ledger.clock.turn(seconds=AGAIN_AFTER[0].total_seconds())
        assert await sending.look() == 2
        await caught_up(ledger)
        assert await delivery(ledger, server).look() == 0
    assert [it["Subject"] for it in server.taken] == [
        f"[TEST] Invoice {invoice['number']} from shop",
        f"[TEST] Credit note {note['number']} from shop",
    ]
    shown = (await ledger.get(path)).json()["delivery"]
    assert (shown["status"], shown["attempts"], shown["failure"]) == ("sent", 2, None)
    assert shown["message_id"] == message_id_of(note["id"], SENDER)


async def test_a_draft_a_void_one_and_one_without_an_address_are_not_sent(ledger: World) -> None:
    await ledger.post("/v1/invoices", DRAFT)
    await opened(ledger, {**DRAFT, "customer": {"name": "Ada"}})
    void = await opened(ledger)
    await done(ledger, f"{void['id']}/void", {"reason": "a mistake"})
    await caught_up(ledger)
    async with mail_server() as server:
        assert await delivery(ledger, server).look() == 0
    assert server.tried == 0


async def test_what_fails_is_tried_again_later_with_the_same_message_id(ledger: World) -> None:
    invoice = await opened(ledger)
    await caught_up(ledger)
    async with mail_server(MailServer(answer="451 later")) as server:
        sending = delivery(ledger, server)
        assert await sending.look() == 0
        await caught_up(ledger)
        shown = (await looked_at(ledger, invoice["id"]))["delivery"]
        assert (shown["status"], shown["attempts"]) == ("retrying", 1)
        assert "451: later" in shown["failure"]
        await sending.look()
        assert server.tried == 1  # its time has not come
        server.answer = "250 taken"
        ledger.clock.turn(seconds=AGAIN_AFTER[0].total_seconds())
        assert await sending.look() == 1
    await caught_up(ledger)
    shown = (await looked_at(ledger, invoice["id"]))["delivery"]
    assert (shown["status"], shown["attempts"], shown["failure"]) == ("sent", 2, None)
    assert server.taken[0]["Message-ID"] == message_id_of(invoice["id"], SENDER)


async def test_what_is_refused_for_good_is_not_tried_again(ledger: World) -> None:
    invoice = await opened(ledger)
    await caught_up(ledger)
    async with mail_server(MailServer(refused="550 no such user")) as server:
        sending = delivery(ledger, server)
        await sending.look()
        await caught_up(ledger)
        ledger.clock.turn(days=30)
        await sending.look()
    assert server.tried == 1
    assert (await looked_at(ledger, invoice["id"]))["delivery"]["status"] == "failed"


async def test_attempts_have_an_end(ledger: World) -> None:
    invoice = await opened(ledger)
    async with mail_server(MailServer(answer="451 later")) as server:
        sending = delivery(ledger, server)
        for _ in range(ATTEMPTS_MAX + 3):
            await caught_up(ledger)
            await sending.look()
            ledger.clock.turn(days=2)
    assert server.tried == ATTEMPTS_MAX
    await caught_up(ledger)
    assert (await looked_at(ledger, invoice["id"]))["delivery"]["status"] == "failed"


async def test_a_crash_behind_sending_sends_the_same_bytes_again(ledger: World) -> None:
    await opened(ledger)
    await caught_up(ledger)

    class Crashing:
        async def submit_many(self, envelopes: Any) -> Any:
            raise ConnectionError("the process ends here")

    async with mail_server() as server:
        with pytest.raises(ConnectionError):
            await delivery(ledger, server, Crashing()).look()
        assert await delivery(ledger, server).look() == 1
    assert len(server.raw) == 2
    assert server.raw[0] == server.raw[1]
