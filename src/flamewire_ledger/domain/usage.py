"""The usage of a credit account: batches of items as one fact each, limits, and thresholds.

The items themselves are kept beside the log; here are what they add up to by meter, hour and group,
how many they were, and the root of a Merkle tree over them, so that each can be proved.

What a newcomer would get wrong: usage belongs to the hour it happened in, not to that in which it
was recorded; a batch may touch last month. And items that count for the same meters (a bundle) are
taken or refused together, because they share a root.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Context, Decimal
from typing import ClassVar, Final, Literal, TypeAlias, assert_never

from flamewire_ledger.domain.money import Amount
from flamewire_ledger.domain.rejection import Malformed, NotFound

Period: TypeAlias = Literal["day", "month"]
Bound: TypeAlias = Literal["soft", "hard"]
PERCENTS: Final = (50, 80, 100)
# Of totals: usage is taken for 35 days, and the month it happened in began 30 days earlier at most.
DAYS_KEPT: Final = 70
_EXACT: Final = Context(prec=200)
_WHOLE: Final = Decimal(100)

# Facts.


@dataclass(frozen=True, slots=True)
class Sample:
    """A level at a time, for what is weighted by how long it lasted."""

    at: datetime
    value: Decimal


@dataclass(frozen=True, slots=True)
class UsageDelta:
    """What items of one meter, group and hour add to it. Values are None where none was read."""

    meter_id: str
    group: dict[str, str]
    hour: datetime
    count: int
    quantity: Decimal | None  # what can be limited and priced as it comes; of count and sum
    sum: Decimal | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    latest: Decimal | None = None
    latest_at: datetime | None = None
    distinct: tuple[str, ...] = ()  # of unique: hashes of the values
    samples: tuple[Sample, ...] = ()  # of weighted_sum


@dataclass(frozen=True, slots=True)
class UsageBundle:
    """Items that count for the same meters. `root`: RFC 6962, over the items as they were sent."""

    number: int  # in its batch
    items: int
    root: str
    deltas: tuple[UsageDelta, ...]


@dataclass(frozen=True, slots=True)
class UsageRecorded:
    type: ClassVar = "usage.recorded.v1"
    account_id: str
    batch_id: str
    bundles: tuple[UsageBundle, ...]
    burnt: Amount  # credits, recorded with it on the account
    unpaid: Amount  # credits it would have cost on top, where its meter records that
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class UsageLimitSet:
    type: ClassVar = "usage.limit_set.v1"
    account_id: str
    meter_id: str
    period: Period
    soft: Decimal | None  # said, and let through
    hard: Decimal | None  # refused
    set_at: datetime


@dataclass(frozen=True, slots=True)
class UsageLimitRemoved:
    type: ClassVar = "usage.limit_removed.v1"
    account_id: str
    meter_id: str
    period: Period
    removed_at: datetime


@dataclass(frozen=True, slots=True)
class UsageThresholdReached:
    """So many per cent of a limit are used. Said once for each period."""

    type: ClassVar = "usage.threshold_reached.v1"
    account_id: str
    meter_id: str
    period: Period
    period_start: datetime
    bound: Bound
    percent: int
    limit: Decimal
    used: Decimal
    reached_at: datetime


@dataclass(frozen=True, slots=True)
class UsageGrantUsedUp:
    """Recorded usage burnt the last of a grant."""

    type: ClassVar = "usage.grant_used_up.v1"
    account_id: str
    grant_id: str
    batch_id: str
    used_up_at: datetime


UsageEvent: TypeAlias = (
    UsageRecorded | UsageLimitSet | UsageLimitRemoved | UsageThresholdReached | UsageGrantUsedUp
)

# State.


@dataclass(frozen=True, slots=True)
class Limit:
    meter_id: str
    period: Period
    soft: Decimal | None
    hard: Decimal | None
    # What was said: (start of the period, bound, percent). Of the periods that totals are kept of.
    said: frozenset[tuple[datetime, Bound, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Usage:
    totals: dict[str, dict[datetime, Decimal]] = field(
        default_factory=dict
    )  # meter → day → so much
    limits: dict[str, Limit] = field(default_factory=dict)  # by meter and period

    def used(self, meter_id: str, period: Period, at: datetime) -> Decimal:
        """Of an additive meter, in the period that holds the time."""
        start = period_start(period, at)
        end = period_end(period, start)
        days = self.totals.get(meter_id, {})
        return _sum(units for day, units in days.items() if start <= day < end)


def limit_key(meter_id: str, period: Period) -> str:
    return f"{meter_id}/{period}"


def stream_of(account_id: str) -> str:
    """The stream of an account's usage: one each, and known without asking."""
    return f"us_{account_id.partition('_')[2]}"


