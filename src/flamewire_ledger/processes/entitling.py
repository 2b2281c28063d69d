"""Entitling: what a plan allows, its subscriber may use; from the trial on, not while it is paused, and
not behind its end.

Each subscription grants under its own name, so that what another one or a person grants stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from flamewire_ledger.domain.entitlement import GrantEntitlement, RevokeEntitlement
from flamewire_ledger.domain.plan_terms import PlanEntitlement
from flamewire_ledger.domain.subscription import (
    SubscriptionActivated,
    SubscriptionCanceled,
    SubscriptionPaused,
    SubscriptionPlanChanged,
    SubscriptionResumed,
    SubscriptionTrialStarted,
)
from flamewire_ledger.processes.process import Fact, FollowUp, Past


@dataclass(frozen=True, slots=True)
class Entitling:
    """subscription.trial_started, .activated, .plan_changed, .resumed → granted; .plan_changed,
    .paused, .canceled → revoked.
    """

    name: str = "entitling"
    reads: frozenset[str] = frozenset(
        {
            SubscriptionTrialStarted.type,
            SubscriptionActivated.type,
            SubscriptionPlanChanged.type,
            SubscriptionPaused.type,
            SubscriptionResumed.type,
            SubscriptionCanceled.type,
        }
    )

    def asks(self, fact: Fact, past: Past) -> frozenset[str]:
        return frozenset()

    def react(self, fact: Fact, past: Past) -> Sequence[FollowUp]:
        event, account_id = fact.event, fact.event.credit_account_id
        source = f"subscription:{event.subscription_id}"
        match event:
            case SubscriptionTrialStarted():
                allowed = event.plan.terms.entitlements
                return _granted(account_id, source, allowed, event.trial_started_at)
            case SubscriptionActivated():
                allowed = event.plan.terms.entitlements
                return _granted(account_id, source, allowed, event.activated_at)
            case SubscriptionResumed():
                allowed = event.plan.terms.entitlements
                return _granted(account_id, source, allowed, event.resumed_at)
            case SubscriptionPlanChanged():
                if event.status == "scheduled":
                    return ()  # nothing is granted before it begins
                allowed, at = event.plan.terms.entitlements, event.changed_at
                return [
                    *_revoked(account_id, source, event.removed, at),
                    *_granted(account_id, source, allowed, at),
                ]
            case SubscriptionPaused():
                return _revoked(account_id, source, event.entitlements, event.paused_at)
            case SubscriptionCanceled():
                return _revoked(account_id, source, event.entitlements, event.canceled_at)
            case _:
                raise TypeError(f"nothing is granted or revoked by {event.type}")


def _granted(
    account_id: str, source: str, allowed: Iterable[PlanEntitlement], at: datetime
) -> list[FollowUp]:
    return [
        FollowUp(
            f"grant {it.feature}",
            GrantEntitlement(
                account_id=account_id,
                feature=it.feature,
                kind=it.kind,
                at=at,
                source=source,
                meter_id=it.meter_id,
                limit=None if it.limit is None else Decimal(it.limit),
                period=it.period,
            ),
        )
        for it in allowed
    ]


def _revoked(
    account_id: str, source: str, taken: Iterable[PlanEntitlement], at: datetime
) -> list[FollowUp]:
    return [
        FollowUp(f"revoke {it.feature}", RevokeEntitlement(account_id, it.feature, at, source))
        for it in taken
    ]
