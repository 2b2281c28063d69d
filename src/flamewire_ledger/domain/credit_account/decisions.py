"""What is decided on a credit account: which grants burn, what lapses, what is owed."""

from __future__ import annotations

from typing import Final, assert_never

from flamewire_ledger.domain.credit_account import earning, holds, recurring, refunding, warning
from flamewire_ledger.domain.credit_account.burning import (
    Facts,
    check_amount,
    insufficient,
    known_grant,
    postings_of,
    take,
)
from flamewire_ledger.domain.credit_account.commands import (
    CancelRecurringGrant,
    CaptureHold,
    ChangingCommand,
    CloseDay,
    ConsumeCredits,
    CreditAccountCommand,
    ExpireGrant,
    ExpireHold,
    GrantCredits,
    GrantRecurring,
    HoldCredits,
    OpenCreditAccount,
    RefundCredits,
    RefundPurchase,
    ReleaseHold,
    ReverseGrant,
    SetOverage,
    SetRecurringGrant,
    WarnOfExpiry,
)
from flamewire_ledger.domain.credit_account.facts import (
    CREDIT,
    NOTHING,
    CreditAccountOpened,
    CreditsConsumed,
    CreditsGranted,
    GrantExpired,
    GrantReversed,
    OverageSet,
)
from flamewire_ledger.domain.credit_account.state import (
    CreditAccount,
)
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.posting import (
    CREDITS_BREAKAGE,
    CREDITS_CONSUMED,
    CREDITS_ISSUED,
    CREDITS_OWED,
    DEFERRED_CREDITS,
    REFUNDS_PAYABLE,
    Posting,
    credits_available,
)
from flamewire_ledger.domain.rejection import (
    AlreadyExists,
    InvalidAmount,
    LimitReached,
    Malformed,
    NotAllowed,
    NotFound,
)

GRANTS_LIVE_MAX: Final = 5_000  # bought ones are never refused: their money has arrived


def decide(account: CreditAccount | None, command: CreditAccountCommand) -> Facts:
    """Facts that follow from the command, or a Rejection. An empty tuple: nothing new to say.

    The first command behind a day tells first what was earned on that day: so each day is told as it
    ended, however late that is.
    """
    if isinstance(command, OpenCreditAccount):
        return _open(account, command)
    if account is None:
        raise NotFound(f"there is no credit account {command.account_id}")
    if command.at < account.seldom.day_ends_at:
        if isinstance(command, ConsumeCredits):
            return _consume(account, command)  # what is asked most has the shortest way
        return _decide(account, command)
    facts = _decide(account, command)
    if not facts or isinstance(command, CloseDay):
        return facts
    return (*earning.earned(account, command.at), *facts)


def _decide(account: CreditAccount, command: ChangingCommand) -> Facts:
    match command:
        case ConsumeCredits():
            return _consume(account, command)
        case GrantCredits():
            return _grant(account, command)
        case HoldCredits():
            return holds.hold(account, command)
        case CaptureHold():
            return holds.capture(account, command)
        case ReleaseHold():
            return holds.release(account, command)
        case ExpireHold():
            return holds.expire(account, command)
        case ExpireGrant():
            return _expire_grant(account, command)
        case ReverseGrant():
            return _reverse(account, command)
        case RefundCredits() | RefundPurchase():
            return refunding.decide(account, command)
        case SetOverage():
            return _set_overage(account, command)
        case WarnOfExpiry():
            return warning.warn(account, command)
        case GrantRecurring() | SetRecurringGrant() | CancelRecurringGrant():
            return recurring.decide(account, command, GRANTS_LIVE_MAX)
        case CloseDay():
            return earning.earned(account, command.at)
        case _:
            assert_never(command)


def _open(account: CreditAccount | None, command: OpenCreditAccount) -> Facts:
    if account is not None:
        raise AlreadyExists(f"credit account {command.account_id} exists")
    _check_overage(command.overage_max)
    return (
        CreditAccountOpened(
            account_id=command.account_id,
            external_id=command.external_id,
            name=command.name,
            overage_max=command.overage_max,
            opened_at=command.at,
        ),
    )


def _check_overage(overage_max: Amount) -> None:
    if overage_max.asset != CREDIT:
        raise InvalidAmount("an overage is an amount of credits", pointer="/overage_max")


def _set_overage(account: CreditAccount, command: SetOverage) -> Facts:
    """What is owed beyond a lower allowance stays owed: only no more may be added to it."""
    _check_overage(command.overage_max)
    if command.overage_max == account.overage_max:
        return ()
    return (
        OverageSet(
            account_id=command.account_id,
            overage_max=command.overage_max,
            before=account.overage_max,
            reason=command.reason,
            set_at=command.at,
        ),
    )


def _grant(account: CreditAccount, command: GrantCredits) -> Facts:
    """What the account owes is paid first; the rest can be burnt."""
    check_amount(command.amount)
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
            postings=postings_of(
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
    check_amount(command.amount)
    before, slices, missing = take(account, command.amount.units, command.at)
    if missing:
        if missing > max(0, account.seldom.overage_units_max - account.owed):
            raise insufficient(account, command.amount, command.at)
        overage = Amount(CREDIT, missing)
        postings = postings_of(
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


def _expire_grant(account: CreditAccount, command: ExpireGrant) -> Facts:
    grant = known_grant(account, command.grant_id)
    if grant.is_expired:
        return ()
    if not grant.is_over(command.at):
        raise NotAllowed(f"grant {command.grant_id} has not expired yet")
    return (
        GrantExpired(
            account_id=command.account_id,
            grant_id=command.grant_id,
            amount=Amount(CREDIT, grant.remaining),
            postings=postings_of(
                (CREDITS_BREAKAGE, credits_available(command.account_id), grant.remaining)
            ),
            expired_at=command.at,
        ),
    )


def _reverse(account: CreditAccount, command: ReverseGrant) -> Facts:
    grant = known_grant(account, command.grant_id)
    if grant.is_reversed:
        return ()
    # What was to be returned of the purchase never came to stay: it is nobody's to be returned.
    returned = account.seldom.returned.get(command.grant_id)
    payable = () if returned is None else returned.payable
    return (
        GrantReversed(
            account_id=command.account_id,
            grant_id=command.grant_id,
            taken_back=Amount(CREDIT, grant.remaining),
            owed=Amount(CREDIT, grant.spent),
            payment_id=command.payment_id,
            postings=(
                *postings_of(
                    (CREDITS_ISSUED, credits_available(command.account_id), grant.remaining),
                    (CREDITS_ISSUED, CREDITS_OWED, grant.spent),
                ),
                *[Posting(REFUNDS_PAYABLE, DEFERRED_CREDITS, each) for each in payable],
            ),
            reversed_at=command.at,
        ),
    )
