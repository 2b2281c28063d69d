"""What may be asked of a credit account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from flamewire_ledger.domain.credit_account.facts import (
    NOTHING,
    PRIORITY_DEFAULT,
    Every,
    Slice,
    Source,
)
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


@dataclass(frozen=True, slots=True)
class Consumption:
    """A consumption or a capture as it was recorded. Whoever sends it has read it from the log."""

    position: int
    slices: tuple[Slice, ...]  # in the order they were burnt
    overage_units: int
    reference: str | None

    @property
    def units(self) -> int:
        return self.overage_units + sum(part.units for part in self.slices)


@dataclass(frozen=True, slots=True)
class RefundCredits:
    """`amount` None: all of the consumption that was not refunded before."""

    account_id: str
    refund_id: str
    consumption: Consumption
    at: datetime
    amount: Amount | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class RefundPurchase:
    """`paid` is what the whole grant was paid with, by the log. `amount` None: all that is left."""

    account_id: str
    grant_id: str
    paid: tuple[Amount, ...]
    at: datetime
    amount: Amount | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class TransferCredits:
    """Decided on both accounts at once: see `transferring`."""

    account_id: str
    to_account_id: str
    transfer_id: str
    amount: Amount
    at: datetime
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class SetOverage:
    account_id: str
    overage_max: Amount
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class WarnOfExpiry:
    account_id: str
    grant_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SetRecurringGrant:
    account_id: str
    rule_id: str
    amount: Amount
    every: Every
    anchor: datetime
    source: Source
    at: datetime
    priority: int = PRIORITY_DEFAULT
    expires_after_seconds: int | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class GrantRecurring:
    """Make the grants that are due by a rule."""

    account_id: str
    rule_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CancelRecurringGrant:
    account_id: str
    rule_id: str
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class CloseDay:
    """Tell what was earned on the last day that credits were burnt or lapsed, when it is over."""

    account_id: str
    at: datetime


ChangingCommand: TypeAlias = (  # of an account that is there
    GrantCredits
    | ConsumeCredits
    | HoldCredits
    | CaptureHold
    | ReleaseHold
    | ExpireHold
    | ExpireGrant
    | ReverseGrant
    | RefundCredits
    | RefundPurchase
    | SetOverage
    | WarnOfExpiry
    | SetRecurringGrant
    | GrantRecurring
    | CancelRecurringGrant
    | CloseDay
)
CreditAccountCommand: TypeAlias = OpenCreditAccount | ChangingCommand
