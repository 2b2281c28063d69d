"""Metering: from items of usage, as they were sent, to what they add up to.

An item is one CloudEvents 1.0 object in JSON. It is read twice in its life at most: when it comes,
and when a batch that nobody finished is recorded after a crash; both give the same, because nothing
but its bytes and the meters' definitions decides what it counts.

What a newcomer would get wrong: numbers in JSON are read as whole numbers or decimals, never as
floats, so that 0.1 is 0.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from flamewire_ledger.billing.pricing import (
    Graduated,
    Package,
    Price,
    RatedLine,
    charge,
    from_data,
    total,
)
from flamewire_ledger.domain.credit_account import CREDIT
from flamewire_ledger.domain.meter import ADDITIVE, MeterDefined, OnInsufficient
from flamewire_ledger.domain.usage import Sample, UsageBundle, UsageDelta, period_start
from flamewire_ledger.store.merkle import MerkleTree

TEXT_MAX: Final = 256  # of ids, sources, and values that groups are made of
VALUE_DIGITS_MAX: Final = 20  # on either side of the point
_EXACT: Final = Context(prec=200)
_ZERO: Final = Decimal(0)


class Item(msgspec.Struct, frozen=True):
    """CloudEvents 1.0, as far as usage is concerned; other attributes are kept, and mean nothing."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: dict[str, Any] = {}


class Refused(NamedTuple):
    """Why an item is not taken."""

    code: str
    detail: str


class Count(NamedTuple):
    """What one item is to one meter."""

    meter: Metered
    group: tuple[str, ...]
    value: int | Decimal | str | None  # a text for unique, None for count


class Reading(NamedTuple):
    item: Item
    counts: tuple[Count, ...]

    @property
    def meters(self) -> tuple[str, ...]:
        """What items of one bundle have in common."""
        return tuple(count.meter.defined.meter_id for count in self.counts)


@dataclass(frozen=True, slots=True, eq=False)
class Metered:
    """A meter's definition, ready to count."""

    defined: MeterDefined
    filters: Sequence[tuple[str, frozenset[str]]] = ()
    price: Price | None = None

    @classmethod
    def of(cls, defined: MeterDefined) -> Metered:
        filters = [(each.key, frozenset(each.values)) for each in defined.filters]
        price = None if defined.credit_price is None else from_data(defined.credit_price)
        return cls(defined, filters, price)


def _decimal(text: str) -> Decimal:
    return Decimal(text)


_decoder: Final = msgspec.json.Decoder(Item, float_hook=_decimal)


def read_item(raw: bytes) -> Item | Refused:
    """The item in these bytes."""
    try:
        item = _decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ArithmeticError) as error:
        return Refused("malformed", f"no CloudEvent: {str(error)[:200]}")
    if item.specversion != "1.0":
        return Refused("malformed", "specversion is 1.0")
    for text in (item.id, item.source, item.type, item.subject):
        if not 1 <= len(text) <= TEXT_MAX or not text.isprintable():
            return Refused(
                "malformed", f"id, source, type and subject have 1 to {TEXT_MAX} printable letters"
            )
    if item.time.tzinfo is None:
        return Refused("malformed", "time has an offset, such as Z")
    return item


class Meters:
    """The meters of a merchant, by the event type they count."""

    def __init__(self, meters: Iterable[Metered]) -> None:
        self._by_type: dict[str, list[Metered]] = {}
        for meter in sorted(meters, key=lambda it: it.defined.meter_id):
            self._by_type.setdefault(meter.defined.event_type, []).append(meter)

    @property
    def ids(self) -> list[str]:
        return [it.defined.meter_id for meters in self._by_type.values() for it in meters]

    def knows(self, event_type: str) -> bool:
        """Whether any of them counts events of this type."""
        return event_type in self._by_type

    def read(self, item: Item) -> Reading | Refused:
        """What the item counts for. One that counts for nothing is refused, and so said."""
        meters = self._by_type.get(item.type)
        if meters is None:
            return Refused("unknown_meter", f"no meter counts events of type {item.type}")
        counts = []
        for meter in meters:
            if not all(_text(item.data.get(key)) in values for key, values in meter.filters):
                continue
            value = _value(meter.defined, item.data)
            if isinstance(value, Refused):
                return value
            group = _group(meter.defined, item.data)
            if isinstance(group, Refused):
                return group
            counts.append(Count(meter, group, value))
        if not counts:
            return Refused("unknown_meter", "no meter's filters let this pass")
        return Reading(item, tuple(counts))


