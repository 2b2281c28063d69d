"""Subscribing: what follows from what becomes true of a subscription. Invoices are drafted and made
final, credits granted, features allowed and taken away.

Ids of invoices, grants and credit notes are in the facts, so that a page of events which is seen
again makes nothing twice, wherever it was broken off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flamewire_ledger.domain.credit_account import GrantCredits
from flamewire_ledger.domain.invoice import (
    CreditedLine,
    Customer,
    DraftInvoice,
    FinaliseInvoice,
    InvoiceLine,
    IssueCreditNote,
    Period,
)
from flamewire_ledger.domain.subscription import (
    Allotment,
    Bill,
    BillLine,
    Refund,
    SubscriptionCanceled,
    SubscriptionClosed,
    SubscriptionCreditsAllotted,
    SubscriptionPlanChanged,
    SubscriptionRenewed,
    SubscriptionStarted,
    SubscriptionTrialStarted,
)
from flamewire_ledger.processes.process import Fact, FollowUp, Past

_BILLED: Final = (
    SubscriptionRenewed,
    SubscriptionPlanChanged,
    SubscriptionCanceled,
    SubscriptionClosed,
)
_GRANTED: Final = (
    SubscriptionTrialStarted,
    SubscriptionRenewed,
    SubscriptionCreditsAllotted,
    SubscriptionPlanChanged,
)


@dataclass(frozen=True, slots=True)
class SubscriptionBilling:
    """subscription.renewed, .plan_changed, .canceled, .closed, .credits_allotted, .trial_started → an invoice,
    a credit note, a grant.
    """

    name: str = "subscription_billing"
    reads: frozenset[str] = frozenset(kind.type for kind in (*_BILLED, *_GRANTED))

    def asks(self, fact: Fact, past: Past) -> frozenset[str]:
        event = fact.event
        if not isinstance(event, _BILLED) or event.bill is None:
            return frozenset()
        # Whom it is billed to was said at its start.
        return frozenset({fact.recorded.stream_id}) - past.keys()

    def react(self, fact: Fact, past: Past) -> Sequence[FollowUp]:
        event, at = fact.event, _at(fact.event)
        follow_ups: list[FollowUp] = []
        if isinstance(event, _BILLED) and event.bill is not None:
            started: SubscriptionStarted = past[fact.recorded.stream_id][0].event
            draft = _draft(started, event.bill, at)
            follow_ups.append(FollowUp("draft", draft))
            follow_ups.append(FollowUp("finalise", FinaliseInvoice(event.bill.invoice_id, at)))
        if isinstance(event, _GRANTED) and event.allotment is not None:
            granted = _grant(event.credit_account_id, event.allotment, at)
            follow_ups.append(FollowUp("grant", granted))
        if isinstance(event, SubscriptionCanceled) and event.refund is not None:
            follow_ups.append(FollowUp("credit note", _credit_note(event.refund, at)))
        return follow_ups


def _draft(started: SubscriptionStarted, bill: Bill, at: datetime) -> DraftInvoice:
    return DraftInvoice(
        invoice_id=bill.invoice_id,
        customer=_customer(started),
        currency=bill.lines[0].amount.asset,
        at=at,
        lines=tuple(_line(line) for line in bill.lines),
        due_days=bill.due_days,
        prices_include_tax=bill.prices_include_tax,
        subscription_id=started.subscription_id,
    )


def _customer(started: SubscriptionStarted) -> Customer:
    account_id, who = started.credit_account_id, started.bill_to
    if who is None:
        return Customer(credit_account_id=account_id)
    return Customer(account_id, who.name, who.address, who.tax_id, who.email)


def _line(line: BillLine) -> InvoiceLine:
    return InvoiceLine(
        description=line.description,
        quantity=line.quantity,
        unit_price=line.unit_price,
        amount=line.amount,
        tax_rate=line.tax_rate,
        period=Period(line.start, line.end) if line.start < line.end else None,
        is_credit=line.is_credit,
    )


def _grant(account_id: str, allotment: Allotment, at: datetime) -> GrantCredits:
    return GrantCredits(
        account_id=account_id,
        grant_id=allotment.grant_id,
        amount=allotment.amount,
        source="granted",
        at=at,
        priority=allotment.priority,
        expires_at=allotment.expires_at,
    )


def _credit_note(refund: Refund, at: datetime) -> IssueCreditNote:
    return IssueCreditNote(
        invoice_id=refund.invoice_id,
        credit_note_id=refund.credit_note_id,
        reason="the subscription was canceled",
        at=at,
        lines=tuple(CreditedLine(line.line, line.amount) for line in refund.lines),
        at_most=True,  # a person may have given it back already, or made the invoice void
    )


def _at(event: Any) -> datetime:
    match event:
        case SubscriptionTrialStarted():
            return event.trial_started_at
        case SubscriptionRenewed():
            return event.renewed_at
        case SubscriptionCreditsAllotted():
            return event.allotted_at
        case SubscriptionPlanChanged():
            return event.changed_at
        case SubscriptionCanceled():
            return event.canceled_at
        case SubscriptionClosed():
            return event.closed_at
        case _:
            raise TypeError(f"nothing is billed or granted by {event.type}")