def period_start(period: Period, at: datetime) -> datetime:
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return day if period == "day" else day.replace(day=1)


def period_end(period: Period, start: datetime) -> datetime:
    if period == "day":
        return start + timedelta(days=1)
    return (start + timedelta(days=32)).replace(day=1)


def evolve(usage: Usage | None, event: UsageEvent) -> Usage:
    """Fold one fact into the state."""
    usage = usage or Usage()
    match event:
        case UsageRecorded():
            return replace(usage, totals=_added(usage.totals, event.bundles))
        case UsageLimitSet():
            key = limit_key(event.meter_id, event.period)
            known = usage.limits.get(key)
            # A limit that is raised or lowered is another one: its thresholds are said again.
            is_same = known is not None and (known.soft, known.hard) == (event.soft, event.hard)
            said = known.said if known is not None and is_same else frozenset()
            limit = Limit(event.meter_id, event.period, event.soft, event.hard, said)
            return replace(usage, limits={**usage.limits, key: limit})
        case UsageLimitRemoved():
            key = limit_key(event.meter_id, event.period)
            return replace(usage, limits={k: it for k, it in usage.limits.items() if k != key})
        case UsageThresholdReached():
            key = limit_key(event.meter_id, event.period)
            limit = usage.limits[key]
            oldest = event.period_start - timedelta(days=DAYS_KEPT)
            said = frozenset(it for it in limit.said if it[0] >= oldest)
            said |= {(event.period_start, event.bound, event.percent)}
            return replace(usage, limits={**usage.limits, key: replace(limit, said=said)})
        case UsageGrantUsedUp():
            return usage
        case _:
            assert_never(event)


def _added(
    totals: Mapping[str, dict[datetime, Decimal]], bundles: Iterable[UsageBundle]
) -> dict[str, dict[datetime, Decimal]]:
    after = dict(totals)
    touched: set[str] = set()
    for bundle in bundles:
        for delta in bundle.deltas:
            if delta.quantity is None:
                continue
            if delta.meter_id not in touched:
                touched.add(delta.meter_id)
                after[delta.meter_id] = dict(after.get(delta.meter_id, ()))
            days, day = after[delta.meter_id], period_start("day", delta.hour)
            days[day] = _EXACT.add(days.get(day, Decimal(0)), delta.quantity)
    for meter_id in touched:
        days = after[meter_id]
        if len(days) > DAYS_KEPT:
            oldest = max(days) - timedelta(days=DAYS_KEPT)
            after[meter_id] = {day: units for day, units in days.items() if day > oldest}
    return after


def _sum(values: Iterable[Decimal]) -> Decimal:
    result = Decimal(0)
    for value in values:
        result = _EXACT.add(result, value)
    return result


# Commands.


@dataclass(frozen=True, slots=True)
class RecordUsage:
    """A batch of one account, without what is refused: commands/usage.py has found that out."""

    account_id: str
    batch_id: str
    bundles: tuple[UsageBundle, ...]
    burnt: Amount
    unpaid: Amount
    at: datetime
    grants_used_up: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetUsageLimit:
    account_id: str
    meter_id: str
    period: Period
    soft: Decimal | None
    hard: Decimal | None
    at: datetime


@dataclass(frozen=True, slots=True)
class RemoveUsageLimit:
    account_id: str
    meter_id: str
    period: Period
    at: datetime


UsageCommand: TypeAlias = RecordUsage | SetUsageLimit | RemoveUsageLimit


