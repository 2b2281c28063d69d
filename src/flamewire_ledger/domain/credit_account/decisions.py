"""What is decided on a credit account: which grants burn, what lapses, what is owed."""

from __future__ import annotations

from datetime import datetime
from typing import Final, assert_never

from flamewire_ledger.domain.credit_account.commands import (
    CaptureHold,
    ConsumeCredits,
    CreditAccountCommand,
    ExpireGrant,
    ExpireHold,
    GrantCredits,
    HoldCredits,
    OpenCreditAccount,
    ReleaseHold,
    ReverseGrant,
)
from flamewire_ledger.domain.credit_account.facts import (
    CREDIT,
    NOTHING,
    CreditAccountEvent,
    CreditAccountOpened,
    CreditsConsumed,
    CreditsGranted,
    CreditsHeld,
    GrantExpired,
    GrantReversed,
    HoldCaptured,
    HoldReleased,
    Slice,
)
from flamewire_ledger.domain.credit_account.state import (
    CreditAccount,
    Grant,
    Hold,
    balance,
    evolve,
)
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.posting import (
    CREDITS_BREAKAGE,
    CREDITS_CONSUMED,
    CREDITS_ISSUED,
    CREDITS_OWED,
    Posting,
    credits_available,
    credits_held,
)
from flamewire_ledger.domain.rejection import (
    AlreadyExists,
    InsufficientCredits,
    InvalidAmount,
    LimitReached,
    Malformed,
    NotAllowed,
    NotFound,
)

HOLDS_OPEN_MAX: Final = 5_000
GRANTS_LIVE_MAX: Final = 5_000  # bought ones are never refused: their money has arrived

Facts = tuple[CreditAccountEvent, ...]


def decide(account: CreditAccount | None, command: CreditAccountCommand) -> Facts:
    """Facts that follow from the command, or a Rejection. An empty tuple: nothing new to say."""
    if isinstance(command, OpenCreditAccount):
        return _open(account, command)
    if account is None:
        raise NotFound(f"there is no credit account {command.account_id}")
    match command:
        case ConsumeCredits():
            return _consume(account, command)
        case GrantCredits():
            return _grant(account, command)
        case HoldCredits():
            return _hold(account, command)
        case CaptureHold():
            return _capture(account, command)
        case ReleaseHold():
            return (_release(account, _open_hold(account, command.hold_id), command.at),)
        case ExpireHold():
            return _expire_hold(account, command)
        case ExpireGrant():
            return _expire_grant(account, command)
        case ReverseGrant():
            return _reverse(account, command)
        case _:
            assert_never(command)


def _open(account: CreditAccount | None, command: OpenCreditAccount) -> Facts:
    if account is not None:
        raise AlreadyExists(f"credit account {command.account_id} exists")
    if command.overage_max.asset != CREDIT:
        raise InvalidAmount("an overage is an amount of credits", pointer="/overage_max")
    return (
        CreditAccountOpened(
            account_id=command.account_id,
            external_id=command.external_id,
            name=command.name,
            overage_max=command.overage_max,
            opened_at=command.at,
        ),
    )


def _grant(account: CreditAccount, command: GrantCredits) -> Facts:
    """What the account owes is paid first; the rest can be burnt."""
    _positive(command.amount)
    if account.grant(command.grant_id) is not None:
        raise AlreadyExists(f"grant {command.grant_id} exists")
    if command.expires_at is not None and command.expires_at <= command.at:
        raise Malformed("a grant expires after it is made", pointer="/expires_at")
    if command.source != "purchased" and len(account.grants) >= GRANTS_LIVE_MAX:
        raise LimitReached(f"an account has at most {GRANTS_LIVE_MAX} grants with something left")
    settles = min(account.owed, command.amount.units)
    return (
        CreditsGranted(
            account_id=command.account_id,
            grant_id=command.grant_id,
            amount=command.amount,
            source=command.source,
            priority=command.priority,
            expires_at=command.expires_at,
            payment_id=command.payment_id,
            cost=command.cost,
            settles=Amount(CREDIT, settles),
            postings=_postings(
                (CREDITS_OWED, CREDITS_ISSUED, settles),
                (
                    credits_available(command.account_id),
                    CREDITS_ISSUED,
                    command.amount.units - settles,
                ),
            ),
            granted_at=command.at,
        ),
    )