def _value(meter: MeterDefined, data: dict[str, Any]) -> int | Decimal | str | Refused | None:
    if meter.value_key is None:
        return None
    value = data.get(meter.value_key)
    if meter.aggregation == "unique":
        text = _text(value)
        return text or Refused("bad_value", f"{meter.value_key} is a text or a number")
    if isinstance(value, str):
        value = _number(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return Refused("bad_value", f"{meter.value_key} is a number, or a decimal in a string")
    if not _is_short(value):
        return Refused(
            "bad_value", f"{meter.value_key} has at most {VALUE_DIGITS_MAX} digits on either side"
        )
    if value < 0 and meter.aggregation in ADDITIVE:
        return Refused("bad_value", f"{meter.value_key} is not below zero")
    return value


def _number(text: str) -> Decimal | None:
    if len(text) > 2 * VALUE_DIGITS_MAX + 2 or not text.isascii():
        return None
    try:
        return Decimal(text)
    except ArithmeticError:
        return None


def _is_short(value: int | Decimal) -> bool:
    if type(value) is int:
        return -(10**VALUE_DIGITS_MAX) < value < 10**VALUE_DIGITS_MAX
    assert isinstance(value, Decimal), "the other of the two"
    exponent = value.as_tuple().exponent
    is_finite = isinstance(exponent, int)
    return is_finite and value.adjusted() < VALUE_DIGITS_MAX and exponent >= -VALUE_DIGITS_MAX  # type: ignore[operator]


def _group(meter: MeterDefined, data: dict[str, Any]) -> tuple[str, ...] | Refused:
    if not meter.group_by:
        return ()
    values = tuple([_text(data.get(key)) for key in meter.group_by])
    for value in values:
        if len(value) > TEXT_MAX or not (value.isprintable() or not value):
            return Refused("bad_value", f"groups have at most {TEXT_MAX} printable letters")
    return values


def _text(value: object) -> str:
    """A property as filters and groups compare it; nothing, a list or an object is the empty text."""
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | Decimal) else ""


@lru_cache(maxsize=4_096)
def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def hour_of(at: datetime) -> datetime:
    """The hour that usage of this time belongs to, in UTC."""
    return _hour(at.replace(second=0, microsecond=0))


class InMonth(NamedTuple):
    """So much of a meter in a month, which costs by what the month had before it."""

    meter_id: str
    month: datetime
    quantity: Decimal
    price: Price

    def cost_units(self, before: Decimal) -> int:
        """What the month costs with it, less what it cost without. So a month comes to the price of
        all that was used in it, however that was cut into batches.
        """
        after = _EXACT.add(before, self.quantity)
        return _units(self.price, after) - _units(self.price, before)


@dataclass(slots=True)
class Bundle:
    """Items that count for the same meters, added up; and what they cost in credits."""

    fact: UsageBundle
    seqs: list[int]  # places of its items in the batch
    cost_units: int = 0  # as far as it does not depend on the month
    in_months: list[InMonth] = field(default_factory=list)
    on_insufficient: OnInsufficient = "record_unpaid"

    @property
    def is_priced(self) -> bool:
        return bool(self.cost_units or self.in_months)


_STRICTNESS: Final[Sequence[OnInsufficient]] = ("record_unpaid", "overage", "reject")


def bundles_of(items: Sequence[bytes], readings: Sequence[tuple[int, Reading]]) -> list[Bundle]:
    """What the items at these places of a batch add up to. The same items give the same bundles."""
    together: dict[tuple[str, ...], list[tuple[int, Reading]]] = {}
    for place, reading in readings:
        together.setdefault(reading.meters, []).append((place, reading))
    return [_bundle(number, items, found) for number, found in enumerate(together.values())]


def _bundle(number: int, items: Sequence[bytes], found: Sequence[tuple[int, Reading]]) -> Bundle:
    tree = MerkleTree()
    seqs = [place for place, _ in found]
    tree.add([items[place] for place in seqs])
    sums: dict[tuple[str, tuple[str, ...], datetime], _Sum] = {}
    for _, (item, counts) in found:
        hour = hour_of(item.time)
        for meter, group, value in counts:
            key = (meter.defined.meter_id, group, hour)
            known = sums.get(key)
            if known is None:
                known = sums[key] = _Sum(meter.defined, group, hour)
            known.count += 1
            if value is not None:
                known.values.append(value)
                known.times.append(item.time)
    deltas = tuple([known.delta() for known in sums.values()])
    bundle = Bundle(UsageBundle(number, len(seqs), tree.root().hex(), deltas), seqs)
    _price(bundle, [count.meter for count in found[0][1].counts], found)
    return bundle


