"""How each fact changes a credit account. Total, and free of rules: a recorded fact has happened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from flamewire_ledger.domain.credit_account.facts import (
    CreditAccountEvent,
    CreditAccountOpened,
    CreditsConsumed,
    CreditsEarned,
    CreditsGranted,
    CreditsHeld,
    CreditsRefunded,
    CreditsTransferredIn,
    CreditsTransferredOut,
    ExpiryWarned,
    GrantExpired,
    GrantReversed,
    HoldCaptured,
    HoldReleased,
    OverageSet,
    PurchaseRefunded,
    RecurringGrantCanceled,
    RecurringGrantSet,
    RecurringGrantSkipped,
    Slice,
)
from flamewire_ledger.domain.credit_account.shelves import (
    known,
    parts,
    put_away,
    with_grants,
    without,
)
from flamewire_ledger.domain.credit_account.state import (
    NO_DAY,
    CreditAccount,
    Grant,
    GrantTerms,
    Hold,
    RecurringRule,
    Returned,
    Seldom,
)
from flamewire_ledger.domain.money import Amount, Asset

_DAY: Final = timedelta(days=1)


def evolve(account: CreditAccount | None, event: CreditAccountEvent) -> CreditAccount:
    """Fold one fact into the state. Total, and free of rules: a recorded fact has happened."""
    if isinstance(event, CreditAccountOpened):
        seldom = Seldom(overage_units_max=event.overage_max.units)
        return CreditAccount(opened=event, seldom=seldom)
    assert account is not None, "a credit account's first fact is CreditAccountOpened"
    match event:
        case CreditsConsumed():
            return _consumed(account, event)
        case CreditsGranted():
            return _granted(account, event)
        case CreditsHeld():
            return _held(account, event)
        case HoldCaptured():
            return _captured(account, event)
        case HoldReleased():
            return _released(account, event)
        case GrantExpired():
            return _grant_expired(account, event)
        case GrantReversed():
            return _grant_reversed(account, event)
        case CreditsTransferredOut():
            return _transferred_out(account, event)
        case CreditsTransferredIn():
            return _transferred_in(account, event)
        case CreditsRefunded():
            return _refunded(account, event)
        case PurchaseRefunded():
            return _purchase_refunded(account, event)
        case ExpiryWarned():
            return _warned(account, event)
        case (
            OverageSet()
            | RecurringGrantSet()
            | RecurringGrantSkipped()
            | RecurringGrantCanceled()
            | CreditsEarned()
        ):
            return replace(account, seldom=_arranged(account.seldom, event))
        case _:
            assert_never(event)


def _arranged(
    seldom: Seldom,
    event: OverageSet
    | RecurringGrantSet
    | RecurringGrantSkipped
    | RecurringGrantCanceled
    | CreditsEarned,
) -> Seldom:
    match event:
        case OverageSet():
            return replace(seldom, overage_units_max=event.overage_max.units)
        case RecurringGrantSet():
            rule = RecurringRule(event, event.first_period, event.next_at)
            return replace(seldom, recurring={**seldom.recurring, event.rule_id: rule})
        case RecurringGrantSkipped():
            return _period_over(seldom, event.rule_id, event.last_period, event.next_at)
        case RecurringGrantCanceled():
            return replace(seldom, recurring=without(seldom.recurring, event.rule_id))
        case CreditsEarned():
            told = {**seldom.told, **{grant.grant_id: grant for grant in event.grants}}
            until = max(seldom.told_until, seldom.day_ends_at)
            return replace(seldom, told=told, day_ends_at=NO_DAY, told_until=until)
        case _:
            assert_never(event)


def _period_over(seldom: Seldom, rule_id: str, period: int, next_at: datetime | None) -> Seldom:
    rule = replace(seldom.recurring[rule_id], next_period=period + 1, next_at=next_at)
    return replace(seldom, recurring={**seldom.recurring, rule_id: rule})


def _granted(account: CreditAccount, event: CreditsGranted) -> CreditAccount:
    terms = GrantTerms(
        grant_id=event.grant_id,
        units=event.amount.units,
        source=event.source,
        priority=event.priority,
        expires_at=event.expires_at,
        granted_at=event.granted_at,
        payment_id=event.payment_id,
        cost=event.cost,
        bought_grant_id=None if event.payment_id is None else event.grant_id,
    )
    account = replace(account, granted=account.granted + event.amount.units)
    period = event.recurring
    if period is not None:
        seldom = _period_over(account.seldom, period.rule_id, period.number, period.next_at)
        account = replace(account, seldom=seldom)
    return _with_new(account, terms, event.settles.units, event.granted_at)


def _with_new(
    account: CreditAccount, terms: GrantTerms, settles: int, at: datetime
) -> CreditAccount:
    """The account with one grant more, of which so many units go to what it owes."""
    grant = Grant(terms=terms, remaining=terms.units - settles, held=0, spent=settles)
    if settles:
        settled = {**account.seldom.settled, terms.grant_id: settles}
        seldom = replace(_on_day(account.seldom, at), settled=settled)
        account = replace(account, owed=account.owed - settles, seldom=seldom)
    return with_grants(account, {terms.grant_id: grant})


def _transferred_in(account: CreditAccount, event: CreditsTransferredIn) -> CreditAccount:
    for part in event.grants:
        terms = GrantTerms(
            grant_id=part.grant_id,
            units=part.units,
            source=part.source,
            priority=part.priority,
            expires_at=part.expires_at,
            granted_at=part.granted_at,
            payment_id=part.payment_id,
            cost=part.cost,
            bought_grant_id=part.bought_grant_id,
        )
        account = _with_new(account, terms, part.settles, event.transferred_at)
    moved = account.seldom.transferred_in + event.amount.units
    return replace(account, seldom=replace(account.seldom, transferred_in=moved))


def _transferred_out(account: CreditAccount, event: CreditsTransferredOut) -> CreditAccount:
    grants, used_up = _burnt(account, event.slices)
    moved = dict(account.seldom.moved)
    for part in event.slices:
        moved[part.grant_id] = moved.get(part.grant_id, 0) + part.units
    total = account.seldom.transferred_out + event.amount.units
    seldom = replace(account.seldom, transferred_out=total, moved=moved)
    return replace(account, grants=grants, used_up=used_up, seldom=seldom)


def _refunded(account: CreditAccount, event: CreditsRefunded) -> CreditAccount:
    changed: dict[str, Grant] = {}
    lapsed = {part.grant_id for part in event.lapsed}
    for part in (*event.slices, *event.settled):
        grant = changed.get(part.grant_id) or known(account, part.grant_id)
        back = 0 if part.grant_id in lapsed else part.units
        changed[part.grant_id] = replace(
            grant, remaining=grant.remaining + back, spent=grant.spent - part.units
        )
    for part in event.taken_back:
        grant = changed.get(part.grant_id) or known(account, part.grant_id)
        changed[part.grant_id] = replace(grant, spent=grant.spent - part.units)
    before = account.seldom.refunded.get(event.consumption, 0)
    refunded = {**account.seldom.refunded, event.consumption: before + event.amount.units}
    settled = dict(account.seldom.settled)
    for part in event.settled:
        settled[part.grant_id] -= part.units
    account = replace(
        account,
        consumed=account.consumed - event.amount.units,
        expired=account.expired + sum(part.units for part in event.lapsed),
        owed=account.owed - event.owed.units,
        seldom=replace(
            _with_lapsed(account, event.lapsed, event.refunded_at),
            refunded=refunded,
            settled={k: v for k, v in settled.items() if v},
            day_ends_at=_day_ends_at(account.seldom, event.refunded_at),
        ),
    )
    return with_grants(account, changed)


def _purchase_refunded(account: CreditAccount, event: PurchaseRefunded) -> CreditAccount:
    grant = known(account, event.grant_id)
    before = account.seldom.returned.get(event.grant_id, Returned(0, ()))
    returned = Returned(
        before.units + event.amount.units, _together((*before.payable, *event.payable))
    )
    seldom = replace(
        _on_day(account.seldom, event.refunded_at),
        returned={**account.seldom.returned, event.grant_id: returned},
    )
    account = replace(account, taken_back=account.taken_back + event.amount.units, seldom=seldom)
    left = replace(grant, remaining=grant.remaining - event.amount.units)
    return with_grants(account, {event.grant_id: left})


def _warned(account: CreditAccount, event: ExpiryWarned) -> CreditAccount:
    warned = replace(known(account, event.grant_id), warned_days=event.days)
    return with_grants(account, {event.grant_id: warned})


def _consumed(account: CreditAccount, event: CreditsConsumed) -> CreditAccount:
    grants, used_up = _burnt(account, event.slices)
    seldom = account.seldom
    if event.consumed_at >= seldom.day_ends_at:
        seldom = _on_day(seldom, event.consumed_at)
    # Written out, because this is the fact there are most of and replace() takes twice as long.
    return CreditAccount(
        account.opened,
        grants,
        account.holds,
        used_up,
        account.granted,
        account.consumed + event.amount.units,
        account.expired,
        account.taken_back,
        account.owed + event.overage.units,
        seldom,
    )


def _burnt(
    account: CreditAccount, slices: Iterable[Slice]
) -> tuple[tuple[Grant, ...], dict[str, dict[str, Grant]]]:
    """The grants when slices of them are spent. Both are in burn order, so one pass finds all."""
    grants = list(account.grants)
    used_up = account.used_up
    index = 0
    for part in slices:
        while grants[index].terms.grant_id != part.grant_id:
            index += 1
        old = grants[index]
        remaining, spent = old.remaining - part.units, old.spent + part.units
        held, warned = old.held, old.warned_days
        grant = Grant(old.terms, remaining, held, spent, old.is_expired, old.is_reversed, warned)
        if remaining or held:
            grants[index] = grant
        else:
            del grants[index]
            used_up = put_away(used_up, grant)
    return tuple(grants), used_up


def _held(account: CreditAccount, event: CreditsHeld) -> CreditAccount:
    changed = {
        part.grant_id: replace(
            grant, remaining=grant.remaining - part.units, held=grant.held + part.units
        )
        for part, grant in parts(account, event.slices)
    }
    hold = Hold(event.hold_id, event.slices, event.expires_at)
    account = replace(account, holds={**account.holds, event.hold_id: hold})
    return with_grants(account, changed)


def _captured(account: CreditAccount, event: HoldCaptured) -> CreditAccount:
    account = _let_go(account, event.released, event.lapsed, event.taken_back, event.captured_at)
    changed = {
        part.grant_id: replace(grant, held=grant.held - part.units, spent=grant.spent + part.units)
        for part, grant in parts(account, event.slices)
    }
    account = replace(
        account,
        holds=without(account.holds, event.hold_id),
        consumed=account.consumed + event.captured.units,
        taken_back=account.taken_back + event.owed.units,
        owed=account.owed + event.owed.units,
        seldom=_on_day(account.seldom, event.captured_at),
    )
    return with_grants(account, changed)


def _released(account: CreditAccount, event: HoldReleased) -> CreditAccount:
    account = replace(account, holds=without(account.holds, event.hold_id))
    return _let_go(account, event.slices, event.lapsed, event.taken_back, event.released_at)


def _let_go(
    account: CreditAccount,
    released: tuple[Slice, ...],
    lapsed: tuple[Slice, ...],
    taken_back: tuple[Slice, ...],
    at: datetime,
) -> CreditAccount:
    """Slices of a hold go back to their grants, but for those that lapse or are taken back."""
    gone = {part.grant_id for part in (*lapsed, *taken_back)}
    changed = {}
    for part, grant in parts(account, released):
        back = 0 if part.grant_id in gone else part.units
        changed[part.grant_id] = replace(
            grant, held=grant.held - part.units, remaining=grant.remaining + back
        )
    account = replace(
        account,
        expired=account.expired + sum(part.units for part in lapsed),
        taken_back=account.taken_back + sum(part.units for part in taken_back),
        seldom=_with_lapsed(account, lapsed, at),
    )
    return with_grants(account, changed)


def _grant_expired(account: CreditAccount, event: GrantExpired) -> CreditAccount:
    grant = known(account, event.grant_id)
    lapsed = (Slice(event.grant_id, event.amount.units),) if event.amount.units else ()
    account = replace(
        account,
        expired=account.expired + event.amount.units,
        seldom=_with_lapsed(account, lapsed, event.expired_at),
    )
    over = replace(grant, remaining=grant.remaining - event.amount.units, is_expired=True)
    return with_grants(account, {event.grant_id: over})


def _grant_reversed(account: CreditAccount, event: GrantReversed) -> CreditAccount:
    grant = known(account, event.grant_id)
    settled = without(account.seldom.settled, event.grant_id)  # it is owed again
    account = replace(
        account,
        taken_back=account.taken_back + event.taken_back.units + event.owed.units,
        owed=account.owed + event.owed.units,
        seldom=replace(account.seldom, settled=settled),
    )
    undone = replace(grant, remaining=grant.remaining - event.taken_back.units, is_reversed=True)
    return with_grants(account, {event.grant_id: undone})


def _on_day(seldom: Seldom, at: datetime) -> Seldom:
    """When what is earned changes at a time."""
    if at < seldom.day_ends_at:
        return seldom
    return replace(seldom, day_ends_at=_day_ends_at(seldom, at))


def _day_ends_at(seldom: Seldom, at: datetime) -> datetime:
    """Of clocks that do not agree, the one ahead counts: a day that is open goes on, and what comes
    too late for its own day is told with the last one that was, again.
    """
    if at < seldom.day_ends_at:
        return seldom.day_ends_at
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
    return max(midnight, seldom.told_until)


def _with_lapsed(account: CreditAccount, lapsed: tuple[Slice, ...], at: datetime) -> Seldom:
    if not lapsed:
        return account.seldom
    by_grant = dict(account.seldom.lapsed)
    for part in lapsed:
        if known(account, part.grant_id).terms.payment_id is not None:
            by_grant[part.grant_id] = by_grant.get(part.grant_id, 0) + part.units
    return replace(_on_day(account.seldom, at), lapsed=by_grant)


def _together(amounts: Iterable[Amount]) -> tuple[Amount, ...]:
    """One amount an asset."""
    units: dict[Asset, int] = {}
    for amount in amounts:
        units[amount.asset] = units.get(amount.asset, 0) + amount.units
    return tuple(Amount(asset, count) for asset, count in units.items())
