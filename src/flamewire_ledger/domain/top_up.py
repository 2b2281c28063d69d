"""An automatic top-up: a rule that asks for a payment when credits run low, and never twice for one
lack.

Crypto is pushed by its owner, so a rule cannot take money: it asks for it, by a payment intent and a
notice with that intent in it. While one is open there is no other. One that came to nothing, or could
not be made, is followed by an hour of silence. Times are those of the commands; days and months are
those of UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Final, Literal, TypeAlias, assert_never

from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.rejection import (
    InvalidAmount,
    LimitReached,
    Malformed,
    NotAllowed,
    NotFound,
)

Outcome: TypeAlias = Literal["paid", "expired", "canceled", "failed"]
BACK_OFF: Final = timedelta(hours=1)
ALARM_REQUESTS: Final = 3
ALARM_WITHIN: Final = timedelta(minutes=10)


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
    """The intent is over. `again_at`: not before, after one that came to nothing."""

    type: ClassVar = "top_up.closed.v1"
    top_up_id: str
    account_id: str
    number: int
    payment_id: str
    outcome: Outcome
    again_at: datetime
    closed_at: datetime


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
    TopUpRuleSet | TopUpRuleRemoved | TopUpRequested | TopUpClosed | TopUpRefused | TopUpAlarmed
)


@dataclass(frozen=True, slots=True)
class Spent:
    """What was asked for within a day or a month; nothing of it, once that is over."""

    period: str = ""
    units: int = 0

    def of(self, period: str) -> int:
        return self.units if self.period == period else 0


@dataclass(frozen=True, slots=True)
class TopUp:
    """`pending` is the open request, `recent` the times of the last ones."""

    rule: TopUpRuleSet
    is_on: bool = True
    pending: TopUpRequested | None = None
    again_at: datetime | None = None
    number: int = 0
    day: Spent = Spent()
    month: Spent = Spent()
    recent: tuple[datetime, ...] = ()


def evolve(top_up: TopUp | None, event: TopUpEvent) -> TopUp:
    """Fold one fact into the state. Total, and free of rules: a recorded fact has happened."""
    if isinstance(event, TopUpRuleSet):
        return TopUp(event) if top_up is None else replace(top_up, rule=event, is_on=True)
    assert top_up is not None, "a top-up's first fact is TopUpRuleSet"
    match event:
        case TopUpRuleRemoved():
            return replace(top_up, is_on=False)
        case TopUpRequested():
            return _requested(top_up, event)
        case TopUpClosed():
            return _closed(top_up, event)
        case TopUpRefused():
            return replace(top_up, again_at=event.again_at)
        case TopUpAlarmed():
            return replace(top_up, recent=())
        case _:
            assert_never(event)


def _requested(top_up: TopUp, event: TopUpRequested) -> TopUp:
    at, units = event.requested_at, event.amount.units
    return replace(
        top_up,
        pending=event,
        again_at=event.again_at,
        number=event.number,
        day=Spent(_day(at), top_up.day.of(_day(at)) + units),
        month=Spent(_month(at), top_up.month.of(_month(at)) + units),
        recent=(*top_up.recent, at)[-ALARM_REQUESTS:],
    )


def _closed(top_up: TopUp, event: TopUpClosed) -> TopUp:
    """What nobody paid does not count towards the day's and the month's most."""
    closed = replace(top_up, pending=None, again_at=event.again_at)
    pending = top_up.pending
    if event.outcome == "paid" or pending is None:
        return closed
    units, asked_at = pending.amount.units, pending.requested_at
    day, month = top_up.day, top_up.month
    if day.period == _day(asked_at):
        day = replace(day, units=day.units - units)
    if month.period == _month(asked_at):
        month = replace(month, units=month.units - units)
    return replace(closed, day=day, month=month)


def _day(at: datetime) -> str:
    return at.date().isoformat()


def _month(at: datetime) -> str:
    return _day(at)[:7]


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
    """`available_units`: when this is decided, less what is owed, and so below zero at times."""

    top_up_id: str
    payment_id: str
    amount: Amount
    due: Amount
    available_units: int
    at: datetime


@dataclass(frozen=True, slots=True)
class CloseTopUp:
    top_up_id: str
    payment_id: str
    outcome: Outcome
    at: datetime


@dataclass(frozen=True, slots=True)
class RefuseTopUp:
    top_up_id: str
    code: str
    detail: str
    at: datetime


TopUpCommand: TypeAlias = SetTopUpRule | RemoveTopUpRule | RequestTopUp | CloseTopUp | RefuseTopUp
Facts: TypeAlias = tuple[TopUpEvent, ...]


def wanted_units(rule: TopUpRuleSet, available_units: int) -> int:
    """How many units to ask for when so many are available beyond what is owed; 0 when it is not
    time. A debt is filled up first, or the next look would see the same lack again.
    """
    if available_units >= rule.threshold.units:
        return 0
    if rule.amount is not None:
        return rule.amount.units
    assert rule.target is not None, "a rule has one of the two"
    return rule.target.units - available_units


def decide(top_up: TopUp | None, command: TopUpCommand) -> Facts:
    """Facts that follow from the command, or a Rejection. An empty tuple: nothing new to say."""
    if isinstance(command, SetTopUpRule):
        return _set(top_up, command)
    if top_up is None:
        raise NotFound("this account has no top-up rule")
    match command:
        case RemoveTopUpRule():
            removed = TopUpRuleRemoved(command.top_up_id, top_up.rule.account_id, command.at)
            return (removed,) if top_up.is_on else ()
        case RequestTopUp():
            return _request(top_up, command)
        case CloseTopUp():
            return _close(top_up, command)
        case RefuseTopUp():
            return _refuse(top_up, command)
        case _:
            assert_never(command)


def _set(top_up: TopUp | None, command: SetTopUpRule) -> Facts:
    if (command.target is None) == (command.amount is None):
        raise Malformed("say a target or an amount", pointer="/target")
    if command.threshold.is_zero or (command.amount is not None and command.amount.is_zero):
        raise InvalidAmount("it is more than zero", pointer="/threshold")
    if command.target is not None and command.target < command.threshold:
        raise Malformed("a target is not below the threshold", pointer="/target")
    for name, most in (("day", command.per_day_max), ("month", command.per_month_max)):
        if most is not None and command.amount is not None and most < command.amount:
            raise Malformed("less than the amount would never be asked", pointer=f"/per_{name}_max")
    rule = TopUpRuleSet(
        top_up_id=command.top_up_id,
        account_id=command.account_id,
        threshold=command.threshold,
        target=command.target,
        amount=command.amount,
        currency=command.currency,
        pay_with=command.pay_with,
        per_day_max=command.per_day_max,
        per_month_max=command.per_month_max,
        cooldown_seconds=command.cooldown_seconds,
        expires_in_seconds=command.expires_in_seconds,
        set_at=command.at,
    )
    known = top_up.rule if top_up is not None and top_up.is_on else None
    is_same = known is not None and replace(rule, set_at=known.set_at) == known
    return () if is_same else (rule,)


def _request(top_up: TopUp, command: RequestTopUp) -> Facts:
    """Once for a lack of credits, however many commands have come to see it."""
    rule = top_up.rule
    if not top_up.is_on:
        raise NotAllowed("the top-up rule was removed")
    if top_up.pending is not None:
        raise NotAllowed(f"{top_up.pending.payment_id} is open, and may still be paid")
    if top_up.again_at is not None and command.at < top_up.again_at:
        raise NotAllowed(f"there is no other top-up before {top_up.again_at.isoformat()}")
    available = Amount(command.amount.asset, max(0, command.available_units))
    wanted = wanted_units(rule, command.available_units)
    if not wanted:
        raise NotAllowed(f"{available.text} credits are enough")
    if command.amount.units > wanted or (rule.amount or command.amount) != command.amount:
        raise NotAllowed("the rule or the account has changed: look again how much is wanted")
    _check_most(top_up, command)
    requested = TopUpRequested(
        top_up_id=command.top_up_id,
        account_id=rule.account_id,
        number=top_up.number + 1,
        payment_id=command.payment_id,
        amount=command.amount,
        due=command.due,
        available=available,
        again_at=command.at + timedelta(seconds=rule.cooldown_seconds),
        requested_at=command.at,
    )
    recent = [at for at in (*top_up.recent, command.at) if at > command.at - ALARM_WITHIN]
    if len(recent) < ALARM_REQUESTS:
        return (requested,)
    alarm = TopUpAlarmed(command.top_up_id, rule.account_id, len(recent), min(recent), command.at)
    return requested, alarm


def _check_most(top_up: TopUp, command: RequestTopUp) -> None:
    day, month = _day(command.at), _month(command.at)
    for spent, period, most in (
        (top_up.day, day, top_up.rule.per_day_max),
        (top_up.month, month, top_up.rule.per_month_max),
    ):
        if most is not None and spent.of(period) + command.amount.units > most.units:
            raise LimitReached(f"{most.text} credits are the most for {period}")


def _close(top_up: TopUp, command: CloseTopUp) -> Facts:
    pending = top_up.pending
    if pending is None or pending.payment_id != command.payment_id:
        return ()
    again_at = pending.again_at
    if command.outcome != "paid":
        again_at = max(again_at, command.at + BACK_OFF)
    return (
        TopUpClosed(
            top_up_id=command.top_up_id,
            account_id=top_up.rule.account_id,
            number=pending.number,
            payment_id=command.payment_id,
            outcome=command.outcome,
            again_at=again_at,
            closed_at=command.at,
        ),
    )


def _refuse(top_up: TopUp, command: RefuseTopUp) -> Facts:
    is_silent = top_up.again_at is not None and command.at < top_up.again_at
    if not top_up.is_on or top_up.pending is not None or is_silent:
        return ()
    return (
        TopUpRefused(
            top_up_id=command.top_up_id,
            account_id=top_up.rule.account_id,
            code=command.code,
            detail=command.detail,
            again_at=command.at + BACK_OFF,
            refused_at=command.at,
        ),
    )
