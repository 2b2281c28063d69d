"""Reports from the log: the funnel, the time to finality, recurring revenue, and what waits for a person.

The events of one merchant are followed up to a position, in order. What is kept is what is open at the
time: payments that are waiting, subscriptions that run, seconds as a histogram.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Final, Literal, Protocol

from flamewire_ledger.billing.journal import Moment
from flamewire_ledger.domain import payment, reconciliation, unclaimed_transfer
from flamewire_ledger.domain.money import Amount, Asset, major_text
from flamewire_ledger.domain.plan_terms import PlanVersion
from flamewire_ledger.exports.report import BUCKETS, Report, Value, month_of
from flamewire_ledger.store.event_store import RecordedEvent, partition_of

Happenings = Literal["funnel", "finality", "mrr", "exceptions"]
_EVENTS_AT_ONCE: Final = 5_000
_PERCENTILES: Final = (50, 90, 95, 99)
_A_TENTH: Final = timedelta(
    milliseconds=100
)  # of a second: sandbox chains are final in less than one
_TENTHS_MAX: Final = 7 * 864_000  # later is as late: the histogram is bounded
_RUNNING: Final = ("active", "past_due")
_DAYS_A_MONTH: Final = Fraction(365_2425, 12_0000)  # of the Gregorian calendar


class Store(Protocol):
    @property
    def partitions(self) -> int: ...

    async def read(
        self, partition: int, after: int, limit: int, *, until: int | None = None
    ) -> Sequence[RecordedEvent]: ...


class Decoder(Protocol):
    def decode(self, recorded: RecordedEvent) -> Any: ...


class Follower(Protocol):
    """Takes in the events of a report."""

    types: frozenset[str]
    columns: tuple[str, ...]

    def follow(self, event: Any, recorded: RecordedEvent) -> None: ...

    def rows(self, at: datetime) -> list[tuple[Value, ...]]: ...


async def happenings(
    name: Happenings,
    store: Store,
    codec: Decoder,
    moment: Moment,
    count: Callable[[int], None] = lambda events: None,
) -> Report:
    """One of these reports. It reads the log from its beginning; `count` is told how much of it."""
    follower = _FOLLOWERS[name]()
    at = moment.recorded_at
    async for recorded in _events(store, moment, count):
        at = recorded.recorded_at
        if recorded.merchant_id == moment.merchant_id and recorded.type in follower.types:
            follower.follow(codec.decode(recorded), recorded)
    return Report(
        name, moment.position, moment.currency.symbol, follower.columns, follower.rows(at)
    )


async def _events(
    store: Store, moment: Moment, count: Callable[[int], None]
) -> AsyncIterator[RecordedEvent]:
    partition = partition_of(moment.merchant_id, store.partitions)
    after = 0
    while after < moment.position:
        events = await store.read(partition, after, _EVENTS_AT_ONCE, until=moment.position)
        if not events:
            return
        count(len(events))
        for event in events:
            yield event
        after = events[-1].position


class Funnel:
    """Payments by the month in which each thing happened: asked for, paid, ended without."""

    types = frozenset(
        each.type
        for each in (
            payment.PaymentRequested,
            payment.PaymentProcessing,
            payment.PaymentSucceeded,
            payment.PaymentExpired,
            payment.PaymentCanceled,
            payment.PaymentTransferReorganised,
            payment.PaymentResolutionRequired,
        )
    )
    columns = (
        "month", "created", "seen", "paid", "expired", "canceled", "needed_a_person", "taken_back",
        "paid_percent",
    )  # fmt: skip

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}

    def follow(self, event: Any, recorded: RecordedEvent) -> None:
        match event:
            case payment.PaymentRequested(requested_at=at):
                what = "created"
            case payment.PaymentProcessing(at=at):
                what = "seen"
            case payment.PaymentSucceeded(succeeded_at=at):
                what = "paid"
            case payment.PaymentExpired(expired_at=at):
                what = "expired"
            case payment.PaymentCanceled(canceled_at=at):
                what = "canceled"
            case payment.PaymentResolutionRequired(at=at):
                what = "needed_a_person"
            case payment.PaymentTransferReorganised(reorganised_at=at, undoes_success=undoes):
                if not undoes:
                    return
                what = "taken_back"
            case _:
                return
        self._counts.setdefault(month_of(at), Counter())[what] += 1

    def rows(self, at: datetime) -> list[tuple[Value, ...]]:
        names = self.columns[1:-1]
        found: list[tuple[Value, ...]] = []
        for month, counts in sorted(self._counts.items()):
            percent = None
            if counts["created"]:
                thousandths = counts["paid"] * 1000 // counts["created"]
                percent = f"{thousandths // 10}.{thousandths % 10}"
            found.append((month, *(counts[name] for name in names), percent))
        return found


class Finality:
    """Seconds from a transfer's first sight to its confirmation, by network; percentiles are exact."""

    types = frozenset(
        each.type
        for each in (
            payment.PaymentTransferDetected,
            payment.PaymentTransferConfirmed,
            payment.PaymentTransferDropped,
        )
    )
    columns = ("network", "transfers", "p50_seconds", "p90_seconds", "p95_seconds", "p99_seconds",
        "max_seconds")  # fmt: skip

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], datetime] = {}
        self._tenths: dict[str, Counter[int]] = {}

    def follow(self, event: Any, recorded: RecordedEvent) -> None:
        key = (event.payment_id, event.transfer.key)
        match event:
            case payment.PaymentTransferDetected():
                self._seen.setdefault(key, event.seen_at)
            case payment.PaymentTransferConfirmed():
                seen = self._seen.pop(key, event.confirmed_at)
                tenths = (event.confirmed_at - seen + _A_TENTH / 2) // _A_TENTH
                found = self._tenths.setdefault(event.transfer.network, Counter())
                found[min(max(0, tenths), _TENTHS_MAX)] += 1
            case _:
                self._seen.pop(key, None)

    def rows(self, at: datetime) -> list[tuple[Value, ...]]:
        return [
            (
                network,
                tenths.total(),
                *(major_text(_percentile(tenths, percent), 1) for percent in _PERCENTILES),
                major_text(max(tenths), 1),
            )
            for network, tenths in sorted(self._tenths.items())
        ]


