"""Who sends invoices: one process of each mode, whoever has the turn; where there is a mail server."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog

from flamewire_ledger.commands.writer import Writer
from flamewire_ledger.mail.smtp import Server, Smtp
from flamewire_ledger.processes.invoice_delivery import InvoiceDelivery
from flamewire_ledger.store.chain_turns import PostgresChainTurn
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.wiring.ledger import Ledger

_log = structlog.get_logger(__name__)
_AGAIN_SECONDS: Final = 2.0


class Drawn:
    """Invoices and credit notes as the API draws them."""

    def __init__(self, seller_name: str) -> None:
        self._seller_name = seller_name

    async def pdf(self, row: Mapping[str, Any]) -> bytes:
        return await asyncio.to_thread(self._draw, row)

    async def credit_note_pdf(self, row: Mapping[str, Any]) -> bytes:
        return await asyncio.to_thread(self._draw_credit_note, row)

    def _draw(self, row: Mapping[str, Any]) -> bytes:
        from flamewire_ledger.api.invoice_documents import document_of
        from flamewire_ledger.api.invoice_pdf import pdf_of  # who sends nothing draws nothing

        return pdf_of(document_of(row, self._seller(row), row["livemode"], _account(row)))

    def _draw_credit_note(self, row: Mapping[str, Any]) -> bytes:
        from flamewire_ledger.api.credit_note_pdf import pdf_of
        from flamewire_ledger.api.invoice_documents import note_document_of

        return pdf_of(note_document_of(row, self._seller(row), row["livemode"], _account(row)))

    def _seller(self, row: Mapping[str, Any]) -> str:
        named: str = self._seller_name or row["merchant_name"]
        return named


def _account(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"name": row["account_name"], "external_id": row["account_external_id"]}


def senders(ledger: Ledger, writer: Writer) -> Sequence[InvoiceSender]:
    """One for each mode that there are merchants of; none without a mail server and a sender."""
    settings = ledger.settings
    if settings.smtp_url is None or not settings.mail_sender:
        return ()
    post = Smtp(Server.of(settings.smtp_url.get_secret_value()))
    modes = (True, False) if settings.sandbox else (True,)
    return [InvoiceSender(ledger, writer, post, livemode=livemode) for livemode in modes]


class InvoiceSender:
    """Sends the invoices of one mode whenever it is its turn, until it is cancelled."""

    def __init__(self, ledger: Ledger, writer: Writer, post: Smtp, *, livemode: bool) -> None:
        self._delivery = InvoiceDelivery(
            ledger.reads,
            writer,
            post,
            Drawn(ledger.settings.seller_name),
            ledger.now_of(livemode=livemode),
            sender=ledger.settings.mail_sender,
            livemode=livemode,
        )
        who = f"{socket.gethostname()}:{os.getpid()}"
        mode = "live" if livemode else "test"
        self._turn = PostgresChainTurn(ledger.connections, f"invoices of {mode}", name=who)

    async def run(self) -> None:
        while True:
            try:
                async with self._turn.taken() as lost:
                    await self._delivery.run(until=lost)
            except StoreUnavailable as error:
                _log.warning("the turn to send invoices is not to be had", error=str(error))
            await asyncio.sleep(_AGAIN_SECONDS)
