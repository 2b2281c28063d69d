"""What may be asked of a top-up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.top_up.facts import Outcome, Payable


@dataclass(frozen=True, slots=True)
class SetTopUpRule:
    top_up_id: str
    account_id: str
    threshold: Amount
    target: Amount | None
    amount: Amount | None
    currency: str
    pay_with: tuple[Payable, ...]
    per_day_max: Amount | None
    per_month_max: Amount | None
    cooldown_seconds: int
    expires_in_seconds: int
    at: datetime


@dataclass(frozen=True, slots=True)
class RemoveTopUpRule:
    top_up_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RequestTopUp:
    """`available_units`: when this is decided, less what is owed, and so below zero at times.
    `standing`: of what was paid before, whether it still is.
    """

    top_up_id: str
    payment_id: str
    amount: Amount
    due: Amount
    available_units: int
    at: datetime
    standing: Mapping[str, bool] = field(default_factory=dict)  # by payment


@dataclass(frozen=True, slots=True)
class CloseTopUp:
    top_up_id: str
    payment_id: str
    outcome: Outcome
    at: datetime


@dataclass(frozen=True, slots=True)
class ReopenTopUp:
    """The chain took back what had paid for it."""

    top_up_id: str
    payment_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RefuseTopUp:
    top_up_id: str
    code: str
    detail: str
    at: datetime


TopUpCommand: TypeAlias = (
    SetTopUpRule | RemoveTopUpRule | RequestTopUp | CloseTopUp | ReopenTopUp | RefuseTopUp
)
