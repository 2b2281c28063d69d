"""Invoices and credit notes as documents: PDF for people, XML for machines. Drawn anew each time, from the same facts
and with the same bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from flamewire_ledger.api import credit_note_pdf, credit_note_xml
from flamewire_ledger.api import invoice_views as views
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.credit_note_pdf import NoteDocument
from flamewire_ledger.api.invoice_pdf import Document, pdf_of
from flamewire_ledger.api.invoice_xml import xml_of
from flamewire_ledger.api.invoices import note_row_of, row_of
from flamewire_ledger.api.models.invoices import GetInvoiceXml
from flamewire_ledger.api.operation import PDF, XML
from flamewire_ledger.api.reading import Row, find

_ACCOUNTS: Final = "credit_balance"


async def get_pdf(call: Call) -> Answer:
    row = await row_of(call)
    account = await _account(call, row["credit_account_id"])
    document = document_of(row, await _seller(call), call.caller.livemode, account)
    async with call.office.drawing:
        body = await asyncio.to_thread(pdf_of, document)
    headers = {"Content-Disposition": f'inline; filename="{file_name(row)}.pdf"'}
    return Answer(body, headers, media_type=PDF)


async def get_credit_note_pdf(call: Call) -> Answer:
    row = await note_row_of(call)
    account = await _account(call, row["customer"]["credit_account_id"])
    document = note_document_of(row, await _seller(call), call.caller.livemode, account)
    async with call.office.drawing:
        body = await asyncio.to_thread(credit_note_pdf.pdf_of, document)
    headers = {"Content-Disposition": f'inline; filename="{note_file_name(row)}.pdf"'}
    return Answer(body, headers, media_type=PDF)


async def _seller(call: Call) -> str:
    merchant = await call.parts.reads.merchant(call.merchant_id)
    name = "" if merchant is None else merchant["name"]
    return call.parts.offer.seller_name or name


async def _account(call: Call, account_id: str | None) -> Row | None:
    """The credit account, which never changes its name: the document stays the same."""
    if account_id is None:
        return None
    reads, merchant_id = call.parts.reads, call.merchant_id
    return await find(
        call,
        "credit account",
        _ACCOUNTS,
        lambda: reads.credit_account(merchant_id, account_id, call.now()),
    )


async def get_xml(call: Call) -> Answer:
    query: GetInvoiceXml = call.query
    row = await row_of(call)
    invoice = views.of_row(row, row["created_at"])
    is_test = not call.caller.livemode
    async with call.office.drawing:
        body = await asyncio.to_thread(xml_of, invoice, query.format, is_test=is_test)
    return _as_xml(body, f"{file_name(row)}-{query.format}")


async def get_credit_note_xml(call: Call) -> Answer:
    query: GetInvoiceXml = call.query
    row = await note_row_of(call)
    note, is_test = views.of_note_row(row), not call.caller.livemode
    async with call.office.drawing:
        body = await asyncio.to_thread(credit_note_xml.xml_of, note, query.format, is_test=is_test)
    return _as_xml(body, f"{note_file_name(row)}-{query.format}")


def _as_xml(body: bytes, name: str) -> Answer:
    headers = {"Content-Disposition": f'attachment; filename="{name}.xml"'}
    return Answer(body, headers, media_type=XML)


def document_of(
    row: Row, seller: str, livemode: bool, account: Mapping[str, Any] | None
) -> Document:
    """What is drawn of a row of the read model; `account` has `name` and `external_id`."""
    return Document(views.of_row(row, row["created_at"]), seller, not livemode, account)


def note_document_of(
    row: Row, seller: str, livemode: bool, account: Mapping[str, Any] | None
) -> NoteDocument:
    """The same, of a row of credit notes."""
    return NoteDocument(views.of_note_row(row), seller, not livemode, account)


def note_file_name(row: Row) -> str:
    return f"credit-note-{row['number']}"


def file_name(row: Row) -> str:
    return f"invoice-{row['number'] or 'draft'}"
