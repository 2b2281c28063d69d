"""Invoices as they are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from flamewire_ledger.api.fields import Identifier, Page, View


class InvoiceLineView(View):
    description: str
    quantity: str
    unit_price: str
    unit_price_minor: str
    amount: str
    amount_minor: str


class SettledWithView(View):
    """What paid it."""

    network: str
    asset: str
    transaction_id: str
    amount: str
    amount_minor: str
    price: str | None = Field(description="Of one of the asset, in the invoice's currency.")
    price_lock_id: str | None


class InvoiceView(View):
    id: str
    object: Literal["invoice"]
    number: str
    status: Literal["paid", "void"]
    currency: str
    total: str
    total_minor: str
    lines: list[InvoiceLineView]
    settled_with: list[SettledWithView]
    payment_intent_id: str | None
    credit_account_id: str | None
    reference: str | None
    issued_at: datetime
    voided_at: datetime | None
    void_reason: str | None
    position: int


class Invoices(View):
    object: Literal["list"]
    data: list[InvoiceView]
    has_more: bool


class ListInvoices(Page):
    status: Literal["paid", "void"] | None = None
    payment_intent_id: Identifier | None = None
