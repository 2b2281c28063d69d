"""Arrears: what meters counted, on the bill of the period that has ended, and what came late for it.

An invoice that is final is never edited. So what a period's usage has come to since it was billed,
beyond what was asked for, is a line of the next bill: asked for, or given back. That goes on for as
long as usage may come late, over as many bills as there are meanwhile.

Usage is kept by the hour. An hour in which bills meet is whole in the later one; that in which a
subscription began is in none, and that in which it ends is in its last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final, TypeAlias

from flamewire_ledger.billing.periods import for_the_rest
from flamewire_ledger.billing.plan_prices import price_of
from flamewire_ledger.billing.pricing import charge
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.rejection import NotAllowed
from flamewire_ledger.domain.subscription import BilledUsage, BillLine, Subscription

LATE: Final = timedelta(days=35)  # so long after it happened, usage is still taken
_HOUR: Final = timedelta(hours=1)
KEPT_MAX: Final = 300  # stretches that more may come for; beyond these, the oldest are closed


@dataclass(frozen=True, slots=True)
class UsageKey:
    """What a meter counted for the account of a subscription, from a moment until before another."""

    meter: str
    start: datetime
    end: datetime


Usage: TypeAlias = Mapping[UsageKey, Decimal]


def usage_until(it: Subscription, until: datetime) -> tuple[UsageKey, ...]:
    """What has to be known of usage to bill it up to there, whether or not it ends there."""
    late = tuple(UsageKey(each.price.meter_id, each.start, each.end) for each in it.usage)
    used = dict.fromkeys((*_used(it, until), *_used(it, until, is_last=True)))
    return (*used, *late)


def _used(it: Subscription, until: datetime, *, is_last: bool = False) -> tuple[UsageKey, ...]:
    if it.period is None or it.usage_from is None:
        return ()
    is_first = it.period.number == 1 and it.usage_from == it.period.start
    start = _hour_up(it.usage_from) if is_first else it.usage_from
    end = _hour_up(until) if is_last else until
    if end <= start:
        return ()
    return tuple(UsageKey(each.meter_id, start, end) for each in it.plan.terms.metered)


def _hour_up(at: datetime) -> datetime:
    hour = at.replace(minute=0, second=0, microsecond=0)
    return hour if hour == at else hour + _HOUR


def arrears(
    it: Subscription,
    usage: Usage,
    until: datetime,
    commitment: Fraction = Fraction(0),
    kept_units: int = 0,
    *,
    is_last: bool = False,
) -> list[BillLine]:
    """What came late for bills before, what was used since, and what the part of the commitment lacks
    with what is kept of the period's charges. `is_last`: it ends there.
    """
    if it.period is None or it.usage_from is None:
        return []
    terms = it.plan.terms
    lines: list[BillLine] = []
    for billed in _used_since(it, usage, until, is_last=is_last):
        lines += _rated(billed, terms.currency)
    if terms.commitment is not None and commitment:
        least = for_the_rest(terms.commitment, commitment).units
        lacking = least - kept_units - sum(line.amount.units for line in lines)
        if lacking > 0:
            amount = Amount(terms.currency, lacking)
            span = (it.period.start, until)
            lines.append(BillLine("Commitment", "1", None, amount, terms.tax_rate, *span))
    return [*_late(it, usage), *lines]


def billed_usage(it: Subscription, usage: Usage, until: datetime) -> tuple[BilledUsage, ...]:
    """What is billed by then, as the next bill will be held against it; the oldest first."""
    late = [
        replace(billed, quantity=f"{_now(usage, billed):f}")
        for billed in it.usage
        if billed.end + LATE > until
    ]
    return (*late, *_used_since(it, usage, until))[-KEPT_MAX:]


def _used_since(
    it: Subscription, usage: Usage, until: datetime, *, is_last: bool = False
) -> tuple[BilledUsage, ...]:
    terms = it.plan.terms
    return tuple(
        BilledUsage(metered, terms.tax_rate, key.start, key.end, f"{_read(usage, key):f}")
        for key, metered in zip(_used(it, until, is_last=is_last), terms.metered, strict=False)
    )


def _read(usage: Usage, key: UsageKey) -> Decimal:
    if key not in usage:
        raise NotAllowed("its usage has to be read again: try again in a moment")
    return usage[key]


def _rated(billed: BilledUsage, currency: Asset) -> list[BillLine]:
    price, quantity = price_of(billed.price.price), Decimal(billed.quantity)
    return [
        BillLine(
            line.description,
            f"{line.quantity:f}",
            None if line.unit_price is None else f"{line.unit_price:f}",
            line.amount,
            billed.tax_rate,
            billed.start,
            billed.end,
        )
        for line in charge(price, quantity, currency, name=billed.price.name)
    ]


def _now(usage: Usage, billed: BilledUsage) -> Decimal:
    return _read(usage, UsageKey(billed.price.meter_id, billed.start, billed.end))


def _late(it: Subscription, usage: Usage) -> list[BillLine]:
    """What usage that was billed comes to by now, beyond what was asked for; or less."""
    currency, lines = it.plan.terms.currency, []
    for billed in it.usage:
        now = _now(usage, billed)
        if now == Decimal(billed.quantity):
            continue
        before = sum(line.amount.units for line in _rated(billed, currency))
        after = sum(
            line.amount.units for line in _rated(replace(billed, quantity=f"{now:f}"), currency)
        )
        if after != before:
            lines.append(
                BillLine(
                    f"{billed.price.name}: recorded late",
                    f"{abs(now - Decimal(billed.quantity)):f}",
                    None,
                    Amount(currency, abs(after - before)),
                    billed.tax_rate,
                    billed.start,
                    billed.end,
                    is_credit=after < before,
                )
            )
    return lines
