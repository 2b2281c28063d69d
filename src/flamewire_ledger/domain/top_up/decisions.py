"""What is decided on a top-up: when it is asked for, and what becomes of it. Times are those of the
commands; days and months are those of UTC.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final, TypeAlias, assert_never

from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.rejection import (
    InvalidAmount,
    LimitReached,
    Malformed,
    NotAllowed,
    NotFound,
)
from flamewire_ledger.domain.top_up.commands import (
    CloseTopUp,
    RefuseTopUp,
    RemoveTopUpRule,
    ReopenTopUp,
    RequestTopUp,
    SetTopUpRule,
    TopUpCommand,
)
from flamewire_ledger.domain.top_up.facts import (
    TopUpAlarmed,
    TopUpClosed,
    TopUpEvent,
    TopUpRefused,
    TopUpReopened,
    TopUpRequested,
    TopUpRuleRemoved,
    TopUpRuleSet,
)
from flamewire_ledger.domain.top_up.state import ALARM_REQUESTS, TopUp, day_of, month_of

BACK_OFF: Final = timedelta(hours=1)
ALARM_WITHIN: Final = timedelta(minutes=10)
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
        case ReopenTopUp():
            return _reopen(top_up, command)
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
    for it in top_up.paid:
        if not command.standing.get(it.payment_id, False):
            raise NotAllowed(f"{it.payment_id} was paid, and may be taken back: look at it again")
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
    day, month = day_of(command.at), month_of(command.at)
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
    outcome = command.outcome
    if outcome != "paid" and top_up.reopened_at is not None:
        outcome = "taken_back"  # nobody has refused anything: no silence but the cooldown
    elif outcome != "paid":
        again_at = max(again_at, command.at + BACK_OFF)
    return (
        TopUpClosed(
            top_up_id=command.top_up_id,
            account_id=top_up.rule.account_id,
            number=pending.number,
            payment_id=command.payment_id,
            outcome=outcome,
            again_at=again_at,
            closed_at=command.at,
        ),
    )


def _reopen(top_up: TopUp, command: ReopenTopUp) -> Facts:
    paid = next((it for it in top_up.paid if it.payment_id == command.payment_id), None)
    if paid is None:
        return ()
    if top_up.pending is not None:
        raise NotAllowed(f"{top_up.pending.payment_id} is open: that is seen to first")
    reopened = TopUpReopened(
        command.top_up_id, top_up.rule.account_id, paid.number, paid.payment_id, command.at
    )
    return (reopened,)


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
