"""Recurring grants: a rule that grants the same, every month, week or day from an anchor on.

After an outage the account gets what it would have without it: each missed period, dated from its
own beginning, but for those whose credits would have lapsed by now. Months are counted from the
anchor, so that a rule of the 31st grants on the 28th of February and again on the 31st of March.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime, timedelta
from typing import Final, assert_never

from flamewire_ledger.domain.credit_account.burning import Facts, check_amount, postings_of
from flamewire_ledger.domain.credit_account.commands import (
    CancelRecurringGrant,
    GrantRecurring,
    SetRecurringGrant,
)
from flamewire_ledger.domain.credit_account.facts import (
    CREDIT,
    CreditsGranted,
    Every,
    RecurringGrantCanceled,
    RecurringGrantSet,
    RecurringGrantSkipped,
    RecurringPeriod,
    SkipReason,
)
from flamewire_ledger.domain.credit_account.state import CreditAccount, RecurringRule
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.posting import CREDITS_ISSUED, CREDITS_OWED, credits_available
from flamewire_ledger.domain.rejection import AlreadyExists, LimitReached, Malformed, NotFound

RULES_MAX: Final = 20
PERIODS_AT_ONCE_MAX: Final = 50  # the rest of a long outage comes with the next look
_MONTHS_A_YEAR: Final = 12


def period_start(anchor: datetime, every: Every, number: int) -> datetime:
    """When a period begins. A month without the anchor's day begins on its last."""
    match every:
        case "day":
            return anchor + timedelta(days=number)
        case "week":
            return anchor + timedelta(weeks=number)
        case "month":
            years, month = divmod(anchor.month - 1 + number, _MONTHS_A_YEAR)
            year, month = anchor.year + years, month + 1
            day = min(anchor.day, monthrange(year, month)[1])
            return anchor.replace(year=year, month=month, day=day)
        case _:
            assert_never(every)


def first_period_from(anchor: datetime, every: Every, at: datetime) -> int:
    """The number of the first period that begins at a time or behind it; never before the anchor."""
    if anchor >= at:
        return 0
    match every:
        case "day":
            number = (at - anchor).days
        case "week":
            number = (at - anchor).days // 7
        case "month":
            months = (at.year - anchor.year) * _MONTHS_A_YEAR + at.month - anchor.month
            number = max(0, months - 1)
        case _:
            assert_never(every)
    while period_start(anchor, every, number) < at:
        number += 1
    return number


def decide(
    account: CreditAccount,
    command: SetRecurringGrant | GrantRecurring | CancelRecurringGrant,
    grants_live_max: int,
) -> Facts:
    """`grants_live_max`: a period that would leave the account more grants than that is skipped, and
    said to be: it is nobody's money, and a rule that waited for room would be asked about for ever.
    """
    match command:
        case GrantRecurring():
            return _grant_due(account, command, grants_live_max)
        case SetRecurringGrant():
            return _set_rule(account, command)
        case CancelRecurringGrant():
            return _cancel_rule(account, command)
        case _:
            assert_never(command)


def _set_rule(account: CreditAccount, command: SetRecurringGrant) -> Facts:
    check_amount(command.amount)
    if command.rule_id in account.seldom.recurring:
        raise AlreadyExists(f"recurring grant {command.rule_id} exists")
    if len(account.seldom.recurring) >= RULES_MAX:
        raise LimitReached(f"an account has at most {RULES_MAX} recurring grants; cancel one")
    number = first_period_from(command.anchor, command.every, command.at)
    first_at = period_start(command.anchor, command.every, number)
    if command.until is not None and command.until <= first_at:
        raise Malformed("no period begins before that", pointer="/until")
    return (
        RecurringGrantSet(
            account_id=command.account_id,
            rule_id=command.rule_id,
            amount=command.amount,
            every=command.every,
            anchor=command.anchor,
            source=command.source,
            priority=command.priority,
            expires_after_seconds=command.expires_after_seconds,
            until=command.until,
            first_period=number,
            next_at=first_at,
            set_at=command.at,
        ),
    )


