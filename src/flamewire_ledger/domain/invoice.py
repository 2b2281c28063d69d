"""Invoices: a number without a gap for each merchant and year, and the document it stands on.

Two aggregates meet in one command. The register (one stream a merchant and year) gives the number,
the invoice takes it; both facts are appended together, so a number that was given is a number that
was used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, TypeAlias, assert_never

from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.rejection import AlreadyExists, Malformed, NotFound

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

# State.


@dataclass(frozen=True, slots=True)
class Invoice:
    issued: InvoiceIssued
    is_void: bool = False


@dataclass(frozen=True, slots=True)
class InvoiceRegister:
    register_id: str
    last_sequence: int


def evolve_invoice(invoice: Invoice | None, event: InvoiceEvent) -> Invoice:
    """Fold one fact into the invoice."""
    if isinstance(event, InvoiceIssued):
        return Invoice(issued=event)
    assert invoice is not None, "an invoice's first fact is InvoiceIssued"
    match event:
        case InvoiceVoided():
            return replace(invoice, is_void=True)
        case _:
            assert_never(event)


def evolve_register(
    register: InvoiceRegister | None, event: InvoiceRegisterEvent
) -> InvoiceRegister:
    """Fold one number into the register. The register is there from its first number on."""
    return InvoiceRegister(register_id=event.register_id, last_sequence=event.sequence)


def register_id(merchant_id: str, at: datetime) -> str:
    """The register a receipt of this time takes its number from: one a merchant and UTC year."""
    return f"ir_{merchant_id.removeprefix('mer_')}_{at.year:04d}"


# Commands.


@dataclass(frozen=True, slots=True)
class IssueReceipt:
    """`register_id` is `register_id(merchant_id, at)`: both streams are decided on at once."""

    register_id: str
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


def decide_receipt(
    register: InvoiceRegister | None, invoice: Invoice | None, command: IssueReceipt
) -> tuple[tuple[InvoiceRegisterEvent, ...], tuple[InvoiceEvent, ...]]:
    """The number, and the receipt that bears it: (facts of the register, facts of the invoice)."""
    if invoice is not None:
        raise AlreadyExists(f"invoice {command.invoice_id} exists")
    year = command.register_id.rpartition("_")[2]
    if year != f"{command.at.year:04d}":
        raise Malformed(
            f"a receipt of {command.at.year} takes its number from that year's register"
        )
    if not command.lines:
        raise Malformed("an invoice has at least one line", pointer="/lines")
    if any(line.amount.asset != command.total.asset for line in command.lines):
        raise Malformed("an invoice is in one currency", pointer="/lines")
    if sum(line.amount.units for line in command.lines) != command.total.units:
        raise Malformed("the lines of an invoice add up to its total", pointer="/total")
    sequence = 1 if register is None else register.last_sequence + 1
    issued = InvoiceIssued(
        invoice_id=command.invoice_id,
        number=f"{year}-{sequence:06d}",
        payment_id=command.payment_id,
        credit_account_id=command.credit_account_id,
        reference=command.reference,
        lines=command.lines,
        total=command.total,
        settled_with=command.settled_with,
        issued_at=command.at,
    )
    return (InvoiceNumberAssigned(command.register_id, sequence, command.invoice_id),), (issued,)


def decide(invoice: Invoice | None, command: VoidInvoice) -> tuple[InvoiceEvent, ...]:
    """Void an invoice; it keeps its number. A second time says nothing new."""
    if invoice is None:
        raise NotFound(f"there is no invoice {command.invoice_id}")
    if invoice.is_void:
        return ()
    return (InvoiceVoided(command.invoice_id, command.reason, command.at),)
