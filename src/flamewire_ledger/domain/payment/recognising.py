"""What is decided when credits that a payment bought are gone: its share of what was paid is earned.

Each use of the payment that made a grant is looked at alone, and each asset it was paid in. Shares are
rounded down, and what the last unit leaves goes with it: a grant that is gone, burnt, lapsed or
refunded, leaves nothing deferred. Nothing is priced: what is earned is what was paid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flamewire_ledger.domain.money import Amount, share
from flamewire_ledger.domain.payment.commands import RecogniseRevenue
from flamewire_ledger.domain.payment.facts import (
    EarnedCredits,
    PaymentRevenueRecognised,
    Recognised,
)
from flamewire_ledger.domain.payment.settling import Facts
from flamewire_ledger.domain.payment.settlings import Settling, told_of
from flamewire_ledger.domain.payment.state import Payment
from flamewire_ledger.domain.posting import BREAKAGE, DEFERRED_CREDITS, SALES, Posting


def recognise(payment: Payment, command: RecogniseRevenue) -> Facts:
    """Nothing of what was undone meanwhile: that was reversed with its payment."""
    grants: list[EarnedCredits] = []
    recognised: list[Recognised] = []
    postings: list[Posting] = []
    for settling in payment.settlings:
        if settling.grant_id is None:
            continue
        told = told_of(settling, command.grants)
        news = [it for it in told.values() if it != settling.earned.get(it.grant_id)]
        if not news:
            continue
        now = _recognised(settling, settling.grant_id, told.values())
        grants += news
        recognised.append(now)
        postings += _difference(settling.recognised, now)
    if not grants:
        return ()
    return (
        PaymentRevenueRecognised(
            payment_id=command.payment_id,
            credit_account_id=command.credit_account_id,
            day=command.day,
            grants=tuple(grants),
            recognised=tuple(recognised),
            postings=tuple(postings),
            recognised_at=command.at,
        ),
    )


def _recognised(settling: Settling, grant_id: str, told: Iterable[EarnedCredits]) -> Recognised:
    """Accounts tell of their days one by one: credits that went back and forth between them may be
    told of twice for a while, so no more is earned than there is.
    """
    told = list(told)
    bought = settling.bought
    spent = min(bought, sum(it.spent for it in told))
    gone = min(bought, spent + sum(it.lapsed for it in told))
    is_over = sum(it.spent + it.lapsed + it.refunded for it in told) >= bought
    sales, breakage = [], []
    for paid in settling.deferred:
        payable = sum(
            amount.units for it in told for amount in it.payable if amount.asset == paid.asset
        )
        kept = max(0, paid.units - payable)
        earned = kept if is_over else min(kept, share(paid, gone, bought).units)
        # What rounding leaves goes to what ended the grant: lapsing, where any of it lapsed.
        has_lapsed = gone > spent or not spent
        sold = min(earned, share(paid, spent, bought).units) if has_lapsed else earned
        sales.append(Amount(paid.asset, sold))
        breakage.append(Amount(paid.asset, earned - sold))
    return Recognised(grant_id, _without_zeros(sales), _without_zeros(breakage))


def _without_zeros(amounts: Iterable[Amount]) -> tuple[Amount, ...]:
    return tuple(amount for amount in amounts if not amount.is_zero)


def _difference(before: Recognised | None, now: Recognised) -> list[Posting]:
    """What goes back comes first, so that it is there for what moves on."""
    changes = list(_changes(SALES, () if before is None else before.sales, now.sales))
    changes += _changes(BREAKAGE, () if before is None else before.breakage, now.breakage)
    return sorted(changes, key=lambda posting: posting.debit == DEFERRED_CREDITS)


def _changes(
    account: str, before: tuple[Amount, ...], now: tuple[Amount, ...]
) -> Iterator[Posting]:
    was = {amount.asset: amount.units for amount in before}
    becomes = {amount.asset: amount.units for amount in now}
    for asset in dict.fromkeys((*was, *becomes)):
        units = becomes.get(asset, 0) - was.get(asset, 0)
        if units > 0:
            yield Posting(DEFERRED_CREDITS, account, Amount(asset, units))
        elif units < 0:
            yield Posting(account, DEFERRED_CREDITS, Amount(asset, -units))
