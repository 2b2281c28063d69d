"""Invoice payments: a payment that was asked for on behalf of an invoice pays it when it succeeds, and
what its chain takes back is due again.

The invoice counts the whole amount of the request, as the payment does: what was missing within the
tolerance, or was let go by a person, is missing to nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flamewire_ledger.domain.invoice import RecordInvoicePayment, ReverseInvoicePayment
from flamewire_ledger.domain.payment import (
    PaymentResolved,
    PaymentSucceeded,
    PaymentTransferReorganised,
)
from flamewire_ledger.processes.payment_evidence import locks_of, requested_in, settled_with
from flamewire_ledger.processes.process import Fact, FollowUp, Past, until


@dataclass(frozen=True, slots=True)
class InvoicePayments:
    """payment.succeeded for an invoice → recorded; payment.transfer_reorganised → reversed."""

    name: str = "invoice_payments"
    reads: frozenset[str] = frozenset({PaymentSucceeded.type, PaymentTransferReorganised.type})

    def asks(self, fact: Fact, past: Past) -> frozenset[str]:
        stream_id = fact.recorded.stream_id
        if not _concerns(fact.event):
            return frozenset()
        if stream_id not in past:
            return frozenset({stream_id})
        facts = until(fact, past)
        if requested_in(facts).invoice_id is None or not isinstance(fact.event, PaymentSucceeded):
            return frozenset()
        return locks_of(fact.event, facts) - past.keys()

    def react(self, fact: Fact, past: Past) -> Sequence[FollowUp]:
        event: object = fact.event
        if not _concerns(event):
            return ()
        facts = until(fact, past)
        requested = requested_in(facts)
        if requested.invoice_id is None:
            return ()
        if isinstance(event, PaymentSucceeded):
            record = RecordInvoicePayment(
                invoice_id=requested.invoice_id,
                payment_id=event.payment_id,
                amount=requested.amount,
                settled_with=settled_with(event, facts, past),
                at=event.succeeded_at,
                settling=_settling(facts),
            )
            return (FollowUp("pay_invoice", record),)
        assert isinstance(event, PaymentTransferReorganised)
        reverse = ReverseInvoicePayment(
            invoice_id=requested.invoice_id,
            payment_id=event.payment_id,
            reason=f"{event.transfer.network} took back {event.transfer.transaction_id}",
            at=event.reorganised_at,
        )
        return (FollowUp("reverse_invoice_payment", reverse),)


def _settling(facts: Sequence[Fact]) -> int:
    """The number of the last of these among what put something of the payment to use."""
    return sum(
        isinstance(each.event, (PaymentSucceeded, PaymentResolved)) and bool(each.event.uses)
        for each in facts
    )


def _concerns(event: object) -> bool:
    return isinstance(event, PaymentSucceeded) or (
        isinstance(event, PaymentTransferReorganised) and event.undoes_success
    )
