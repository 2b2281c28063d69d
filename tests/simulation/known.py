"""What clients know of the past when they ask to put something right: consumptions, sales, and parts of
purchases that went to other accounts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from flamewire_ledger.domain.credit_account import (
    Consumption,
    CreditsConsumed,
    CreditsGranted,
    CreditsTransferredIn,
    HoldCaptured,
)
from flamewire_ledger.domain.money import Amount, Asset, share
from flamewire_ledger.domain.payment import (
    PaymentRequested,
    PaymentResolved,
    PaymentSucceeded,
)
from flamewire_ledger.domain.posting import DEFERRED_CREDITS
from flamewire_ledger.store.event_store import RecordedEvent


@dataclass(frozen=True)
class Purchase:
    """A grant that was bought, or a part of one: `bought` is the grant that its payment made."""

    merchant_id: str
    account_id: str
    grant_id: str
    units: int
    payment_id: str


@dataclass
class Known:
    """Folded from events as they are read."""

    consumptions: list[tuple[str, str, Consumption]] = field(default_factory=list)
    purchases: list[Purchase] = field(default_factory=list)
    sales: dict[str, list[PaymentSucceeded | PaymentResolved]] = field(default_factory=dict)
    requested_by_processes: list[tuple[str, PaymentRequested]] = field(default_factory=list)

    def take(self, event: RecordedEvent, fact: Any) -> None:
        merchant_id, account_id = event.merchant_id, event.stream_id
        match fact:
            case CreditsConsumed(slices=slices, overage=overage, reference=reference):
                found = Consumption(event.position, slices, overage.units, reference)
                self.consumptions.append((merchant_id, account_id, found))
            case HoldCaptured(slices=slices, reference=reference):
                found = Consumption(event.position, slices, 0, reference)
                self.consumptions.append((merchant_id, account_id, found))
            case CreditsGranted(payment_id=str() as payment_id, grant_id=grant_id, amount=amount):
                bought = Purchase(merchant_id, account_id, grant_id, amount.units, payment_id)
                self.purchases.append(bought)
            case CreditsTransferredIn(grants=grants):
                self.purchases += [
                    Purchase(merchant_id, account_id, it.grant_id, it.units, it.payment_id)
                    for it in grants
                    if it.payment_id is not None
                ]
            case PaymentSucceeded(grant_id=str()) | PaymentResolved(grant_id=str()):
                self.sales.setdefault(fact.payment_id, []).append(fact)
            case PaymentRequested() if b'"process:' in event.metadata:
                self.requested_by_processes.append((merchant_id, fact))

    def sale_of(self, purchase: Purchase) -> PaymentSucceeded | PaymentResolved | None:
        """What made the grant, or the one that this is a part of; None where several may have."""
        sales = self.sales.get(purchase.payment_id, [])
        of_grant = [sale for sale in sales if sale.grant_id == purchase.grant_id]
        return next(iter(of_grant or (sales if len(sales) == 1 else ())), None)


def paid_for(sale: PaymentSucceeded | PaymentResolved, units: int) -> tuple[Amount, ...]:
    """What was booked as paid for so many of its credits."""
    assert sale.credits is not None, "a sale of credits says how many"
    paid: Counter[Asset] = Counter()
    for posting in sale.postings:
        if posting.credit == DEFERRED_CREDITS:
            paid[posting.amount.asset] += posting.amount.units
    return tuple(share(Amount(it, n), units, sale.credits.units) for it, n in paid.items())
