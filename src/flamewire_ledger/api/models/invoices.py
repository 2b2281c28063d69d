"""Invoices and credit notes as they are asked for and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from flamewire_ledger.api.fields import (
    AmountText,
    Body,
    Country,
    Fresh,
    Identifier,
    Metadata,
    Name,
    Page,
    Reference,
    Symbol,
    Time,
    View,
    is_clean,
)
from flamewire_ledger.api.models.payment_intents import PaymentIntent, PayWith
from flamewire_ledger.domain.invoice import DUE_DAYS_MAX, LINES_MAX, Status

_LINE_ENDS_MAX = 50  # a thousand lines of two thousand line ends each are twenty thousand pages
_PLAIN = r"^(0|[1-9][0-9]{0,39})(\.[0-9]{1,40})?$"


def _text(value: str) -> str:
    if value.count("\n") > _LINE_ENDS_MAX:
        raise ValueError(f"text has at most {_LINE_ENDS_MAX} line ends")
    if not is_clean(value.replace("\n", " ")):
        raise ValueError("text has no control characters but line ends")
    return value


Text = Annotated[str, Field(min_length=1, max_length=2_000), AfterValidator(_text)]
Plain = Annotated[str, Field(pattern=_PLAIN, max_length=82, examples=["12.5"])]
# RFC 5321's Dot-string and Domain: what a mail server and a header both take as it is.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_EMAIL = rf"^{_ATOM}(\.{_ATOM})*@{_LABEL}(\.{_LABEL})*$"
Email = Annotated[str, Field(pattern=_EMAIL, max_length=254, examples=["ada@example.com"])]


class AddressBody(Body):
    line1: Name
    line2: Name | None = None
    postal_code: Name | None = None
    city: Name
    state: Name | None = None
    country: Country


class CustomerBody(Body):
    """Who is asked to pay: a credit account, a name, or both."""

    credit_account_id: Identifier | None = None
    name: Name | None = None
    address: AddressBody | None = None
    tax_id: Name | None = Field(default=None, examples=["DE123456789"])
    email: Email | None = Field(default=None, description="Where the invoice is sent when final.")


class PeriodBody(Body):
    start: Time
    end: Time


class InvoiceLineBody(Body):
    """`unit_price` (times `quantity`, rounded up) or `amount`."""

    description: Text
    quantity: Plain = "1"
    unit_price: Plain | None = Field(
        default=None, description="In major units; it may be finer than the currency."
    )
    amount: AmountText | None = None
    tax_rate: Annotated[str, Field(pattern=r"^[0-9]{1,4}(\.[0-9]{1,6})?$")] | None = Field(
        default=None, examples=["19"], description="Percent; without it no tax applies."
    )
    period: PeriodBody | None = None
    is_credit: bool = Field(default=False, description="It is given back, not charged.")


class CreateInvoice(Body):
    """A draft: it has no number and can still change."""

    customer: CustomerBody
    currency: Symbol = Field(examples=["EUR"])
    lines: Annotated[list[InvoiceLineBody], Field(max_length=LINES_MAX)] = Field(
        default_factory=list
    )
    prices_include_tax: bool = False
    reverse_charge: bool = Field(
        default=False,
        description="The tax is the customer's to pay: no line has a rate, and both have a tax id.",
    )
    due_days: Annotated[int, Field(ge=0, le=DUE_DAYS_MAX)] = 14
    reference: Reference | None = None
    memo: Text | None = Field(default=None, description="Printed below the totals.")
    metadata: Metadata = Field(default_factory=dict)


class AddInvoiceLines(Body):
    lines: Annotated[list[InvoiceLineBody], Field(min_length=1, max_length=LINES_MAX)]


class WithReason(Body):
    reason: Reference


class PayInvoiceBody(Body):
    """Asks for a payment intent, or says that it was paid elsewhere."""

    amount: AmountText | None = Field(
        default=None, description="A part; without it all that is due."
    )
    out_of_band: bool = Field(default=False, description="It was paid elsewhere: say `reason`.")
    reason: Reference | None = None
    network: Symbol | None = None
    pay_with: Annotated[list[PayWith], Field(min_length=1, max_length=32)] | None = None
    expires_in_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    tolerance: Annotated[str, Field(pattern=r"^0(\.[0-9]{1,6})?$", max_length=8)] = "0"


class PartyBody(Body):
    """Somebody an invoice is from or for."""

    name: Name
    address: AddressBody | None = None
    tax_id: Name | None = None
    email: Email | None = None


class SellerBody(PartyBody):
    """Who invoices are from, from now on."""


class AddressView(View):
    line1: str
    line2: str | None
    postal_code: str | None
    city: str
    state: str | None
    country: str


class PartyView(View):
    name: str | None
    address: AddressView | None
    tax_id: str | None
    email: str | None


class CustomerView(PartyView):
    credit_account_id: str | None


class SellerView(View):
    object: Literal["seller"]
    name: str
    address: AddressView | None
    tax_id: str | None
    email: str | None
    position: int


class PeriodView(View):
    start: datetime
    end: datetime


class InvoiceLineView(View):
    description: str
    quantity: str
    unit_price: str | None
    unit_price_minor: str | None = Field(description="Null where it is finer than the currency.")
    amount: str
    amount_minor: str
    is_credit: bool
    tax_rate: str | None
    net: str | None = Field(description="Known when the invoice is final.")
    net_minor: str | None
    tax: str | None
    tax_minor: str | None
    period: PeriodView | None


class TaxView(View):
    """All that is charged at one rate."""

    rate: str | None
    net: str
    net_minor: str
    tax: str
    tax_minor: str


class SettledWithView(View):
    """What paid it."""

    network: str
    asset: str
    transaction_id: str
    amount: str
    amount_minor: str
    price: str | None = Field(description="Of one of the asset, in the invoice's currency.")
    price_lock_id: str | None
    locked_at: datetime | None
    sources: list[str] = Field(description="Whose quotes the price was made from.")


class InvoicePaymentView(View):
    """What was paid towards it: by a payment intent, or elsewhere for a reason."""

    payment_intent_id: str | None
    reason: str | None
    amount: str
    amount_minor: str
    settled_with: list[SettledWithView]
    recorded_at: datetime


class AskedPaymentView(View):
    """A payment intent on its behalf. How it stands is told where one invoice is looked at."""

    id: str
    amount: str
    amount_minor: str
    expires_at: datetime
    status: str | None
    detected: str | None
    detected_minor: str | None
    confirmed: str | None
    confirmed_minor: str | None


class DeliveryView(View):
    email: str
    status: Literal["waiting", "sent", "retrying", "failed"]
    attempts: int
    message_id: str | None
    delivered_at: datetime | None
    again_at: datetime | None
    failure: str | None


class InvoiceView(View):
    id: str
    object: Literal["invoice"]
    kind: Literal["invoice", "receipt"] = Field(
        description="A receipt was paid, by a payment, before it was written."
    )
    number: str | None = Field(description="Given when it becomes final, without a gap.")
    status: Status
    is_overdue: bool
    currency: str
    prices_include_tax: bool
    reverse_charge: bool
    net: str
    net_minor: str
    tax: str
    tax_minor: str
    total: str
    total_minor: str
    amount_paid: str
    amount_paid_minor: str
    amount_credited: str
    amount_credited_minor: str
    amount_due: str
    amount_due_minor: str
    customer: CustomerView | None
    seller: PartyView | None
    lines: list[InvoiceLineView]
    taxes: list[TaxView]
    payments: list[InvoicePaymentView]
    payment_intents: list[AskedPaymentView]
    settled_with: list[SettledWithView]
    payment_intent_id: str | None = Field(description="That a receipt stands on.")
    credit_account_id: str | None
    subscription_id: str | None
    reference: str | None
    memo: str | None
    metadata: dict[str, str]
    due_days: int | None
    created_at: datetime
    issued_at: datetime | None
    due_at: datetime | None
    paid_at: datetime | None
    voided_at: datetime | None
    void_reason: str | None
    uncollectible_at: datetime | None
    uncollectible_reason: str | None
    delivery: DeliveryView | None
    position: int


class Invoices(View):
    object: Literal["list"]
    data: list[InvoiceView]
    has_more: bool


class InvoiceInAnswer(InvoiceView):
    position: int | None = None  # type: ignore[assignment]


class PaymentIntentInAnswer(PaymentIntent):
    position: int | None = None  # type: ignore[assignment]


class InvoicePaid(View):
    """The invoice, and the payment intent that is to pay it; none for what was paid elsewhere."""

    object: Literal["invoice_payment"]
    invoice: InvoiceInAnswer
    payment_intent: PaymentIntentInAnswer | None
    position: int


class ListInvoices(Page):
    status: Status | None = None
    payment_intent_id: Identifier | None = None
    credit_account_id: Identifier | None = None
    subscription_id: Identifier | None = None
    overdue: bool = Field(default=False, description="Only what is open behind its due date.")


class GetInvoiceXml(Fresh):
    format: Literal["facturx", "ubl"] = Field(
        default="facturx", description="Factur-X (CII, EN 16931) or UBL 2.1."
    )