def _price(bundle: Bundle, meters: Sequence[Metered], found: Sequence[tuple[int, Reading]]) -> None:
    for place, meter in enumerate(meters):
        if meter.price is None:
            continue
        policies = (bundle.on_insufficient, meter.defined.on_insufficient)
        bundle.on_insufficient = max(policies, key=_STRICTNESS.index)
        if isinstance(meter.price, Graduated | Package):
            bundle.in_months += _in_months(bundle.fact, meter.defined.meter_id, meter.price)
            continue
        each = [_quantity(reading.counts[place].value) for _, reading in found]
        lines = charge(meter.price, exact_sum(each), CREDIT, events=each)
        if all(map(_is_whole, lines)):
            bundle.cost_units += total(lines, CREDIT).units
        else:
            # Rounded up with the month: batch by batch, many small ones would cost more than one.
            bundle.in_months += _in_months(bundle.fact, meter.defined.meter_id, meter.price)


def _is_whole(line: RatedLine) -> bool:
    """Whether nothing was rounded. What has a minimum or maximum by event has no unit price, and is
    rounded by the batch: a month's sum does not say what its events were.
    """
    if line.unit_price is None:
        return True
    exact = _EXACT.multiply(line.quantity, line.unit_price)
    return _EXACT.multiply(exact, CREDIT.units_per_major) == line.amount.units


def _in_months(fact: UsageBundle, meter_id: str, price: Price) -> list[InMonth]:
    months: dict[datetime, Decimal] = {}
    for delta in fact.deltas:
        if delta.meter_id == meter_id:
            assert delta.quantity is not None, "only what adds up is priced as it comes"
            month = period_start("month", delta.hour)
            months[month] = _EXACT.add(months.get(month, _ZERO), delta.quantity)
    return [InMonth(meter_id, month, units, price) for month, units in sorted(months.items())]


def _units(price: Price, quantity: Decimal) -> int:
    return total(charge(price, quantity, CREDIT), CREDIT).units


def _quantity(value: int | Decimal | str | None) -> Decimal:
    assert not isinstance(value, str), "only what adds up is priced as it comes"
    return Decimal(1) if value is None else Decimal(value)


@dataclass(slots=True)
class _Sum:
    meter: MeterDefined
    group: tuple[str, ...]
    hour: datetime
    count: int = 0
    values: list[Any] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)

    def delta(self) -> UsageDelta:
        meter = self.meter
        group = dict(zip(meter.group_by, self.group, strict=True))
        if meter.aggregation == "count":
            quantity = Decimal(self.count)
            return UsageDelta(meter.meter_id, group, self.hour, self.count, quantity)
        if meter.aggregation == "unique":
            distinct = tuple(sorted({_digest(value) for value in self.values}))
            return UsageDelta(meter.meter_id, group, self.hour, self.count, None, distinct=distinct)
        added = exact_sum(self.values)
        # Of two at the same moment the later one in the batch is the latest.
        last = max(range(len(self.times)), key=lambda place: (self.times[place], place))
        samples: tuple[Sample, ...] = ()
        if meter.aggregation == "weighted_sum":
            pairs = zip(self.times, self.values, strict=True)
            samples = tuple(Sample(at.astimezone(UTC), Decimal(value)) for at, value in pairs)
        return UsageDelta(
            meter_id=meter.meter_id,
            group=group,
            hour=self.hour,
            count=self.count,
            quantity=added if meter.aggregation == "sum" else None,
            sum=added,
            minimum=Decimal(min(self.values)),
            maximum=Decimal(max(self.values)),
            latest=Decimal(self.values[last]),
            latest_at=self.times[last].astimezone(UTC),
            samples=samples,
        )


def _digest(text: str) -> str:
    """Sixteen bytes are enough to tell values apart, and say nothing about them."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def exact_sum(values: Sequence[int | Decimal]) -> Decimal:
    """Their sum, exact."""
    whole, parts = 0, _ZERO
    for value in values:
        if type(value) is int:
            whole += value
        else:
            parts = _EXACT.add(parts, value)
    return _EXACT.add(parts, Decimal(whole)) if whole else parts