def _percentile(found: Counter[int], percent: int) -> int:
    """The nearest rank: the least value that so many of a hundred do not exceed."""
    rank = -(-found.total() * percent // 100)
    below = 0
    for value in sorted(found):
        below += found[value]
        if below >= rank:
            return value
    raise AssertionError("there is one at least")


class Recurring:
    """Fixed prices of the subscriptions that run, a month, at each month's end. Usage and tax are not in it."""

    types = frozenset(
        f"subscription.{name}.v1"
        for name in (
            "started", "activated", "renewed", "plan_changed", "paused", "resumed", "canceled",
            "past_due", "recovered", "trial_started",
        )
    )  # fmt: skip
    columns = ("month", "currency", "subscriptions", "new", "ended", "mrr")

    def __init__(self) -> None:
        self._plans: dict[str, tuple[PlanVersion, int]] = {}
        self._running: dict[str, tuple[str, Fraction]] = {}
        self._assets: dict[str, Asset] = {}
        self._months: dict[tuple[str, str], list[Fraction]] = {}  # change, new, ended

    def follow(self, event: Any, recorded: RecordedEvent) -> None:
        name = recorded.stream_id
        plan = getattr(event, "plan", None)
        known = self._plans.get(name)
        if plan is not None:
            quantity = getattr(event, "quantity", known[1] if known else 1)
            known = self._plans[name] = (plan, quantity)
        now = None
        if known is not None and event.status in _RUNNING:
            now = (known[0].terms.currency.code, _a_month(*known))
            self._assets[now[0]] = known[0].terms.currency
        before = self._running.get(name)
        if now == before:
            return
        month = month_of(_happened(event, recorded))
        if before is not None:
            self._change(month, before, -1, is_other=now is None)
            del self._running[name]
        if now is not None:
            self._change(month, now, 1, is_other=before is None)
            self._running[name] = now
        if event.status == "canceled":
            self._plans.pop(name, None)

    def _change(self, month: str, what: tuple[str, Fraction], sign: int, *, is_other: bool) -> None:
        currency, amount = what
        sums = self._months.setdefault((month, currency), [Fraction(0)] * 3)
        sums[0] += sign * amount
        if is_other:
            sums[1 if sign > 0 else 2] += 1

    def rows(self, at: datetime) -> list[tuple[Value, ...]]:
        """A row for every month from the first to that of `at`, also where nothing changed in it."""
        found: list[tuple[Value, ...]] = []
        for currency, asset in self._assets.items():
            changed = [month for month, of in self._months if of == currency]
            amount, count = Fraction(0), 0
            for month in _months_between(min(changed), max(*changed, month_of(at))):
                change, new, ended = self._months.get((month, currency), (Fraction(0), 0, 0))
                if not count and month > max(changed):
                    break  # nothing runs any more
                amount, count = amount + change, count + int(new - ended)
                text = major_text(amount.numerator // amount.denominator, asset.decimals)
                found.append((month, asset.symbol, count, int(new), int(ended), text))
        return sorted(found, key=lambda row: (row[0], row[1]))


def _months_between(first: str, last: str) -> Iterator[str]:
    """Both of them, and those between, such as 2026-11."""
    year, month = map(int, first.split("-"))
    while (name := f"{year:04d}-{month:02d}") <= last:
        yield name
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)


def _happened(event: Any, recorded: RecordedEvent) -> datetime:
    """By the clock that its merchant lives by: an event says so in a field named after itself."""
    name = recorded.type.split(".")[1]
    at = getattr(event, f"{name}_at", None) or getattr(event, f"{name.rpartition('_')[2]}_at", None)
    return at if isinstance(at, datetime) else recorded.recorded_at


def _a_month(plan: PlanVersion, quantity: int) -> Fraction:
    """In base units."""
    interval = plan.terms.interval
    months = {
        "day": 1 / _DAYS_A_MONTH,
        "week": 7 / _DAYS_A_MONTH,
        "month": Fraction(1),
        "year": Fraction(12),
    }[interval.unit]
    units = sum(each.unit_amount.units for each in plan.terms.fixed) * quantity
    return units / (months * interval.count)


class Waiting:
    """Money and questions that wait for a person, oldest first; their age is at the position."""

    types = frozenset(
        each.type
        for each in (
            payment.PaymentResolutionRequired,
            payment.PaymentResolved,
            payment.PaymentSucceeded,
            payment.PaymentProcessing,
            payment.PaymentExpired,
            unclaimed_transfer.UnclaimedTransferConfirmed,
            unclaimed_transfer.UnclaimedTransferAssigned,
            unclaimed_transfer.UnclaimedTransferGivenUp,
            unclaimed_transfer.UnclaimedTransferReorganised,
            reconciliation.ReconciliationExceptionOpened,
            reconciliation.ReconciliationExceptionResolved,
        )
    )
    columns = ("kind", "id", "why", "asset", "amount", "since", "age_days", "bucket")

    def __init__(self) -> None:
        self._open: dict[str, tuple[str, str, tuple[Amount, ...], datetime]] = {}

    def follow(self, event: Any, recorded: RecordedEvent) -> None:
        name, at = recorded.stream_id, recorded.recorded_at
        match event:
            case payment.PaymentResolutionRequired():
                self._open[name] = ("requires_action", event.why, event.held, at)
            case unclaimed_transfer.UnclaimedTransferConfirmed():
                held = (event.transfer.amount,)
                self._open[name] = ("unclaimed_transfer", "nobody's", held, at)
            case reconciliation.ReconciliationExceptionOpened():
                opened = ("reconciliation_exception", event.kind, _difference(event), at)
                self._open[event.exception_id] = opened
            case reconciliation.ReconciliationExceptionResolved():
                self._open.pop(event.exception_id, None)
            case _:
                self._open.pop(name, None)

    def rows(self, at: datetime) -> list[tuple[Value, ...]]:
        found: list[tuple[Value, ...]] = []
        order = sorted(self._open.items(), key=lambda each: (each[1][3], each[0]))
        for name, (kind, why, amounts, since) in order:
            days = max(0, (at - since).days)
            shown = since.isoformat().replace("+00:00", "Z")
            held: list[tuple[Value, Value]] = [(it.asset.code, it.text) for it in amounts]
            for code, text in held or [(None, None)]:
                found.append((kind, name, why, code, text, shown, days, _bucket(days)))
        return found


def _difference(event: reconciliation.ReconciliationExceptionOpened) -> tuple[Amount, ...]:
    if event.asset is None or event.decimals is None:
        return ()
    units = abs(int(event.expected_units or 0) - int(event.found_units or 0))
    return (Amount(Asset(event.asset, event.decimals), units),)


def _bucket(days: int) -> str:
    return BUCKETS[bisect_right((1, 7, 30, 90), days)]


_FOLLOWERS: Final[dict[Happenings, type[Any]]] = {
    "funnel": Funnel,
    "finality": Finality,
    "mrr": Recurring,
    "exceptions": Waiting,
}
