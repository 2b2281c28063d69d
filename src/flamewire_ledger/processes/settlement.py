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
from flamewire_ledger.domain.invoice import (
    InvoiceLine,
    IssueReceipt,
    SettledWith,
    register_id,
)
from flamewire_ledger.domain.money import Amount, share
from flamewire_ledger.domain.payment import (
    PaymentRequested,
    PaymentResolved,
    PaymentSucceeded,
    PaymentTransferConfirmed,
)
from flamewire_ledger.domain.price_lock import PriceLocked
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
        locks = {paid.lock_id for paid in _paid(fact.event, until(fact, past))}
        return frozenset(lock for lock in locks if lock is not None and lock not in past)

    def react(self, fact: Fact, past: Past) -> Sequence[FollowUp]:
        if not sells(fact.event):
            return ()
        facts = until(fact, past)
        follow_ups = [FollowUp("receipt", _receipt(fact, facts, past))]
        if fact.event.grant_id is not None:
            follow_ups.insert(0, FollowUp("grant", _grant(fact.event, _requested(facts))))
        return follow_ups


def sells(event: object) -> bool:
    """Whether something is bought by this fact: what was asked for, or credits for what was held.

    A payment that a person accepts succeeds like any other, by the fact behind the resolution.
    """
    return isinstance(event, PaymentSucceeded) or (
        isinstance(event, PaymentResolved) and event.grant_id is not None
    )


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
    requested = _requested(facts)
    cost = None if event.credits is None else _cost(event.credits, requested)
    total = requested.amount if cost is None else cost
    line = InvoiceLine(_description(event, requested), "1", unit_price=total, amount=total)
    at = _at(event)
    return IssueReceipt(
        register_id=register_id(fact.recorded.merchant_id, at),
        invoice_id=invoice_id(fact),
        payment_id=event.payment_id,
        credit_account_id=requested.credit_account_id,
        reference=requested.reference,
        lines=(line,),
        total=total,
        settled_with=tuple(
            SettledWith(
                network=paid.network,
                transaction_id=paid.transaction_id,
                amount=paid.amount,
                price=None if paid.lock_id is None else _locked_price(past[paid.lock_id]),
                price_lock_id=paid.lock_id,
            )
            for paid in _paid(event, facts)
        ),
        at=at,
    )


def _description(event: PaymentSucceeded | PaymentResolved, requested: PaymentRequested) -> str:
    if event.credits is not None:
        return f"{event.credits.text} credits"
    return f"Payment {requested.reference or requested.payment_id}"


@dataclass(frozen=True, slots=True)
class _Paid:
    """What one transfer gave towards the payment, and the lock it was counted by."""

    network: str
    transaction_id: str
    amount: Amount
    lock_id: str | None


def _paid(event: PaymentSucceeded | PaymentResolved, facts: Sequence[Fact]) -> Sequence[_Paid]:
    confirmed = {
        fact.event.transfer.key: fact.event
        for fact in facts
        if isinstance(fact.event, PaymentTransferConfirmed)
    }
    requested, paid = _requested(facts), []
    for use in event.uses:
        transfer = confirmed[use.transfer].transfer
        amount = Amount(transfer.amount.asset, use.units)
        lock_id = _lock_id(requested, confirmed[use.transfer])
        paid.append(_Paid(transfer.network, transfer.transaction_id, amount, lock_id))
    return paid


def _lock_id(requested: PaymentRequested, confirmed: PaymentTransferConfirmed) -> str | None:
    if confirmed.standing == "repriced":
        return None  # it counted for what it was worth when it came, whatever had been locked
    for option in requested.options:
        if option.due.asset == confirmed.transfer.amount.asset:
            return option.price_lock_id
    return None


def _locked_price(lock: Sequence[Fact]) -> str:
    locked = lock[0].event
    if not isinstance(locked, PriceLocked):
        raise TypeError(f"a price lock's first fact is {PriceLocked.type}, not {locked.type}")
    return format(locked.rate.price, "f")


def _requested(facts: Sequence[Fact]) -> PaymentRequested:
    requested = facts[0].event
    if not isinstance(requested, PaymentRequested):
        raise TypeError(f"a payment's first fact is {PaymentRequested.type}, not {requested.type}")
    return requested


def _at(event: PaymentSucceeded | PaymentResolved) -> datetime:
    return event.succeeded_at if isinstance(event, PaymentSucceeded) else event.resolved_at
