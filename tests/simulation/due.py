"""What is due by time, as the questions in `projections/` say it, from the states of the domain."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flamewire_ledger.domain.credit_account import CreditAccount, Grant, balance_units
from flamewire_ledger.domain.credit_account.state import NO_DAY
from flamewire_ledger.domain.invoice import Invoice
from flamewire_ledger.domain.payment import Payment
from flamewire_ledger.domain.price_lock import PriceLock
from flamewire_ledger.domain.top_up import TopUp

Row = dict[str, Any]
_DAYS_AHEAD = (30, 7, 1)


def due_rows(state: Any) -> list[Row]:
    """What time will make due of it, and when."""
    match state:
        case Payment(requested=requested):
            is_undone = state.status == "processing" and "reorged" in state.labels
            if state.status == "requires_payment" or is_undone:
                return [_row("payment", requested.payment_id, requested.expires_at)]
        case PriceLock(locked=locked):
            if state.used_by is None and not state.is_expired:
                return [_row("price_lock", locked.lock_id, locked.expires_at)]
        case CreditAccount():
            return _of_account(state)
        case Invoice(finalised=finalised):
            if finalised is not None and state.status == "open" and state.fell_due_at is None:
                just_behind = finalised.due_at + timedelta(microseconds=1)
                return [_row("invoice", finalised.invoice_id, just_behind)]
    return []


def _of_account(account: CreditAccount) -> list[Row]:
    rows = [_row("hold", it.hold_id, it.expires_at) for it in account.holds.values()]
    for grant in account.grants:
        expires_at = grant.terms.expires_at
        if grant.remaining and expires_at is not None:
            rows.append(_row("grant", grant.terms.grant_id, expires_at))
            warn_at = _warn_at(grant, expires_at)
            if warn_at is not None:
                rows.append(_row("warning", grant.terms.grant_id, warn_at))
    known = (*account.grants, *(it for shelf in account.used_up.values() for it in shelf.values()))
    if account.seldom.day_ends_at > NO_DAY and any(it.terms.payment_id for it in known):
        account_id = account.opened.account_id
        rows.append(_row("credit_day", account_id, account.seldom.day_ends_at))
    for rule_id, rule in account.seldom.recurring.items():
        if rule.next_at is not None:
            rows.append(_row("recurring_grant", rule_id, rule.next_at))
    return rows


def _warn_at(grant: Grant, expires_at: datetime) -> datetime | None:
    """When the next warning is due that lay ahead when the grant was made."""
    ahead = [
        expires_at - timedelta(days=days)
        for days in _DAYS_AHEAD
        if grant.terms.granted_at < expires_at - timedelta(days=days)
        and (not grant.warned_days or days < grant.warned_days)
    ]
    return min(ahead, default=None)


def top_up_row(
    top_up_id: str, state: TopUp, account: CreditAccount | None, now: datetime
) -> Row | None:
    """A rule whose account runs low and that has nothing open; None where that is not so."""
    rule, silent_until = state.rule, state.again_at
    if account is None or not state.is_on or state.pending is not None:
        return None
    if silent_until is not None and silent_until > now:
        return None
    balance = balance_units(account, now)
    available = balance.available - balance.owed
    rooms = [
        most.units - spent.of(period)
        for most, spent, period in (
            (rule.per_day_max, state.day, now.date().isoformat()),
            (rule.per_month_max, state.month, now.date().isoformat()[:7]),
        )
        if most is not None
    ]
    room = min(rooms, default=None)
    least = 1 if rule.amount is None else rule.amount.units
    if available >= rule.threshold.units or (room is not None and room < least):
        return None
    return {
        "top_up_id": top_up_id,
        "account_id": rule.account_id,
        "requests": state.number,
        "amount_units": None if rule.amount is None else rule.amount.units,
        "target_units": None if rule.target is None else rule.target.units,
        "available_units": available,
        "room_units": room,
        "paid": [it.payment_id for it in state.paid],
    }


def _row(kind: str, subject_id: str, due_at: datetime) -> Row:
    return {"kind": kind, "subject_id": subject_id, "due_at": due_at}