def decide(usage: Usage | None, command: UsageCommand) -> tuple[UsageEvent, ...]:
    """Facts that follow from the command, or a Rejection. An empty tuple: nothing new to say."""
    match command:
        case RecordUsage():
            return _record(usage, command)
        case SetUsageLimit():
            return _set_limit(usage, command)
        case RemoveUsageLimit():
            if usage is None or limit_key(command.meter_id, command.period) not in usage.limits:
                raise NotFound("there is no such limit")
            return (
                UsageLimitRemoved(command.account_id, command.meter_id, command.period, command.at),
            )
        case _:
            assert_never(command)


def within_hard_limits(
    usage: Usage | None, bundles: Sequence[UsageBundle]
) -> tuple[UsageBundle, ...]:
    """The bundles that fit, each judged behind those in front of it that do."""
    if usage is None or not any(limit.hard is not None for limit in usage.limits.values()):
        return tuple(bundles)
    taken: list[UsageBundle] = []
    for bundle in bundles:
        after = Usage(_added(usage.totals, (bundle,)), usage.limits)
        if not any(_exceeds(after, limit, bundle) for limit in usage.limits.values()):
            taken.append(bundle)
            usage = after
    return tuple(taken)


def _exceeds(after: Usage, limit: Limit, bundle: UsageBundle) -> bool:
    hard = limit.hard
    if hard is None:
        return False
    hours = {delta.hour for delta in bundle.deltas if delta.meter_id == limit.meter_id}
    return any(after.used(limit.meter_id, limit.period, hour) > hard for hour in hours)


def _record(usage: Usage | None, command: RecordUsage) -> tuple[UsageEvent, ...]:
    if not command.bundles:
        return ()
    recorded = UsageRecorded(
        account_id=command.account_id,
        batch_id=command.batch_id,
        bundles=command.bundles,
        burnt=command.burnt,
        unpaid=command.unpaid,
        recorded_at=command.at,
    )
    used_up = [
        UsageGrantUsedUp(command.account_id, grant_id, command.batch_id, command.at)
        for grant_id in command.grants_used_up
    ]
    after = evolve(usage, recorded)
    return (recorded, *_thresholds(after, command), *used_up)


def _set_limit(usage: Usage | None, command: SetUsageLimit) -> tuple[UsageEvent, ...]:
    if command.soft is None and command.hard is None:
        raise Malformed("a limit is soft, hard or both", pointer="/hard")
    for name, bound in (("soft", command.soft), ("hard", command.hard)):
        if bound is not None and not bound > 0:
            raise Malformed("a limit is more than zero", pointer=f"/{name}")
    if command.soft is not None and command.hard is not None and command.soft > command.hard:
        raise Malformed("the soft limit comes before the hard one", pointer="/soft")
    known = (usage or Usage()).limits.get(limit_key(command.meter_id, command.period))
    if known is not None and (known.soft, known.hard) == (command.soft, command.hard):
        return ()
    return (
        UsageLimitSet(
            command.account_id,
            command.meter_id,
            command.period,
            command.soft,
            command.hard,
            command.at,
        ),
    )


def _thresholds(after: Usage, command: RecordUsage) -> list[UsageThresholdReached]:
    """What a batch moved across 50, 80 or 100 % of a limit, and was not said in that period."""
    found = []
    deltas = [delta for bundle in command.bundles for delta in bundle.deltas]
    for limit in after.limits.values():
        hours = (delta.hour for delta in deltas if delta.meter_id == limit.meter_id)
        for start in sorted({period_start(limit.period, hour) for hour in hours}):
            used = after.used(limit.meter_id, limit.period, start)
            for bound, most in _bounds(limit):
                for percent in PERCENTS:
                    is_said = (start, bound, percent) in limit.said
                    if not is_said and _EXACT.multiply(used, _WHOLE) >= _EXACT.multiply(
                        most, Decimal(percent)
                    ):
                        found.append(
                            UsageThresholdReached(
                                account_id=command.account_id,
                                meter_id=limit.meter_id,
                                period=limit.period,
                                period_start=start,
                                bound=bound,
                                percent=percent,
                                limit=most,
                                used=used,
                                reached_at=command.at,
                            )
                        )
    return found


def _bounds(limit: Limit) -> list[tuple[Bound, Decimal]]:
    bounds: tuple[tuple[Bound, Decimal | None], ...] = (("soft", limit.soft), ("hard", limit.hard))
    return [(bound, most) for bound, most in bounds if most is not None]
