"""A price lock: our promise of a rate for 900 seconds, with every quote it was made from. It is used once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, TypeAlias

from flamewire_ledger.domain.money import Rate

# Facts.


@dataclass(frozen=True, slots=True)
class Quote:
    """What one source said. `dropped` says why it did not count; None when it did."""

    source: str
    price: Decimal
    quoted_at: datetime
    dropped: str | None = None


@dataclass(frozen=True, slots=True)
class PriceLocked:
    type: ClassVar = "price_lock.locked.v1"
    lock_id: str
    rate: Rate
    quotes: tuple[Quote, ...]
    payment_id: str | None  # set when made for a payment, and by that already used
    locked_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class PriceLockUsed:
    type: ClassVar = "price_lock.used.v1"
    lock_id: str
    payment_id: str
    used_at: datetime


@dataclass(frozen=True, slots=True)
class PriceLockExpired:
    type: ClassVar = "price_lock.expired.v1"
    lock_id: str
    expired_at: datetime


PriceLockEvent: TypeAlias = PriceLocked | PriceLockUsed | PriceLockExpired

# Commands.


@dataclass(frozen=True, slots=True)
class LockPrice:
    lock_id: str
    rate: Rate
    quotes: tuple[Quote, ...]
    locked_at: datetime
    expires_at: datetime
    payment_id: str | None = None


@dataclass(frozen=True, slots=True)
class UsePriceLock:
    lock_id: str
    payment_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ExpirePriceLock:
    lock_id: str
    at: datetime


PriceLockCommand: TypeAlias = LockPrice | UsePriceLock | ExpirePriceLock
