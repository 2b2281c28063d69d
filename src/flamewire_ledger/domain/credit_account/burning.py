"""Which grants burn for an amount, and where the slices go that a hold lets go of.

The parts that grants, consumption and holds have in common.
"""

from __future__ import annotations

from datetime import datetime

from flamewire_ledger.domain.credit_account.evolving import evolve
from flamewire_ledger.domain.credit_account.facts import (
    CREDIT,
    CreditAccountEvent,
    HoldReleased,
    Slice,
)
from flamewire_ledger.domain.credit_account.state import (
    CreditAccount,
    Grant,
    Hold,
    balance,
    free_units,
)
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.posting import (
    CREDITS_BREAKAGE,
    CREDITS_ISSUED,
    Posting,
    credits_available,
    credits_held,
)
from flamewire_ledger.domain.rejection import (
    InsufficientCredits,
    InvalidAmount,
    NotAllowed,
    NotFound,
)

Facts = tuple[CreditAccountEvent, ...]


def take(account: CreditAccount, units: int, at: datetime) -> tuple[Facts, tuple[Slice, ...], int]:
    """Slices in burn order for so many units: (facts to record before, slices, units not found).

    Holds past their time are let go first, whether or not the clock has said so yet: what they held
    burns in its order.
    """
    before = tuple(
        [
            hold_released(account, hold, at, expired=True)
            for hold in account.holds.values()
            if hold.expires_at <= at
        ]
    )
    for event in before:
        account = evolve(account, event)
    slices, missing = _burn(account.grants, units, at)
    return before, slices, missing


def _burn(grants: tuple[Grant, ...], units: int, at: datetime) -> tuple[tuple[Slice, ...], int]:
    slices = []
    for grant in grants:
        if not grant.remaining or grant.is_over(at):
            continue
        taken = min(grant.remaining, units)
        slices.append(Slice(grant.terms.grant_id, taken))
        units -= taken
        if not units:
            break
    return tuple(slices), units


def hold_released(
    account: CreditAccount, hold: Hold, at: datetime, *, expired: bool = False
) -> HoldReleased:
    lapsed, taken_back = lapsed_and_taken_back(account, hold.slices, at)
    return HoldReleased(
        account_id=account.opened.account_id,
        hold_id=hold.hold_id,
        amount=Amount(CREDIT, hold.units),
        slices=hold.slices,
        expired=expired,
        postings=release_postings(account.opened.account_id, hold.slices, lapsed, taken_back),
        released_at=at,
        lapsed=lapsed,
        taken_back=taken_back,
    )


def lapsed_and_taken_back(
    account: CreditAccount, released: tuple[Slice, ...], at: datetime
) -> tuple[tuple[Slice, ...], tuple[Slice, ...]]:
    """Of slices that are let go: (those that lapse, those that are taken back)."""
    lapsed, taken_back = [], []
    for part in released:
        grant = known_grant(account, part.grant_id)
        if grant.is_reversed:
            taken_back.append(part)
        elif grant.is_over(at):
            lapsed.append(part)
    return tuple(lapsed), tuple(taken_back)


def release_postings(
    account_id: str,
    released: tuple[Slice, ...],
    lapsed: tuple[Slice, ...],
    taken_back: tuple[Slice, ...],
) -> tuple[Posting, ...]:
    held = credits_held(account_id)
    lapses = units_of(lapsed)
    returns = units_of(taken_back)
    return postings_of(
        (credits_available(account_id), held, units_of(released) - lapses - returns),
        (CREDITS_BREAKAGE, held, lapses),
        (CREDITS_ISSUED, held, returns),
    )


def known_grant(account: CreditAccount, grant_id: str) -> Grant:
    grant = account.grant(grant_id)
    if grant is None:
        raise NotFound(f"there is no grant {grant_id}")
    return grant


def units_of(slices: tuple[Slice, ...]) -> int:
    return sum(part.units for part in slices)


def check_amount(amount: Amount) -> None:
    if amount.asset is not CREDIT and amount.asset != CREDIT:
        raise InvalidAmount("an amount of credits", pointer="/amount")
    if not amount.units:
        raise InvalidAmount("an amount of credits is more than zero", pointer="/amount")


def check_free(account: CreditAccount, amount: Amount, at: datetime) -> None:
    """What leaves an account does not leave its debts behind."""
    if amount.units > (free := free_units(account, at)):
        raise NotAllowed(
            f"the account owes {Amount(CREDIT, account.owed).text} credits: "
            f"{Amount(CREDIT, free).text} may leave it",
            pointer="/amount",
        )


def insufficient(account: CreditAccount, requested: Amount, at: datetime) -> InsufficientCredits:
    now = balance(account, at)
    return InsufficientCredits(
        f"{now.available.text} credits are available, {requested.text} were asked for",
        facts={
            "available": now.available.text,
            "held": now.held.text,
            "requested": requested.text,
        },
    )


def postings_of(*moves: tuple[str, str, int]) -> tuple[Posting, ...]:
    """Postings of credits (debit, credit, units), without those that would move nothing."""
    return tuple(
        Posting(debit, credit, Amount(CREDIT, units)) for debit, credit, units in moves if units
    )
