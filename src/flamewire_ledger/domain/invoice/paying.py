"""What is decided when an invoice is paid, or when what had paid it is taken back.

Money that has arrived is never refused: what an invoice does not need any more is said as surplus,
and the payment goes on holding it for the customer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from flamewire_ledger.domain.invoice.books import claim, refund_withdrawn
from flamewire_ledger.domain.invoice.commands import (
    PayInvoice,
    RecordInvoicePayment,
    RequestInvoicePayment,
    ReverseInvoicePayment,
)
from flamewire_ledger.domain.invoice.facts import (
    InvoiceEvent,
    InvoicePaid,
    InvoicePaymentRecorded,
    InvoicePaymentRequested,
    InvoicePaymentReversed,
    SettledWith,
)
from flamewire_ledger.domain.invoice.state import Applied, Invoice, evolve_invoice
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.posting import CONVERSION, PAID_ELSEWHERE, RECEIVABLE, Posting
from flamewire_ledger.domain.rejection import (
    InvalidAmount,
    LimitReached,
    Malformed,
    NotAllowed,
)

PAYMENTS_MAX: Final = 200  # asked for on behalf of one invoice
_Facts = tuple[InvoiceEvent, ...]


def payable(invoice: Invoice) -> Amount:
    """What is due. Raises NotAllowed where nothing can be paid."""
    if invoice.status not in ("open", "uncollectible") or invoice.due is None:
        raise NotAllowed(f"only an open invoice is paid; this one is {invoice.status}")
    return invoice.due


def pay_elsewhere(invoice: Invoice, command: PayInvoice) -> _Facts:
    """It was paid by other means."""
    if not command.reason.strip():
        raise Malformed("what was paid elsewhere has a reason", pointer="/reason")
    due = payable(invoice)
    amount = due if command.amount is None else command.amount
    _within(amount, due)
    return _recorded(
        invoice,
        command.invoice_id,
        amount,
        command.at,
        account=PAID_ELSEWHERE,
        reason=command.reason,
    )


def _within(amount: Amount, due: Amount) -> None:
    if amount.asset != due.asset:
        raise Malformed("an invoice is paid in its currency", pointer="/amount")
    if amount.is_zero:
        raise InvalidAmount("the amount is more than zero", pointer="/amount")
    if due < amount:
        raise InvalidAmount(f"{due.text} {due.asset.symbol} is due", pointer="/amount")


def request(invoice: Invoice, command: RequestInvoicePayment) -> _Facts:
    """A payment is asked for, of what is due or of a part."""
    _within(command.amount, payable(invoice))
    if len(invoice.asked) >= PAYMENTS_MAX:
        raise LimitReached(f"an invoice has at most {PAYMENTS_MAX} payment intents")
    return (
        InvoicePaymentRequested(
            command.invoice_id, command.payment_id, command.amount, command.expires_at, command.at
        ),
    )


def record(invoice: Invoice, command: RecordInvoicePayment) -> _Facts:
    """A payment has succeeded. Once for each; what is not due any more is surplus."""
    if any(each.payment_id == command.payment_id for each in invoice.applied):
        return ()
    due = invoice.due
    if due is None or invoice.is_void:
        due = Amount(command.amount.asset, 0)
    amount = min(due, command.amount)
    return _recorded(
        invoice,
        command.invoice_id,
        amount,
        command.at,
        account=CONVERSION,
        payment_id=command.payment_id,
        surplus=command.amount - amount,
        settled_with=command.settled_with,
    )


def _recorded(
    invoice: Invoice,
    invoice_id: str,
    amount: Amount,
    at: datetime,
    *,
    account: str,
    payment_id: str | None = None,
    reason: str | None = None,
    surplus: Amount | None = None,
    settled_with: Sequence[SettledWith] = (),
) -> _Facts:
    nothing = Amount(amount.asset, 0)
    due = invoice.due or nothing
    if invoice.is_void:
        due = nothing
    postings = () if amount.is_zero else (Posting(account, claim(invoice), amount),)
    recorded = InvoicePaymentRecorded(
        invoice_id=invoice_id,
        payment_id=payment_id,
        reason=reason,
        amount=amount,
        surplus=surplus or nothing,
        settled_with=tuple(settled_with),
        paid=Amount(amount.asset, invoice.paid_units + amount.units),
        due=due - amount,
        postings=postings,
        recorded_at=at,
    )
    if amount.is_zero or not recorded.due.is_zero:
        return (recorded,)
    return recorded, InvoicePaid(invoice_id, at)


def reverse(invoice: Invoice, command: ReverseInvoicePayment) -> _Facts:
    """The chain took it back: what was recorded of it is reversed, and due again but for what was
    given back of it by credit notes.
    """
    undone = next((it for it in invoice.applied if it.payment_id == command.payment_id), None)
    if undone is None or invoice.due is None:
        return ()
    withdrawn = Amount(undone.amount.asset, min(undone.amount.units, invoice.refund_units))
    reversed_ = InvoicePaymentReversed(
        invoice_id=command.invoice_id,
        payment_id=command.payment_id,
        amount=undone.amount,
        reason=command.reason,
        paid=Amount(undone.amount.asset, invoice.paid_units - undone.amount.units),
        due=invoice.due + undone.amount - withdrawn,
        status_after=invoice.status,
        postings=(*_undone(invoice, undone), *refund_withdrawn(invoice, withdrawn)),
        reversed_at=command.at,
        refund_withdrawn=withdrawn,
    )
    return (replace(reversed_, status_after=evolve_invoice(invoice, reversed_).status),)


def _undone(invoice: Invoice, applied: Applied) -> tuple[Posting, ...]:
    """The exact opposite. What had been paid before the invoice was given up is given up too."""
    back = tuple(posting.reversed() for posting in applied.postings)
    now = claim(invoice)
    was = applied.postings[0].credit
    return back if was == now else (*back, Posting(now, RECEIVABLE, applied.amount))
