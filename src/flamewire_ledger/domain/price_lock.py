"""A price lock: our promise of a rate for 900 seconds, with every quote it was made from.

It is used once, by one payment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, TypeAlias, assert_never

from flamewire_ledger.domain.money import Rate
from flamewire_ledger.domain.rejection import (
    AlreadyExists,
    LockExpired,
    LockUsed,
    Malformed,
    NotAllowed,
    NotFound,
)

# Facts.


@dataclass(frozen=True, slots=True)
class Quote:
    """What one source said. `dropped` says why it did not count; None when it did."""

    source: str
    price: Decimal | None  # None: it was asked, and said no price
    quoted_at: datetime
    dropped: str | None = None
    said: str | None = None  # in its own words, where those are others: `46707.03 USDT`


@dataclass(frozen=True, slots=True)
class Pricing:
    """How the rate came out of the quotes: what they agreed on, and the rule that was applied to it.

    `market` × (1 − spread) ÷ (1 − discount), rounded to `digits` significant digits, is the rate.
    """

    market: Decimal
    quoted_at: datetime  # when the sources agreed on it
    is_stale: bool = False  # they could not be trusted since
    rule: str | None = None  # its name; None: the market's price as it is
    sources: tuple[str, ...] = ()  # whose word alone counted; none: everybody's
    spread_ppm: int = 0
    discount_ppm: int = 0
    digits: int | None = None
    rounding: str | None = None


@dataclass(frozen=True, slots=True)
class PriceLocked:
    type: ClassVar = "price_lock.locked.v1"
    lock_id: str
    rate: Rate
    quotes: tuple[Quote, ...]
    payment_id: str | None  # set when made for a payment, and by that already used
    locked_at: datetime
    expires_at: datetime
    pricing: Pricing | None = None  # None: it was agreed on by hand


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

# State.


@dataclass(frozen=True, slots=True)
class PriceLock:
    locked: PriceLocked
    used_by: str | None = None  # the payment
    is_expired: bool = False  # said so by a fact; time may have run out before


def evolve(lock: PriceLock | None, event: PriceLockEvent) -> PriceLock:
    """Fold one fact into the state."""
    if isinstance(event, PriceLocked):
        return PriceLock(locked=event, used_by=event.payment_id)
    assert lock is not None, "a price lock's first fact is PriceLocked"
    match event:
        case PriceLockUsed():
            return replace(lock, used_by=event.payment_id)
        case PriceLockExpired():
            return replace(lock, is_expired=True)
        case _:
            assert_never(event)


# Commands.


@dataclass(frozen=True, slots=True)
class LockPrice:
    lock_id: str
    rate: Rate
    quotes: tuple[Quote, ...]
    locked_at: datetime
    expires_at: datetime
    payment_id: str | None = None
    pricing: Pricing | None = None


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


def decide(lock: PriceLock | None, command: PriceLockCommand) -> tuple[PriceLockEvent, ...]:
    """Facts that follow from the command, or a Rejection. An empty tuple: nothing new to say."""
    match command:
        case LockPrice():
            return _lock(lock, command)
        case UsePriceLock():
            return _use(_known(lock, command.lock_id), command)
        case ExpirePriceLock():
            return _expire(_known(lock, command.lock_id), command)
        case _:
            assert_never(command)


def _known(lock: PriceLock | None, lock_id: str) -> PriceLock:
    if lock is None:
        raise NotFound(f"there is no price lock {lock_id}")
    return lock


def _lock(lock: PriceLock | None, command: LockPrice) -> tuple[PriceLockEvent, ...]:
    if lock is not None:
        raise AlreadyExists(f"price lock {command.lock_id} exists")
    if command.expires_at <= command.locked_at:
        raise Malformed("a price lock expires after it is made")
    if all(quote.dropped is not None for quote in command.quotes):
        raise Malformed("a price lock rests on at least one quote that counted")
    return (
        PriceLocked(
            lock_id=command.lock_id,
            rate=command.rate,
            quotes=command.quotes,
            payment_id=command.payment_id,
            locked_at=command.locked_at,
            expires_at=command.expires_at,
            pricing=command.pricing,
        ),
    )


def _use(lock: PriceLock, command: UsePriceLock) -> tuple[PriceLockEvent, ...]:
    if lock.used_by == command.payment_id:
        return ()
    if lock.used_by is not None:
        raise LockUsed(f"price lock {command.lock_id} was used by another payment; make a new one")
    # Judged by the clock, not by whether somebody has got round to recording the expiry.
    if lock.is_expired or command.at >= lock.locked.expires_at:
        raise LockExpired(f"price lock {command.lock_id} has expired; make a new one")
    return (PriceLockUsed(command.lock_id, command.payment_id, command.at),)


def _expire(lock: PriceLock, command: ExpirePriceLock) -> tuple[PriceLockEvent, ...]:
    if lock.is_expired or lock.used_by is not None:
        return ()
    if command.at < lock.locked.expires_at:
        raise NotAllowed(f"price lock {command.lock_id} has not expired yet")
    return (PriceLockExpired(command.lock_id, command.at),)
