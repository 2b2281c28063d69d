"""What can become true of a top-up: its rule, its requests, and what became of those."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal, TypeAlias

from flamewire_ledger.domain.money import Amount

Outcome: TypeAlias = Literal["paid", "expired", "canceled", "failed", "taken_back"]


@dataclass(frozen=True, slots=True)
class Payable:
    """A way to pay that the intent shall offer."""

    network: str
    asset: str


@dataclass(frozen=True, slots=True)
class TopUpRuleSet:
    """Amounts are credits, but for what the intent is in: `currency`. One of target and amount."""

    type: ClassVar = "top_up.rule_set.v1"
    top_up_id: str
    account_id: str
    threshold: Amount  # it is time when less than this is available
    target: Amount | None  # fill up to here
    amount: Amount | None  # or add so much
    currency: str
    pay_with: tuple[Payable, ...]  # none: every way there is
    per_day_max: Amount | None
    per_month_max: Amount | None
    cooldown_seconds: int
    expires_in_seconds: int  # of each intent
    set_at: datetime


@dataclass(frozen=True, slots=True)
class TopUpRuleRemoved:
    type: ClassVar = "top_up.rule_removed.v1"
    top_up_id: str
    account_id: str
    removed_at: datetime


@dataclass(frozen=True, slots=True)
class TopUpRequested:
    """A payment was asked for: tell whoever pays for this account."""

    type: ClassVar = "top_up.requested.v1"
    top_up_id: str
    account_id: str
    number: int  # of this rule's requests, from 1
    payment_id: str
    amount: Amount  # credits
    due: Amount  # what the intent asks for
    available: Amount  # credits, when it was decided
    again_at: datetime  # not before, however it ends
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class TopUpClosed:
    """The intent is over. `again_at`: not before, after one that came to nothing. `taken_back`: it had
    been paid, and the chain took that back for good.
    """

    type: ClassVar = "top_up.closed.v1"
    top_up_id: str
    account_id: str
    number: int
    payment_id: str
    outcome: Outcome
    again_at: datetime
    closed_at: datetime


@dataclass(frozen=True, slots=True)
class TopUpReopened:
    """It had been paid, and the chain took that back: it is open again, as the money may come again."""

    type: ClassVar = "top_up.reopened.v1"
    top_up_id: str
    account_id: str
    number: int
    payment_id: str
    reopened_at: datetime


@dataclass(frozen=True, slots=True)
class TopUpRefused:
    """No intent could be made: no price, no address, no such network any more."""

    type: ClassVar = "top_up.refused.v1"
    top_up_id: str
    account_id: str
    code: str
    detail: str
    again_at: datetime
    refused_at: datetime


@dataclass(frozen=True, slots=True)
class TopUpAlarmed:
    """Credits run out faster than anybody meant them to."""

    type: ClassVar = "top_up.alarmed.v1"
    top_up_id: str
    account_id: str
    requests: int
    since: datetime
    alarmed_at: datetime


TopUpEvent: TypeAlias = (
    TopUpRuleSet
    | TopUpRuleRemoved
    | TopUpRequested
    | TopUpClosed
    | TopUpReopened
    | TopUpRefused
    | TopUpAlarmed
)
