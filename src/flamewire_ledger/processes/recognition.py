"""Recognition: credits that were bought are burnt or lapsed, so what was paid for them is earned.

A credit account tells of its day when that is over; each payment behind it books its own share. The
figures are sums from the beginning on, so that one which is told late says nothing wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flamewire_ledger.domain.credit_account import CreditsEarned
from flamewire_ledger.domain.payment import EarnedCredits, RecogniseRevenue
from flamewire_ledger.processes.process import Fact, FollowUp, Past


@dataclass(frozen=True, slots=True)
class Recognition:
    """credit_account.earned → each payment that is named recognises revenue."""

    name: str = "recognition"
    reads: frozenset[str] = frozenset({CreditsEarned.type})

    def asks(self, fact: Fact, past: Past) -> frozenset[str]:
        return frozenset()

    def react(self, fact: Fact, past: Past) -> Sequence[FollowUp]:
        event: CreditsEarned = fact.event
        by_payment: dict[str, list[EarnedCredits]] = {}
        for grant in event.grants:
            earned = EarnedCredits(
                grant_id=grant.grant_id,
                bought_grant_id=grant.bought_grant_id,
                day=event.day,
                spent=grant.spent,
                lapsed=grant.lapsed,
                refunded=grant.refunded,
                payable=grant.payable,
            )
            by_payment.setdefault(grant.payment_id, []).append(earned)
        return [
            FollowUp(
                f"recognise_revenue/{payment_id}",
                RecogniseRevenue(
                    payment_id, event.account_id, event.day, tuple(grants), event.earned_at
                ),
            )
            for payment_id, grants in by_payment.items()
        ]
