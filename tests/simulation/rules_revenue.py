"""Rules about revenue: what accounts tell of their days is what became of what was bought, and payments
have earned just that.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from flamewire_ledger.domain.credit_account import (
    CreditsConsumed,
    CreditsEarned,
    CreditsGranted,
    CreditsRefunded,
    CreditsTransferredIn,
    EarnedGrant,
    GrantExpired,
    GrantReversed,
    HoldCaptured,
    HoldReleased,
    PurchaseRefunded,
)
from flamewire_ledger.domain.credit_account.explaining import time_of
from flamewire_ledger.domain.credit_account.state import NO_DAY
from flamewire_ledger.domain.payment import Payment, PaymentResolved, PaymentSucceeded
from flamewire_ledger.domain.posting import BREAKAGE, DEFERRED_CREDITS, SALES
from tests.domain.books import Books
from tests.simulation.broken import Broken
from tests.simulation.evidence import Evidence


class _Day:
    """What became of the grants of one account that were bought, by its facts alone."""

    def __init__(self) -> None:
        self.bought: dict[str, tuple[str, str]] = {}  # by grant: payment, and the grant it made
        self.spent: Counter[str] = Counter()
        self.lapsed: Counter[str] = Counter()
        self.refunded: Counter[str] = Counter()
        self.payable: dict[str, Counter[str]] = {}
        self.reversed: set[str] = set()
        self.told: dict[str, EarnedGrant] = {}

    def take(self, fact: Any) -> None:
        match fact:
            case CreditsGranted(payment_id=str() as payment_id, grant_id=grant_id):
                self.bought[grant_id] = payment_id, grant_id
                self.spent[grant_id] += fact.settles.units
            case CreditsTransferredIn(grants=parts):
                for part in parts:
                    if part.payment_id is not None:
                        self.bought[part.grant_id] = part.payment_id, str(part.bought_grant_id)
                        self.spent[part.grant_id] += part.settles
            case GrantExpired(grant_id=grant_id, amount=amount):
                self.lapsed[grant_id] += amount.units
            case GrantReversed(grant_id=grant_id):
                self.reversed.add(grant_id)
            case PurchaseRefunded(grant_id=grant_id, amount=amount, payable=payable):
                self.refunded[grant_id] += amount.units
                paid = self.payable.setdefault(grant_id, Counter())
                paid.update({it.asset.code: it.units for it in payable})
            case CreditsConsumed() | HoldCaptured() | HoldReleased() | CreditsRefunded():
                self._move(fact)

    def _move(self, fact: Any) -> None:
        is_burnt = isinstance(fact, CreditsConsumed | HoldCaptured)
        for part in fact.slices if is_burnt else ():
            self.spent[part.grant_id] += part.units
        for part in getattr(fact, "lapsed", ()):
            self.lapsed[part.grant_id] += part.units
        if isinstance(fact, CreditsRefunded):
            for part in (*fact.slices, *fact.settled, *fact.taken_back):
                self.spent[part.grant_id] -= part.units

    def of(self, grant_id: str) -> tuple[int, int, int, Counter[str]]:
        payable = self.payable.get(grant_id, Counter())
        return self.spent[grant_id], self.lapsed[grant_id], self.refunded[grant_id], payable

    def tell(self, fact: CreditsEarned, where: str) -> None:
        for grant in fact.grants:
            payable = Counter({it.asset.code: it.units for it in grant.payable})
            told = (grant.spent, grant.lapsed, grant.refunded, payable)
            if told != self.of(grant.grant_id):
                raise Broken("a day tells what became of it", f"{where}: {grant}")
            if (grant.payment_id, grant.bought_grant_id) != self.bought[grant.grant_id]:
                raise Broken("a part names what was bought", f"{where}: {grant}")
            self.told[grant.grant_id] = grant

    def untold(self) -> list[str]:
        """Grants of which something else was told last than what is so."""
        return [
            grant_id
            for grant_id in self.bought.keys() - self.reversed
            if self.of(grant_id)[:3] != _figures(self.told.get(grant_id))
        ]


def _figures(told: EarnedGrant | None) -> tuple[int, int, int]:
    return (0, 0, 0) if told is None else (told.spent, told.lapsed, told.refunded)


def days_are_told_as_they_ended(evidence: Evidence) -> None:
    for account_id, account in evidence.accounts.items():
        day, last = _Day(), None
        for seen in evidence.streams[account_id]:
            fact, where = seen.fact, f"{account_id}/{seen.recorded.version}"
            if isinstance(fact, CreditsEarned):
                day.tell(fact, where)
                if last is not None and last.date() > fact.day:
                    raise Broken("what a day earned was burnt by its end", f"{where}: {last}")
                if (left := day.untold()) and fact.day > fact.earned_at.date():
                    raise Broken("a day that is told is over", f"{where}: {left}")
                continue
            before = {it: day.of(it) for it in day.bought}
            day.take(fact)
            if any(day.of(it) != figures for it, figures in before.items()):
                last = time_of(fact)
        ends_at = account.seldom.day_ends_at
        if day.bought and NO_DAY < ends_at <= evidence.now:
            raise Broken("a day that is over is told", f"{account_id}: {ends_at}")
        if ends_at == NO_DAY and (left := day.untold()):
            raise Broken("all of a day is told", f"{account_id}: {left}")


def payments_have_earned_what_was_told(evidence: Evidence) -> None:
    """What is deferred of a payment is the share of what is not earned of it, to the last unit."""
    told: dict[str, dict[str, EarnedGrant]] = {}
    for seen in evidence.facts(CreditsEarned):
        for grant in seen.fact.grants:
            told.setdefault(grant.bought_grant_id, {})[grant.grant_id] = grant
    for payment_id, payment in evidence.payments.items():
        if payment.requested.credits is None:
            continue
        facts = [seen.fact for seen in evidence.streams[payment_id]]
        expected = _earned(payment, facts, told)
        books = Books(facts)
        for account in (SALES, BREAKAGE, DEFERRED_CREDITS):
            codes = {code for name, code in books.balances if name == account}
            for code in codes | {code for name, code in expected if name == account}:
                if books.credit(account, code) != expected[account, code]:
                    raise Broken(
                        "a payment has earned what was told of it",
                        f"{payment_id}: {account} has {books.credit(account, code)} {code}, "
                        f"not {expected[account, code]}",
                    )


def _earned(
    payment: Payment, facts: list[Any], told: dict[str, dict[str, EarnedGrant]]
) -> Counter[tuple[str, str]]:
    in_force = {settling.grant_id for settling in payment.settlings}
    expected: Counter[tuple[str, str]] = Counter()
    for fact in facts:
        is_sale = isinstance(fact, PaymentSucceeded | PaymentResolved)
        if not is_sale or fact.grant_id is None or fact.grant_id not in in_force:
            continue
        parts = told.get(fact.grant_id, {}).values()
        units = fact.credits.units
        spent = min(units, sum(it.spent for it in parts))
        gone = min(units, spent + sum(it.lapsed for it in parts))
        is_over = sum(it.spent + it.lapsed + it.refunded for it in parts) >= units
        for posting in fact.postings:
            code, paid = posting.amount.asset.code, posting.amount.units
            payable = sum(
                it.units for part in parts for it in part.payable if it.asset.code == code
            )
            earned = paid - payable if is_over else min(paid - payable, paid * gone // units)
            is_burnt_only = spent and spent == gone
            sales = earned if is_burnt_only else min(earned, paid * spent // units)
            expected[SALES, code] += sales
            expected[BREAKAGE, code] += earned - sales
            expected[DEFERRED_CREDITS, code] += paid - earned
    return expected


RULES: Final = (days_are_told_as_they_ended, payments_have_earned_what_was_told)
