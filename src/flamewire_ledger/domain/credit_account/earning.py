"""Earning: at the end of a day (UTC), how much of each grant that was bought is burnt or has lapsed.

The payment behind a grant was booked as owed: service for what was paid. This tells how much of it
is owed no more; the payment books that (`payment.RecogniseRevenue`). Nothing is told of a single
consumption, so that the millionth costs what it did.

A day is told when it is over: by `CloseDay`, or by the first command behind it, whichever is first.
The account stands until then as the day left it, so no figures of a day have to be kept aside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

from flamewire_ledger.domain.credit_account.facts import CreditsEarned, EarnedGrant
from flamewire_ledger.domain.credit_account.state import (
    NO_DAY,
    CreditAccount,
    Grant,
    Returned,
)
from flamewire_ledger.domain.money import Amount

GRANTS_TOLD_MAX: Final = 200  # in one fact
_NONE: Final = Returned(0, ())


def earned(account: CreditAccount, at: datetime) -> tuple[CreditsEarned, ...]:
    """What the last day that changed anything has earned, if it is over by then and was not told.

    Said also where it undid itself, by a refund, or only gifts were burnt: whoever waits for that day
    need not ask again. An account that never bought anything says nothing.
    """
    if not NO_DAY < account.seldom.day_ends_at <= at:
        return ()
    bought = [it for it in _grants(account) if it.terms.payment_id is not None]
    if not bought:
        return ()
    changed = sorted(_changed(account, bought), key=lambda grant: grant.grant_id)
    return tuple(
        _told(account, tuple(changed[start : start + GRANTS_TOLD_MAX]), at)
        for start in range(0, len(changed) or 1, GRANTS_TOLD_MAX)
    )


def _grants(account: CreditAccount) -> Iterator[Grant]:
    return chain(account.grants, *[shelf.values() for shelf in account.used_up.values()])


def _told(account: CreditAccount, grants: tuple[EarnedGrant, ...], at: datetime) -> CreditsEarned:
    return CreditsEarned(
        account_id=account.opened.account_id,
        day=(account.seldom.day_ends_at - timedelta(days=1)).date(),
        grants=grants,
        earned_at=at,
    )


def _changed(account: CreditAccount, bought: Iterable[Grant]) -> Iterator[EarnedGrant]:
    """Of a grant whose payment was undone nothing is earned: what it was spent on is owed.

    All grants there ever were are looked at, so those without news cost three numbers and no object.
    """
    seldom = account.seldom
    for grant in bought:
        grant_id, before = grant.terms.grant_id, seldom.told.get(grant.terms.grant_id)
        returned = seldom.returned.get(grant_id, _NONE)
        now = (_spent(account, grant), seldom.lapsed.get(grant_id, 0), returned.units)
        was = (0, 0, 0) if before is None else (before.spent, before.lapsed, before.refunded)
        if now != was and not grant.is_reversed:
            yield _earned(grant, *now, returned.payable)


def _spent(account: CreditAccount, grant: Grant) -> int:
    """Burnt, or given for a debt: what went to another account is spent there, or not."""
    return grant.spent - account.seldom.moved.get(grant.terms.grant_id, 0)


def _earned(
    grant: Grant, spent: int, lapsed: int, refunded: int, payable: tuple[Amount, ...]
) -> EarnedGrant:
    terms = grant.terms
    assert terms.payment_id is not None, "it was bought"
    assert terms.bought_grant_id is not None, "it was bought"
    return EarnedGrant(
        grant_id=terms.grant_id,
        payment_id=terms.payment_id,
        bought_grant_id=terms.bought_grant_id,
        spent=spent,
        lapsed=lapsed,
        refunded=refunded,
        payable=payable,
    )
