"""Invoices: a number without a gap for each merchant and year, and the document it stands on.

Two aggregates meet in one command. The register (one stream a merchant and year) gives the number, the invoice takes it;
both facts are appended together, so a number that was given is a number that was used.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, TypeAlias

from flamewire_ledger.domain.money import Amount

# Facts.


@dataclass(frozen=True, slots=True)
class InvoiceNumberAssigned:
    type: ClassVar = "invoice_register.number_assigned.v1"
    register_id: str  # ir_<merchant id without prefix>_<year>
    sequence: int  # 1, 2, 3 …
    invoice_id: str


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    description: str
    quantity: str  # a plain decimal
    unit_price: Amount
    amount: Amount


@dataclass(frozen=True, slots=True)
class SettledWith:
    """What paid it, on which chain, at which locked rate."""

    network: str
    transaction_id: str
    amount: Amount
    price: str | None  # per major unit of the asset, in the invoice's currency
    price_lock_id: str | None


@dataclass(frozen=True, slots=True)
class InvoiceIssued:
    type: ClassVar = "invoice.issued.v1"
    invoice_id: str
    number: str  # 2026-000001
    payment_id: str | None
    credit_account_id: str | None
    reference: str | None
    lines: tuple[InvoiceLine, ...]
    total: Amount
    settled_with: tuple[SettledWith, ...]  # a receipt: paid when issued
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class InvoiceVoided:
    """It keeps its number."""

    type: ClassVar = "invoice.voided.v1"
    invoice_id: str
    reason: str
    voided_at: datetime


InvoiceEvent: TypeAlias = InvoiceIssued | InvoiceVoided
InvoiceRegisterEvent: TypeAlias = InvoiceNumberAssigned

# Commands.


@dataclass(frozen=True, slots=True)
class IssueReceipt:
    invoice_id: str
    payment_id: str
    credit_account_id: str | None
    reference: str | None
    lines: tuple[InvoiceLine, ...]
    total: Amount
    settled_with: tuple[SettledWith, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class VoidInvoice:
    invoice_id: str
    reason: str
    at: datetime
