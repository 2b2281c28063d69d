"""Invoices: receipts with a gapless number, as JSON and as PDF."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.invoice_pdf import Document, pdf_of
from flamewire_ledger.api.models.invoices import ListInvoices
from flamewire_ledger.api.operation import PDF
from flamewire_ledger.api.reading import Row, find, listed, page_of
from flamewire_ledger.api.rendering import as_list, money, time, to_json
from flamewire_ledger.domain.money import Amount, Asset

READ_MODEL: Final = "invoices"


async def get(call: Call) -> Answer:
    return Answer(to_json(of_row(await _row(call))))


async def get_pdf(call: Call) -> Answer:
    """Drawn anew each time, from the same facts and with the same bytes."""
    invoice = of_row(await _row(call))
    merchant = await call.parts.reads.merchant(call.merchant_id)
    seller = call.parts.offer.seller_name or (merchant["name"] if merchant is not None else "")
    document = Document(invoice, seller, is_test=not call.caller.livemode)
    async with call.office.drawing:
        body = await asyncio.to_thread(pdf_of, document)
    headers = {"Content-Disposition": f'inline; filename="invoice-{invoice["number"]}.pdf"'}
    return Answer(body, headers, media_type=PDF)


async def _row(call: Call) -> Row:
    invoice_id = call.path["id"]
    return await find(
        call, "invoice", READ_MODEL, lambda: call.parts.reads.invoice(call.merchant_id, invoice_id)
    )


async def list_all(call: Call) -> Answer:
    query: ListInvoices = call.query
    listing = await listed(
        call,
        READ_MODEL,
        lambda: call.parts.reads.invoices(
            call.merchant_id,
            page_of(call),
            status=query.status,
            payment_id=query.payment_intent_id,
        ),
        ids="inv",
    )
    return Answer(as_list([of_row(row) for row in listing.rows], has_more=listing.has_more))


def of_row(row: Row) -> dict[str, Any]:
    total = Amount(Asset(row["currency"], row["decimals"]), int(row["total_units"]))
    return {
        "id": row["invoice_id"],
        "object": "invoice",
        "number": row["number"],
        "status": row["status"],
        "currency": total.asset.symbol,
        **money("total", total),
        "lines": [_line(line) for line in row["lines"]],
        "settled_with": [_settled(paid) for paid in row["settled_with"]],
        "payment_intent_id": row["payment_id"],
        "credit_account_id": row["credit_account_id"],
        "reference": row["reference"],
        "issued_at": time(row["issued_at"]),
        "voided_at": time(row["voided_at"]),
        "void_reason": row["void_reason"],
        "position": row["position"],
    }


def _line(line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "description": line["description"],
        "quantity": line["quantity"],
        **money("unit_price", _amount(line["unit_price"])),
        **money("amount", _amount(line["amount"])),
    }


def _settled(paid: Mapping[str, Any]) -> dict[str, Any]:
    amount = _amount(paid["amount"])
    return {
        "network": paid["network"],
        "asset": amount.asset.symbol,
        "transaction_id": paid["transaction_id"],
        **money("amount", amount),
        "price": paid["price"],
        "price_lock_id": paid["price_lock_id"],
    }


def _amount(value: Mapping[str, Any]) -> Amount:
    return Amount(Asset(value["asset"], value["decimals"]), int(value["units"]))
