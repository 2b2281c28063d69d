"""Holds: credits set aside for calls under way, then captured, released, or let go by time."""

from __future__ import annotations

from typing import Final

from flamewire_ledger.domain.credit_account.burning import (
    Facts,
    check_amount,
    hold_released,
    insufficient,
    known_grant,
    lapsed_and_taken_back,
    postings_of,
    release_postings,
    take,
)
from flamewire_ledger.domain.credit_account.commands import (
    CaptureHold,
    ExpireHold,
    HoldCredits,
    ReleaseHold,
)
from flamewire_ledger.domain.credit_account.facts import (
    CREDIT,
    CreditsHeld,
    HoldCaptured,
    Slice,
)
from flamewire_ledger.domain.credit_account.state import (
    CreditAccount,
    Hold,
)
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.posting import (
    CREDITS_CONSUMED,
    CREDITS_ISSUED,
    CREDITS_OWED,
    credits_available,
    credits_held,
)
from flamewire_ledger.domain.rejection import (
    AlreadyExists,
    LimitReached,
    Malformed,
    NotAllowed,
    NotFound,
)

HOLDS_OPEN_MAX: Final = 5_000


def hold(account: CreditAccount, command: HoldCredits) -> Facts:
    """Set credits aside, of the grants that would burn now. There is no overage on holds."""
    check_amount(command.amount)
    if command.hold_id in account.holds:
        raise AlreadyExists(f"hold {command.hold_id} exists")
    if command.expires_at <= command.at:
        raise Malformed("a hold expires after it is made", pointer="/expires_in_seconds")
    if len(account.holds) >= HOLDS_OPEN_MAX:
        raise LimitReached(f"an account has at most {HOLDS_OPEN_MAX} open holds; release some")
    before, slices, missing = take(account, command.amount.units, command.at)
    if missing:
        raise insufficient(account, command.amount, command.at)
    held = CreditsHeld(
        account_id=command.account_id,
        hold_id=command.hold_id,
        amount=command.amount,
        slices=slices,
        expires_at=command.expires_at,
        postings=postings_of(
            (
                credits_held(command.account_id),
                credits_available(command.account_id),
                command.amount.units,
            )
        ),
        held_at=command.at,
    )
    return (*before, held)


def _open_hold(account: CreditAccount, hold_id: str) -> Hold:
    found = account.holds.get(hold_id)
    if found is None:
        raise NotFound(
            f"there is no open hold {hold_id}: captured, released and expired are closed"
        )
    return found


def capture(account: CreditAccount, command: CaptureHold) -> Facts:
    """Burn what was set aside, or the first part of it; the rest goes back to its grants.

    What was set aside in time may be captured after its grant has expired or was reversed.
    """
    hold = _open_hold(account, command.hold_id)
    if hold.expires_at <= command.at:
        raise NotAllowed(f"hold {command.hold_id} has expired; consume instead")
    amount = Amount(CREDIT, hold.units) if command.amount is None else command.amount
    check_amount(amount)
    if amount.units > hold.units:
        held = Amount(CREDIT, hold.units).text
        raise NotAllowed(f"hold {command.hold_id} has {held} credits", pointer="/amount")
    captured, released = _split(hold.slices, amount.units)
    lapsed, taken_back = lapsed_and_taken_back(account, released, command.at)
    owed = sum(part.units for part in captured if known_grant(account, part.grant_id).is_reversed)
    account_held = credits_held(command.account_id)
    return (
        HoldCaptured(
            account_id=command.account_id,
            hold_id=command.hold_id,
            captured=amount,
            slices=captured,
            released=released,
            reference=command.reference,
            postings=postings_of(
                (CREDITS_CONSUMED, account_held, amount.units),
                (CREDITS_ISSUED, CREDITS_OWED, owed),
            )
            + release_postings(command.account_id, released, lapsed, taken_back),
            captured_at=command.at,
            lapsed=lapsed,
            taken_back=taken_back,
            owed=Amount(CREDIT, owed),
        ),
    )


def _split(slices: tuple[Slice, ...], units: int) -> tuple[tuple[Slice, ...], tuple[Slice, ...]]:
    """The first so many units of the slices, and the rest."""
    first, rest = [], []
    for part in slices:
        taken = min(part.units, units)
        units -= taken
        if taken:
            first.append(Slice(part.grant_id, taken))
        if part.units > taken:
            rest.append(Slice(part.grant_id, part.units - taken))
    return tuple(first), tuple(rest)


def release(account: CreditAccount, command: ReleaseHold) -> Facts:
    """Everything that was set aside goes back to its grants."""
    return (hold_released(account, _open_hold(account, command.hold_id), command.at),)


def expire(account: CreditAccount, command: ExpireHold) -> Facts:
    hold = account.holds.get(command.hold_id)
    if hold is None:
        return ()
    if command.at < hold.expires_at:
        raise NotAllowed(f"hold {command.hold_id} has not expired yet")
    return (hold_released(account, hold, command.at, expired=True),)
