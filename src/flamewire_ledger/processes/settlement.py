"""Settlement: a payment that succeeded buys what it was for. Credits are granted as promised, a
receipt is issued.

The amounts are those the payment recorded; nothing is priced anew here. A payment that was undone
and succeeds again is a new success, with a new grant and a new receipt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flamewire_ledger.domain.credit_account import GrantCredits
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.invoice import InvoiceLine, IssueReceipt, register_id
from flamewire_ledger.domain.money import Amount, share
from flamewire_ledger.domain.payment import (
    PaymentRequested,
    PaymentResolved,
    PaymentSucceeded,
)
from flamewire_ledger.processes.payment_evidence import locks_of, requested_in, settled_with
from flamewire_ledger.processes.process import Fact, FollowUp, Past, until


@dataclass(frozen=True, slots=True)
class Settlement:
    """payment.succeeded, and payment.resolved with credits → a receipt, and a grant."""

    name: str = "settlement"
    reads: frozenset[str] = frozenset({PaymentSucceeded.type, PaymentResolved.type})

    def asks(self, fact: Fact, past: Past) -> frozenset[str]:
        payment = fact.recorded.stream_id
        if not sells(fact.event):
            return frozenset()
        if payment not in past:
            return frozenset({payment})
        return locks_of(fact.event, until(fact, past)) - past.keys()

    def react(self, fact: Fact, past: Past) -> Sequence[FollowUp]:
        if not sells(fact.event):
            return ()
        facts = until(fact, past)
        if pays_invoice(fact.event, requested_in(facts)):
            return ()  # the invoice is there already: processes/invoice_payments.py
        follow_ups = [FollowUp("receipt", _receipt(fact, facts, past))]
        if fact.event.grant_id is not None:
            follow_ups.insert(0, FollowUp("grant", _grant(fact.event, requested_in(facts))))
        return follow_ups


def sells(event: object) -> bool:
    """Whether something is bought by this fact: what was asked for, or credits for what was held.

    A payment that a person accepts succeeds like any other, by the fact behind the resolution.
    """
    return isinstance(event, PaymentSucceeded) or (
        isinstance(event, PaymentResolved) and event.grant_id is not None
    )


def pays_invoice(event: object, requested: PaymentRequested) -> bool:
    """Whether this success is an invoice's, which is no sale of its own."""
    return requested.invoice_id is not None and isinstance(event, PaymentSucceeded)


def invoice_id(fact: Fact) -> str:
    """The receipt that follows from a sale: one each, should the payment succeed again."""
    recorded = fact.recorded
    return derived_id("inv", _at(fact.event), recorded.stream_id, str(recorded.version))


def _grant(event: PaymentSucceeded | PaymentResolved, requested: PaymentRequested) -> GrantCredits:
    if event.credit_account_id is None or event.credits is None or event.grant_id is None:
        raise ValueError(f"{event.payment_id} promises credits without saying how many to whom")
    return GrantCredits(
        account_id=event.credit_account_id,
        grant_id=event.grant_id,
        amount=event.credits,
        source="purchased",
        at=_at(event),
        payment_id=event.payment_id,
        cost=_cost(event.credits, requested),
    )


def _cost(granted: Amount, requested: PaymentRequested) -> Amount | None:
    """What these credits cost at the rate of the request; None when it promised none."""
    if requested.credits is None or requested.credits.is_zero:
        return None
    return share(requested.amount, granted.units, requested.credits.units)


def _receipt(fact: Fact, facts: Sequence[Fact], past: Past) -> IssueReceipt:
    event: PaymentSucceeded | PaymentResolved = fact.event
    requested = requested_in(facts)
    cost = None if event.credits is None else _cost(event.credits, requested)
    total = requested.amount if cost is None else cost
    line = InvoiceLine(_description(event, requested), "1", unit_price=total.text, amount=total)
    at = _at(event)
    return IssueReceipt(
        register_id=register_id(fact.recorded.merchant_id, at),
        invoice_id=invoice_id(fact),
        payment_id=event.payment_id,
        credit_account_id=requested.credit_account_id,
        reference=requested.reference,
        lines=(line,),
        total=total,
        settled_with=settled_with(event, facts, past),
        at=at,
    )


def _description(event: PaymentSucceeded | PaymentResolved, requested: PaymentRequested) -> str:
    if event.credits is not None:
        return f"{event.credits.plain_text} credits"
    return f"Payment {requested.reference or requested.payment_id}"


def _at(event: PaymentSucceeded | PaymentResolved) -> datetime:
    return event.succeeded_at if isinstance(event, PaymentSucceeded) else event.resolved_at