def _consume(account: CreditAccount, command: ConsumeCredits) -> Facts:
    _positive(command.amount)
    before, slices, missing = _take(account, command.amount.units, command.at)
    if missing > max(0, account.opened.overage_max.units - account.owed):
        raise _insufficient(account, command.amount, command.at)
    if missing:
        overage = Amount(CREDIT, missing)
        postings = _postings(
            (
                CREDITS_CONSUMED,
                credits_available(command.account_id),
                command.amount.units - missing,
            ),
            (CREDITS_CONSUMED, CREDITS_OWED, missing),
        )
    else:
        overage = NOTHING
        available = credits_available(command.account_id)
        postings = (Posting(CREDITS_CONSUMED, available, command.amount),)
    consumed = CreditsConsumed(
        account_id=command.account_id,
        amount=command.amount,
        slices=slices,
        overage=overage,
        reference=command.reference,
        postings=postings,
        consumed_at=command.at,
    )
    return (*before, consumed)


def _hold(account: CreditAccount, command: HoldCredits) -> Facts:
    _positive(command.amount)
    if command.hold_id in account.holds:
        raise AlreadyExists(f"hold {command.hold_id} exists")
    if command.expires_at <= command.at:
        raise Malformed("a hold expires after it is made", pointer="/expires_in_seconds")
    if len(account.holds) >= HOLDS_OPEN_MAX:
        raise LimitReached(f"an account has at most {HOLDS_OPEN_MAX} open holds; release some")
    before, slices, missing = _take(account, command.amount.units, command.at)
    if missing:
        raise _insufficient(account, command.amount, command.at)
    held = CreditsHeld(
        account_id=command.account_id,
        hold_id=command.hold_id,
        amount=command.amount,
        slices=slices,
        expires_at=command.expires_at,
        postings=_postings(
            (
                credits_held(command.account_id),
                credits_available(command.account_id),
                command.amount.units,
            )
        ),
        held_at=command.at,
    )
    return (*before, held)


def _take(account: CreditAccount, units: int, at: datetime) -> tuple[Facts, tuple[Slice, ...], int]:
    """Slices in burn order for so many units: (facts to record before, slices, units not found).

    When the grants alone do not cover it, holds past their time are let go first.
    """
    slices, missing = _burn(account.grants, units, at)
    if not missing or not account.holds:
        return (), slices, missing
    before: list[CreditAccountEvent] = []
    for hold in account.holds.values():
        if hold.expires_at <= at:
            before.append(_release(account, hold, at, expired=True))
    for event in before:
        account = evolve(account, event)
    slices, missing = _burn(account.grants, units, at)
    return tuple(before), slices, missing


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


def _open_hold(account: CreditAccount, hold_id: str) -> Hold:
    hold = account.holds.get(hold_id)
    if hold is None:
        raise NotFound(
            f"there is no open hold {hold_id}: captured, released and expired are closed"
        )
    return hold


