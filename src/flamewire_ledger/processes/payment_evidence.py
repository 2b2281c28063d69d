"""What paid for something: the transfers a payment used, and the locked rates they counted by. It is
what receipts and invoices show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flamewire_ledger.domain.invoice import SettledWith
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.payment import (
    PaymentRequested,
    PaymentResolved,
    PaymentSucceeded,
    PaymentTransferConfirmed,
)
from flamewire_ledger.domain.price_lock import PriceLocked
from flamewire_ledger.processes.process import Fact, Past


@dataclass(frozen=True, slots=True)
class _Paid:
    """What one transfer gave towards the payment, and the lock it was counted by."""

    network: str
    transaction_id: str
    amount: Amount
    lock_id: str | None


def requested_in(facts: Sequence[Fact]) -> PaymentRequested:
    """What was asked for, of all facts of a payment."""
    requested = facts[0].event
    if not isinstance(requested, PaymentRequested):
        raise TypeError(f"a payment's first fact is {PaymentRequested.type}, not {requested.type}")
    return requested


def locks_of(event: PaymentSucceeded | PaymentResolved, facts: Sequence[Fact]) -> frozenset[str]:
    """The price locks that have to be known to say what paid."""
    return frozenset(paid.lock_id for paid in _paid(event, facts) if paid.lock_id is not None)


def settled_with(
    event: PaymentSucceeded | PaymentResolved, facts: Sequence[Fact], past: Past
) -> tuple[SettledWith, ...]:
    """One for each transfer that was used. `past` has the locks."""
    return tuple(_settled(paid, past) for paid in _paid(event, facts))


def _settled(paid: _Paid, past: Past) -> SettledWith:
    if paid.lock_id is None:
        return SettledWith(paid.network, paid.transaction_id, paid.amount, None, None)
    locked = past[paid.lock_id][0].event
    if not isinstance(locked, PriceLocked):
        raise TypeError(f"a price lock's first fact is {PriceLocked.type}, not {locked.type}")
    return SettledWith(
        network=paid.network,
        transaction_id=paid.transaction_id,
        amount=paid.amount,
        price=format(locked.rate.price, "f"),
        price_lock_id=paid.lock_id,
        locked_at=locked.locked_at,
        sources=_sources(locked),
    )


def _sources(locked: PriceLocked) -> tuple[str, ...]:
    """Whose quotes counted: `kraken`, whatever pairs it was asked for."""
    counted = [quote.source for quote in locked.quotes if quote.dropped is None]
    return tuple(dict.fromkeys(source.partition(":")[0] for source in counted))


def _paid(event: PaymentSucceeded | PaymentResolved, facts: Sequence[Fact]) -> Sequence[_Paid]:
    confirmed = {
        fact.event.transfer.key: fact.event
        for fact in facts
        if isinstance(fact.event, PaymentTransferConfirmed)
    }
    requested, paid = requested_in(facts), []
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
