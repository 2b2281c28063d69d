"""Dunning: an invoice of a subscription that falls due makes it past due; one that is settled, in
whatever way, mends that.

What becomes of a subscription that stays past due is its plan's word, and a matter of time: see
`renewals`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flamewire_ledger.domain.invoice import (
    InvoiceDrafted,
    InvoiceFellDue,
    InvoiceMarkedUncollectible,
    InvoicePaid,
    InvoiceVoided,
)
from flamewire_ledger.domain.subscription import NotePastDue, NoteSettled
from flamewire_ledger.processes.process import Fact, FollowUp, Past


@dataclass(frozen=True, slots=True)
class Dunning:
    """invoice.fell_due → past due; invoice.paid, .voided, .marked_uncollectible → settled."""

    name: str = "dunning"
    reads: frozenset[str] = frozenset(
        {
            InvoiceFellDue.type,
            InvoicePaid.type,
            InvoiceVoided.type,
            InvoiceMarkedUncollectible.type,
        }
    )

    def asks(self, fact: Fact, past: Past) -> frozenset[str]:
        return frozenset({fact.recorded.stream_id}) - past.keys()

    def react(self, fact: Fact, past: Past) -> Sequence[FollowUp]:
        first = past[fact.recorded.stream_id][0].event
        if not isinstance(first, InvoiceDrafted) or first.subscription_id is None:
            return ()
        event = fact.event
        if isinstance(event, InvoiceFellDue):
            noted = NotePastDue(first.subscription_id, event.invoice_id, event.noted_at)
            return (FollowUp("past due", noted),)
        settled = NoteSettled(first.subscription_id, event.invoice_id, _at(event))
        return (FollowUp("settled", settled),)


def _at(event: InvoicePaid | InvoiceVoided | InvoiceMarkedUncollectible) -> datetime:
    match event:
        case InvoicePaid():
            return event.paid_at
        case InvoiceVoided():
            return event.voided_at
        case InvoiceMarkedUncollectible():
            return event.marked_at
