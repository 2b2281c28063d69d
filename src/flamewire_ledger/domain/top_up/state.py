"""A top-up as its facts add up to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, assert_never

from flamewire_ledger.domain.top_up.facts import (
    TopUpAlarmed,
    TopUpClosed,
    TopUpEvent,
    TopUpRefused,
    TopUpReopened,
    TopUpRequested,
    TopUpRuleRemoved,
    TopUpRuleSet,
)

ALARM_REQUESTS: Final = 3
PAID_KEPT: Final = 3  # a chain takes back what is young, if anything


@dataclass(frozen=True, slots=True)
class Spent:
    """What was asked for within a day or a month; nothing of it, once that is over."""

    period: str = ""
    units: int = 0

    def of(self, period: str) -> int:
        return self.units if self.period == period else 0


@dataclass(frozen=True, slots=True)
class TopUp:
    """`pending` is the open request, since when it is so again in `reopened_at`; `recent` the times of
    the last ones; `paid` those of them that were paid last, the oldest first.
    """

    rule: TopUpRuleSet
    is_on: bool = True
    pending: TopUpRequested | None = None
    reopened_at: datetime | None = None
    paid: tuple[TopUpRequested, ...] = ()
    again_at: datetime | None = None
    number: int = 0
    day: Spent = Spent()
    month: Spent = Spent()
    recent: tuple[datetime, ...] = ()


def evolve(top_up: TopUp | None, event: TopUpEvent) -> TopUp:
    """Fold one fact into the state. Total, and free of rules: a recorded fact has happened."""
    if isinstance(event, TopUpRuleSet):
        return TopUp(event) if top_up is None else replace(top_up, rule=event, is_on=True)
    assert top_up is not None, "a top-up's first fact is TopUpRuleSet"
    match event:
        case TopUpRuleRemoved():
            return replace(top_up, is_on=False)
        case TopUpRequested():
            return _requested(top_up, event)
        case TopUpClosed():
            return _closed(top_up, event)
        case TopUpReopened():
            again = next(it for it in top_up.paid if it.payment_id == event.payment_id)
            left = tuple(it for it in top_up.paid if it is not again)
            return replace(top_up, pending=again, reopened_at=event.reopened_at, paid=left)
        case TopUpRefused():
            return replace(top_up, again_at=event.again_at)
        case TopUpAlarmed():
            return replace(top_up, recent=())
        case _:
            assert_never(event)


def _requested(top_up: TopUp, event: TopUpRequested) -> TopUp:
    at, units = event.requested_at, event.amount.units
    return replace(
        top_up,
        pending=event,
        again_at=event.again_at,
        number=event.number,
        day=Spent(day_of(at), top_up.day.of(day_of(at)) + units),
        month=Spent(month_of(at), top_up.month.of(month_of(at)) + units),
        recent=(*top_up.recent, at)[-ALARM_REQUESTS:],
    )


def _closed(top_up: TopUp, event: TopUpClosed) -> TopUp:
    """What nobody paid does not count towards the day's and the month's most."""
    closed = replace(top_up, pending=None, reopened_at=None, again_at=event.again_at)
    pending = top_up.pending
    if pending is None:
        return closed
    if event.outcome == "paid":
        paid = sorted((*top_up.paid, pending), key=lambda it: it.number)
        return replace(closed, paid=tuple(paid[-PAID_KEPT:]))
    units, asked_at = pending.amount.units, pending.requested_at
    day, month = top_up.day, top_up.month
    if day.period == day_of(asked_at):
        day = replace(day, units=day.units - units)
    if month.period == month_of(asked_at):
        month = replace(month, units=month.units - units)
    return replace(closed, day=day, month=month)


def day_of(at: datetime) -> str:
    return at.date().isoformat()


def month_of(at: datetime) -> str:
    return day_of(at)[:7]
