"""Refunds: what a consumption took goes back to where it took it from, in reverse.

Corrections unwind what was recorded and never today's order. A grant that has expired meanwhile gets
its part back and loses it at once, as it would have without the consumption: who wants to be kinder
grants anew. What no grant had covered was owed, and so was what a grant covered that is reversed
since: it is owed no more, or goes back to the grants that had settled it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from flamewire_ledger.domain.credit_account.burning import (
    Facts,
    check_amount,
    known_grant,
    postings_of,
    units_of,
)
from flamewire_ledger.domain.credit_account.commands import (
    Consumption,
    RefundCredits,
    RefundPurchase,
)
from flamewire_ledger.domain.credit_account.facts import (
    CREDIT,
    CreditsRefunded,
    PurchaseRefunded,
    Slice,
)
from flamewire_ledger.domain.credit_account.state import CreditAccount, free_units
from flamewire_ledger.domain.money import Amount, share
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
from flamewire_ledger.domain.rejection import NotAllowed


def decide(account: CreditAccount, command: RefundCredits | RefundPurchase) -> Facts:
    match command:
        case RefundCredits():
            return _refund(account, command)
        case RefundPurchase():
            return _refund_purchase(account, command)
        case _:
            assert_never(command)


def _refund(account: CreditAccount, command: RefundCredits) -> Facts:
    """Never more than was consumed, however often it is asked for."""
    recorded = command.consumption
    before = account.seldom.refunded.get(recorded.position, 0)
    left = Amount(CREDIT, recorded.units - before)
    amount = left if command.amount is None else command.amount
    if left.is_zero:
        raise NotAllowed(f"the consumption at {recorded.position} is refunded already")
    check_amount(amount)
    if amount.units > left.units:
        raise NotAllowed(
            f"{left.text} credits of the consumption at {recorded.position} are left to refund",
            pointer="/amount",
        )
    parts, overage = _last(recorded, before, amount.units)
    taken_back = tuple(it for it in parts if known_grant(account, it.grant_id).is_reversed)
    slices = tuple(it for it in parts if it not in taken_back)
    debt = overage + units_of(taken_back)
    owed = min(debt, account.owed)
    settled = _settled(account, debt - owed)
    lapsed = _lapsed(account, command, (*slices, *settled))
    return (
        CreditsRefunded(
            account_id=command.account_id,
            refund_id=command.refund_id,
            consumption=recorded.position,
            amount=amount,
            slices=slices,
            settled=settled,
            lapsed=lapsed,
            taken_back=taken_back,
            owed=Amount(CREDIT, owed),
            reference=recorded.reference,
            reason=command.reason,
            postings=postings_of(
                (
                    credits_available(command.account_id),
                    CREDITS_CONSUMED,
                    units_of(slices) + units_of(settled) - units_of(lapsed),
                ),
                (CREDITS_BREAKAGE, CREDITS_CONSUMED, units_of(lapsed)),
                (CREDITS_OWED, CREDITS_CONSUMED, owed),
            ),
            refunded_at=command.at,
        ),
    )


def _last(recorded: Consumption, before: int, units: int) -> tuple[tuple[Slice, ...], int]:
    """The last units of a consumption but for those refunded before: (of grants, without a grant).

    What no grant covered was burnt last.
    """
    overage = min(units, max(0, recorded.overage_units - before))
    to_skip = max(0, before - recorded.overage_units)
    units -= overage
    parts = []
    for part in reversed(recorded.slices):
        skipped = min(part.units, to_skip)
        to_skip -= skipped
        taken = min(part.units - skipped, units)
        units -= taken
        if taken:
            parts.append(Slice(part.grant_id, taken))
    return tuple(parts), overage


def _settled(account: CreditAccount, units: int) -> tuple[Slice, ...]:
    """Of which grants so much of a debt was settled that never was one, the latest first."""
    parts = []
    for grant_id, given in reversed(account.seldom.settled.items()):
        taken = min(given, units)
        units -= taken
        if taken:
            parts.append(Slice(grant_id, taken))
    assert not units, "a debt is owed, or somebody settled it"
    return tuple(parts)


def _lapsed(
    account: CreditAccount, command: RefundCredits, parts: Iterable[Slice]
) -> tuple[Slice, ...]:
    return tuple(it for it in parts if known_grant(account, it.grant_id).is_over(command.at))


def _refund_purchase(account: CreditAccount, command: RefundPurchase) -> Facts:
    """Take back what is left of a purchase, or a part of it; what is held or spent is kept, and so is
    what would pay a debt.
    """
    grant = known_grant(account, command.grant_id)
    payment_id = grant.terms.payment_id
    if payment_id is None or grant.is_reversed:
        raise NotAllowed(f"grant {command.grant_id} was not bought, or was taken back")
    left = 0 if grant.is_over(command.at) else grant.remaining
    left = min(left, free_units(account, command.at))
    amount = Amount(CREDIT, left) if command.amount is None else command.amount
    if not left or amount.units > left:
        raise NotAllowed(
            f"{Amount(CREDIT, left).text} credits of grant {command.grant_id} are left, "
            f"and {Amount(CREDIT, account.owed).text} are owed",
            pointer="/amount",
        )
    check_amount(amount)
    shares = (share(paid, amount.units, grant.terms.units) for paid in command.paid)
    payable = tuple(each for each in shares if not each.is_zero)
    return (
        PurchaseRefunded(
            account_id=command.account_id,
            grant_id=command.grant_id,
            amount=amount,
            payable=payable,
            payment_id=payment_id,
            reason=command.reason,
            postings=(
                *postings_of((CREDITS_ISSUED, credits_available(command.account_id), amount.units)),
                *[Posting(DEFERRED_CREDITS, REFUNDS_PAYABLE, each) for each in payable],
            ),
            refunded_at=command.at,
        ),
    )