def _capture(account: CreditAccount, command: CaptureHold) -> Facts:
    hold = _open_hold(account, command.hold_id)
    if hold.expires_at <= command.at:
        raise NotAllowed(f"hold {command.hold_id} has expired; consume instead")
    amount = Amount(CREDIT, hold.units) if command.amount is None else command.amount
    _positive(amount)
    if amount.units > hold.units:
        held = Amount(CREDIT, hold.units).text
        raise NotAllowed(f"hold {command.hold_id} has {held} credits", pointer="/amount")
    captured, released = _split(hold.slices, amount.units)
    lapsed, taken_back = _gone(account, released, command.at)
    owed = sum(part.units for part in captured if _of(account, part).is_reversed)
    account_held = credits_held(command.account_id)
    return (
        HoldCaptured(
            account_id=command.account_id,
            hold_id=command.hold_id,
            captured=amount,
            slices=captured,
            released=released,
            reference=command.reference,
            postings=_postings(
                (CREDITS_CONSUMED, account_held, amount.units),
                (CREDITS_ISSUED, CREDITS_OWED, owed),
            )
            + _letting_go(command.account_id, released, lapsed, taken_back),
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


def _expire_hold(account: CreditAccount, command: ExpireHold) -> Facts:
    hold = account.holds.get(command.hold_id)
    if hold is None:
        return ()
    if command.at < hold.expires_at:
        raise NotAllowed(f"hold {command.hold_id} has not expired yet")
    return (_release(account, hold, command.at, expired=True),)


def _release(
    account: CreditAccount, hold: Hold, at: datetime, *, expired: bool = False
) -> HoldReleased:
    lapsed, taken_back = _gone(account, hold.slices, at)
    return HoldReleased(
        account_id=account.opened.account_id,
        hold_id=hold.hold_id,
        amount=Amount(CREDIT, hold.units),
        slices=hold.slices,
        expired=expired,
        postings=_letting_go(account.opened.account_id, hold.slices, lapsed, taken_back),
        released_at=at,
        lapsed=lapsed,
        taken_back=taken_back,
    )


def _gone(
    account: CreditAccount, released: tuple[Slice, ...], at: datetime
) -> tuple[tuple[Slice, ...], tuple[Slice, ...]]:
    """Of slices that are let go: (those that lapse, those that are taken back)."""
    lapsed, taken_back = [], []
    for part in released:
        grant = _of(account, part)
        if grant.is_reversed:
            taken_back.append(part)
        elif grant.is_over(at):
            lapsed.append(part)
    return tuple(lapsed), tuple(taken_back)


def _letting_go(
    account_id: str,
    released: tuple[Slice, ...],
    lapsed: tuple[Slice, ...],
    taken_back: tuple[Slice, ...],
) -> tuple[Posting, ...]:
    held = credits_held(account_id)
    lapses = _units(lapsed)
    returns = _units(taken_back)
    return _postings(
        (credits_available(account_id), held, _units(released) - lapses - returns),
        (CREDITS_BREAKAGE, held, lapses),
        (CREDITS_ISSUED, held, returns),
    )


def _expire_grant(account: CreditAccount, command: ExpireGrant) -> Facts:
    grant = _known_grant(account, command.grant_id)
    if grant.is_expired:
        return ()
    if not grant.is_over(command.at):
        raise NotAllowed(f"grant {command.grant_id} has not expired yet")
    return (
        GrantExpired(
            account_id=command.account_id,
            grant_id=command.grant_id,
            amount=Amount(CREDIT, grant.remaining),
            postings=_postings(
                (CREDITS_BREAKAGE, credits_available(command.account_id), grant.remaining)
            ),
            expired_at=command.at,
        ),
    )


def _reverse(account: CreditAccount, command: ReverseGrant) -> Facts:
    grant = _known_grant(account, command.grant_id)
    if grant.is_reversed:
        return ()
    return (
        GrantReversed(
            account_id=command.account_id,
            grant_id=command.grant_id,
            taken_back=Amount(CREDIT, grant.remaining),
            owed=Amount(CREDIT, grant.spent),
            payment_id=command.payment_id,
            postings=_postings(
                (CREDITS_ISSUED, credits_available(command.account_id), grant.remaining),
                (CREDITS_ISSUED, CREDITS_OWED, grant.spent),
            ),
            reversed_at=command.at,
        ),
    )


def _known_grant(account: CreditAccount, grant_id: str) -> Grant:
    grant = account.grant(grant_id)
    if grant is None:
        raise NotFound(f"there is no grant {grant_id}")
    return grant


def _of(account: CreditAccount, part: Slice) -> Grant:
    return _known_grant(account, part.grant_id)


def _units(slices: tuple[Slice, ...]) -> int:
    return sum(part.units for part in slices)


def _positive(amount: Amount) -> None:
    if amount.asset != CREDIT:
        raise InvalidAmount("an amount of credits", pointer="/amount")
    if not amount.units:
        raise InvalidAmount("an amount of credits is more than zero", pointer="/amount")


def _insufficient(account: CreditAccount, requested: Amount, at: datetime) -> InsufficientCredits:
    now = balance(account, at)
    return InsufficientCredits(
        f"{now.available.text} credits are available, {requested.text} were asked for",
        facts={
            "available": now.available.text,
            "held": now.held.text,
            "requested": requested.text,
        },
    )


def _postings(*moves: tuple[str, str, int]) -> tuple[Posting, ...]:
    """Postings of credits (debit, credit, units), without those that would move nothing."""
    return tuple(
        Posting(debit, credit, Amount(CREDIT, units)) for debit, credit, units in moves if units
    )
