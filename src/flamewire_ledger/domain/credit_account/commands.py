"""What may be asked of a credit account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from flamewire_ledger.domain.credit_account.facts import NOTHING, PRIORITY_DEFAULT, Source
from flamewire_ledger.domain.money import Amount


@dataclass(frozen=True, slots=True)
class OpenCreditAccount:
    account_id: str
    external_id: str | None
    name: str | None
    at: datetime
    overage_max: Amount = NOTHING


@dataclass(frozen=True, slots=True)
class GrantCredits:
    account_id: str
    grant_id: str
    amount: Amount
    source: Source
    at: datetime
    priority: int = PRIORITY_DEFAULT
    expires_at: datetime | None = None
    payment_id: str | None = None
    cost: Amount | None = None


@dataclass(frozen=True, slots=True)
class ConsumeCredits:
    account_id: str
    amount: Amount
    at: datetime
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class HoldCredits:
    account_id: str
    hold_id: str
    amount: Amount
    expires_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class CaptureHold:
    """`amount` None captures all of it."""

    account_id: str
    hold_id: str
    at: datetime
    amount: Amount | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class ReleaseHold:
    account_id: str
    hold_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ExpireHold:
    account_id: str
    hold_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ExpireGrant:
    account_id: str
    grant_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ReverseGrant:
    account_id: str
    grant_id: str
    payment_id: str | None
    at: datetime


CreditAccountCommand: TypeAlias = (
    OpenCreditAccount
    | GrantCredits
    | ConsumeCredits
    | HoldCredits
    | CaptureHold
    | ReleaseHold
    | ExpireHold
    | ExpireGrant
    | ReverseGrant
)
