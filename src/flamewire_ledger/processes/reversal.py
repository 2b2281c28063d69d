"""Reversal: a chain took back a transfer that had made a payment succeed, so what it bought is
taken back too.

The grant is reversed and the receipt voided. Credits that were spent meanwhile stay spent: the
account owes them, and the payment waits for a person. So it does where some of it was to be returned
already: that is payable on the books, of money that is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flamewire_ledger.domain.credit_account import (
    GrantReversed,
    HoldCaptured,
    PurchaseRefunded,
    ReverseGrant,
)
from flamewire_ledger.domain.invoice import VoidReceipt
from flamewire_ledger.domain.payment import (
    PaymentResolved,
    PaymentSucceeded,
    PaymentTransferReorganised,
    RequireResolution,
)
from flamewire_ledger.processes.payment_evidence import requested_in
from flamewire_ledger.processes.process import Fact, FollowUp, Past, until
from flamewire_ledger.processes.settlement import invoice_id, pays_invoice, sells


@dataclass(frozen=True, slots=True)
class Reversal:
    """payment.transfer_reorganised that undoes success → reverse and void; credits owed, or paid for
    and refunded → a person decides.
    """

    name: str = "reversal"
    reads: frozenset[str] = frozenset(
        {PaymentTransferReorganised.type, GrantReversed.type, HoldCaptured.type}
    )

    def asks(self, fact: Fact, past: Past) -> frozenset[str]:
        match fact.event:
            case PaymentTransferReorganised() | GrantReversed():
                needed = {fact.recorded.stream_id}
            case HoldCaptured(owed=owed) if not owed.is_zero:
                needed = {fact.recorded.stream_id}
            case _:
                needed = set()
        return frozenset(needed - past.keys())

    def react(self, fact: Fact, past: Past) -> Sequence[FollowUp]:
        match fact.event:
            case PaymentTransferReorganised():
                return _undo(fact, past)
            case GrantReversed() as undone:
                is_open = not undone.owed.is_zero or _was_refunded(undone, until(fact, past))
                return _resolve([undone] if is_open else [], undone.reversed_at)
            case HoldCaptured(owed=owed) as captured if not owed.is_zero:
                burnt = {it.grant_id for it in captured.slices}
                reversals = [it.event for it in until(fact, past) if _reverses(it.event, burnt)]
                return _resolve(reversals, captured.captured_at)
            case _:
                return ()


def _resolve(undone: Sequence[GrantReversed], at: datetime) -> Sequence[FollowUp]:
    """A person is asked about each payment whose credits were spent and whose money is gone."""
    payments = dict.fromkeys(it.payment_id for it in undone if it.payment_id is not None)
    return [
        FollowUp(f"require_resolution/{it}", RequireResolution(it, "reorged", at))
        for it in payments
    ]


def _undo(fact: Fact, past: Past) -> Sequence[FollowUp]:
    event: PaymentTransferReorganised = fact.event
    facts = until(fact, past)
    requested = requested_in(facts)
    sales = [it for it in facts if sells(it.event) and not pays_invoice(it.event, requested)]
    undone = [it for it in sales if it.event.grant_id in event.grants_undone]
    successes = [it for it in sales if isinstance(it.event, PaymentSucceeded)]
    follow_ups = [
        FollowUp(f"reverse_grant/{it.event.grant_id}", _reverse(it.event, event)) for it in undone
    ]
    if event.undoes_success and successes and successes[-1] not in undone:
        undone.append(successes[-1])  # it granted nothing
    reason = f"{event.transfer.network} took back {event.transfer.transaction_id}"
    for receipt in map(invoice_id, undone):
        void = VoidReceipt(receipt, reason, at=event.reorganised_at)
        follow_ups.append(FollowUp(f"void_invoice/{receipt}", void))
    return follow_ups


def _reverse(
    sale: PaymentSucceeded | PaymentResolved, event: PaymentTransferReorganised
) -> ReverseGrant:
    if sale.credit_account_id is None or sale.grant_id is None:
        raise ValueError(f"{sale.payment_id} granted credits without saying to whom")
    return ReverseGrant(
        sale.credit_account_id, sale.grant_id, event.payment_id, at=event.reorganised_at
    )


def _reverses(event: object, grants: set[str]) -> bool:
    return isinstance(event, GrantReversed) and event.grant_id in grants


def _was_refunded(undone: GrantReversed, facts: Sequence[Fact]) -> bool:
    """Whether some of what was paid for the grant is to be returned."""
    refunds = [it.event for it in facts if isinstance(it.event, PurchaseRefunded)]
    return any(it.grant_id == undone.grant_id and it.payable for it in refunds)
