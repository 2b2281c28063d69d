"""Arrears: what meters counted, on the bill of the period that has ended, and what came late for it.

An invoice that is final is never edited. So what a period's usage has come to since it was billed,
beyond what was asked for, is a line of the next bill: asked for, or given back. That goes on for as
long as usage may come late, over as many bills as there are meanwhile.

Usage is kept by the hour. An hour in which bills meet is whole in the later one; that in which a
subscription began is in none, and that in which it ends is in its last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    used = dict.fromkeys((*_used(it, until), *_used(it, until, is_last=True)))
    return (*used, *late_keys(it))


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
    used = _used_since(it, usage, until, is_last=is_last)
    lines = [line for billed in used for line in _rated(billed, terms.currency)]
    lacking = _lacking(it, used, commitment, kept_units)
    if lacking is not None and lacking > 0:
        amount = Amount(terms.currency, lacking)
        span = (it.period.start, until)
        lines.append(BillLine("Commitment", "1", None, amount, terms.tax_rate, *span))
    return [*_late(it, usage), *lines]


def billed_usage(
    it: Subscription,
    usage: Usage,
    until: datetime,
    commitment: Fraction = Fraction(0),
    kept_units: int = 0,
    *,
    is_last: bool = False,
) -> tuple[BilledUsage, ...]:
    """What is billed by then, as the next bill will be held against it; the oldest first."""
    late = [
        replace(each, lacking_units=None if lacking is None else lacking - more)
        for stretch in _stretches(it.usage)
        for lacking, more in [(stretch[0].lacking_units, _more(it, usage, stretch))]
        for each in _as_of_now(usage, stretch)
        if each.end + LATE > until
    ]
    used = _used_since(it, usage, until, is_last=is_last)
    lacking = _lacking(it, used, commitment, kept_units)
    return (*late, *(replace(each, lacking_units=lacking) for each in used))[-KEPT_MAX:]


def late_at_last(it: Subscription, usage: Usage) -> list[BillLine]:
    """What came late for the bills of a subscription that has ended, its last one among them."""
    return _late(it, usage)


def late_keys(it: Subscription) -> tuple[UsageKey, ...]:
    """What has to be known of usage to bill what came late for bills before."""
    return tuple(UsageKey(each.price.meter_id, each.start, each.end) for each in it.usage)


def _lacking(
    it: Subscription, used: Sequence[BilledUsage], commitment: Fraction, kept_units: int
) -> int | None:
    """What the part of the commitment lacks; less than nothing where there is more. None without."""
    terms = it.plan.terms
    if terms.commitment is None or not commitment:
        return None
    least = for_the_rest(terms.commitment, commitment).units
    return least - kept_units - sum(_units(billed, terms.currency) for billed in used)


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


def _units(billed: BilledUsage, currency: Asset) -> int:
    return sum(line.amount.units for line in _rated(billed, currency))


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


def _stretches(usage: Sequence[BilledUsage]) -> list[list[BilledUsage]]:
    """What was billed together, of all meters: one commitment is over it."""
    found: dict[tuple[datetime, datetime], list[BilledUsage]] = {}
    for billed in usage:
        found.setdefault((billed.start, billed.end), []).append(billed)
    return list(found.values())


def _as_of_now(usage: Usage, stretch: Sequence[BilledUsage]) -> list[BilledUsage]:
    keys = [UsageKey(billed.price.meter_id, billed.start, billed.end) for billed in stretch]
    return [
        replace(billed, quantity=f"{_read(usage, key):f}")
        for billed, key in zip(stretch, keys, strict=True)
    ]


def _more(it: Subscription, usage: Usage, stretch: Sequence[BilledUsage]) -> int:
    """What a stretch comes to by now, beyond what it came to."""
    currency = it.plan.terms.currency
    now = _as_of_now(usage, stretch)
    return sum(_units(each, currency) for each in now) - sum(
        _units(each, currency) for each in stretch
    )


def _late(it: Subscription, usage: Usage) -> list[BillLine]:
    """What usage that was billed comes to by now, beyond what was asked for; or less. What was asked
    for because a commitment was not used up comes off it.
    """
    lines: list[BillLine] = []
    for stretch in _stretches(it.usage):
        for billed, now in zip(stretch, _as_of_now(usage, stretch), strict=True):
            lines += _adjusted(it, billed, now)
        lacking = stretch[0].lacking_units
        if lacking is not None:
            more = max(0, lacking - _more(it, usage, stretch)) - max(0, lacking)
            lines += _adjustment(it, stretch[0], "Commitment: recorded late", "1", more)
    return lines


def _adjusted(it: Subscription, billed: BilledUsage, now: BilledUsage) -> list[BillLine]:
    currency = it.plan.terms.currency
    more = _units(now, currency) - _units(billed, currency)
    difference = abs(Decimal(now.quantity) - Decimal(billed.quantity))
    name = f"{billed.price.name}: recorded late"
    return _adjustment(it, billed, name, f"{difference:f}", more)


def _adjustment(
    it: Subscription, billed: BilledUsage, name: str, quantity: str, units: int
) -> list[BillLine]:
    """A line that asks for so much more, or gives it back; none where nothing changes."""
    if not units:
        return []
    amount = Amount(it.plan.terms.currency, abs(units))
    span = (billed.start, billed.end)
    return [
        BillLine(name, quantity, None, amount, billed.tax_rate, *span, is_credit=units < 0),
    ]
