"""Credit notes as they are asked for and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from flamewire_ledger.api.fields import AmountText, Body, Identifier, Page, Reference, View
from flamewire_ledger.api.models.invoices import CustomerView, DeliveryView, PartyView, TaxView
from flamewire_ledger.domain.invoice import LINES_MAX


class CreditedLineBody(Body):
    line: Annotated[int, Field(ge=1, le=LINES_MAX)] = Field(description="1, 2, 3 … of the invoice.")
    amount: AmountText | None = Field(
        default=None,
        description="As the invoice's prices, with or without tax; else all that is left.",
    )


class CreateCreditNote(Body):
    """Without lines: everything that is left of the invoice."""

    reason: Reference
    lines: Annotated[list[CreditedLineBody], Field(max_length=LINES_MAX)] = Field(
        default_factory=list
    )


class CreditNoteLineView(View):
    line: int
    description: str
    amount: str
    amount_minor: str
    is_credit: bool
    tax_rate: str | None
    net: str
    net_minor: str
    tax: str
    tax_minor: str


class CreditNoteView(View):
    id: str
    object: Literal["credit_note"]
    number: str
    invoice_id: str
    invoice_number: str
    invoice_issued_at: datetime
    currency: str
    net: str
    net_minor: str
    tax: str
    tax_minor: str
    total: str
    total_minor: str
    amount_to_refund: str = Field(description="Of it had been paid: it is owed to the customer.")
    amount_to_refund_minor: str
    customer: CustomerView
    seller: PartyView | None
    lines: list[CreditNoteLineView]
    taxes: list[TaxView]
    reverse_charge: bool
    reason: str
    issued_at: datetime
    delivery: DeliveryView | None
    position: int


class CreditNotes(View):
    object: Literal["list"]
    data: list[CreditNoteView]
    has_more: bool


class ListCreditNotes(Page):
    invoice_id: Identifier | None = None