def _cancel_rule(account: CreditAccount, command: CancelRecurringGrant) -> Facts:
    """What it granted stays."""
    _rule(account, command.rule_id)
    return (
        RecurringGrantCanceled(
            account_id=command.account_id,
            rule_id=command.rule_id,
            reason=command.reason,
            canceled_at=command.at,
        ),
    )


def _rule(account: CreditAccount, rule_id: str) -> RecurringRule:
    rule = account.seldom.recurring.get(rule_id)
    if rule is None:
        raise NotFound(f"there is no recurring grant {rule_id}: canceled ones are gone")
    return rule


def _grant_due(account: CreditAccount, command: GrantRecurring, grants_live_max: int) -> Facts:
    """The grants of every period that has begun, once each. A rule that is canceled makes none."""
    rule = account.seldom.recurring.get(command.rule_id)
    if rule is None:
        return ()
    facts: list[CreditsGranted | RecurringGrantSkipped] = []
    number, begins_at, owed = rule.next_period, rule.next_at, account.owed
    live = len(account.grants)
    while begins_at is not None and begins_at <= command.at and len(facts) < PERIODS_AT_ONCE_MAX:
        next_at = _next(rule, number)
        expires_at = _expires_at(rule, begins_at)
        settles = min(owed, rule.terms.amount.units)
        leaves_some = settles < rule.terms.amount.units
        if expires_at is not None and expires_at <= command.at:
            facts.append(_skipped(facts, command, number, next_at, "lapsed"))
        elif leaves_some and live >= grants_live_max:
            facts.append(_skipped(facts, command, number, next_at, "too_many_grants"))
        else:
            owed -= settles
            live += leaves_some
            period = RecurringPeriod(command.rule_id, number, next_at)
            facts.append(_granted(rule, command, period, begins_at, settles))
        number, begins_at = number + 1, next_at
    return tuple(facts)


def _next(rule: RecurringRule, number: int) -> datetime | None:
    terms = rule.terms
    begins_at = period_start(terms.anchor, terms.every, number + 1)
    return None if terms.until is not None and begins_at >= terms.until else begins_at


def _expires_at(rule: RecurringRule, begins_at: datetime) -> datetime | None:
    seconds = rule.terms.expires_after_seconds
    return None if seconds is None else begins_at + timedelta(seconds=seconds)


def _skipped(
    facts: list[CreditsGranted | RecurringGrantSkipped],
    command: GrantRecurring,
    number: int,
    next_at: datetime | None,
    reason: SkipReason,
) -> RecurringGrantSkipped:
    """One fact for all that are skipped in a row, for one reason."""
    first = number
    before = facts[-1] if facts else None
    if isinstance(before, RecurringGrantSkipped) and before.reason == reason:
        facts.pop()
        first = before.first_period
    return RecurringGrantSkipped(
        account_id=command.account_id,
        rule_id=command.rule_id,
        first_period=first,
        last_period=number,
        next_at=next_at,
        skipped_at=command.at,
        reason=reason,
    )


def _granted(
    rule: RecurringRule,
    command: GrantRecurring,
    period: RecurringPeriod,
    begins_at: datetime,
    settles: int,
) -> CreditsGranted:
    terms = rule.terms
    available = credits_available(command.account_id)
    return CreditsGranted(
        account_id=command.account_id,
        grant_id=derived_id(
            "gr", begins_at, command.account_id, command.rule_id, str(period.number)
        ),
        amount=terms.amount,
        source=terms.source,
        priority=terms.priority,
        expires_at=_expires_at(rule, begins_at),
        payment_id=None,
        cost=None,
        settles=Amount(CREDIT, settles),
        postings=postings_of(
            (CREDITS_OWED, CREDITS_ISSUED, settles),
            (available, CREDITS_ISSUED, terms.amount.units - settles),
        ),
        granted_at=command.at,
        recurring=period,
    )
