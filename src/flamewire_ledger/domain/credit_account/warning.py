"""Warnings that credits are about to lapse: 30, 7 and 1 days ahead, each once.

Whoever was not warned in time, because the ledger was down, gets the nearest warning that still says
something. Nobody is warned of what lay ahead already when the grant was made.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from flamewire_ledger.domain.credit_account.burning import Facts, known_grant
from flamewire_ledger.domain.credit_account.commands import WarnOfExpiry
from flamewire_ledger.domain.credit_account.facts import CREDIT, DaysAhead, ExpiryWarned
from flamewire_ledger.domain.credit_account.state import CreditAccount, GrantTerms
from flamewire_ledger.domain.money import Amount

DAYS_AHEAD: Final[tuple[DaysAhead, ...]] = (1, 7, 30)  # the nearest first


def warn(account: CreditAccount, command: WarnOfExpiry) -> Facts:
    """The warning that is due, or nothing: too early, given before, lapsed, or nothing left."""
    grant = known_grant(account, command.grant_id)
    expires_at = grant.terms.expires_at
    if expires_at is None or not grant.remaining or grant.is_over(command.at):
        return ()
    for days in DAYS_AHEAD:
        if command.at < expires_at - timedelta(days=days):
            continue
        if not _lies_ahead(grant.terms, days) or 0 < grant.warned_days <= days:
            return ()
        return (
            ExpiryWarned(
                account_id=command.account_id,
                grant_id=command.grant_id,
                days=days,
                amount=Amount(CREDIT, grant.remaining),
                expires_at=expires_at,
                warned_at=command.at,
            ),
        )
    return ()


def _lies_ahead(terms: GrantTerms, days: int) -> bool:
    """Whether there was a time, after it was made, at which it had more days than these to go."""
    assert terms.expires_at is not None, "what never lapses is not warned of"
    return terms.granted_at < terms.expires_at - timedelta(days=days)
