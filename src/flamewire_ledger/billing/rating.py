"""Rating: aggregated usage and a price list in, lines of a bill out.

A price list says for each meter, or for a part of its groups, what it costs. Usage goes to the entry
that names most of its group, and all usage of an entry is priced together: tiers are of the sum, not
of each hour.

Usage that comes late changes what a closed period would have cost. The bill stays as it is; what is
owed or given back for the difference is worked out by `adjust`, for the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple

from flamewire_ledger.billing.price_models import NumberInvalid, PriceInvalid, UnknownKey, positive
from flamewire_ledger.billing.pricing import (
    Price,
    RatedLine,
    charge,
    from_data,
    to_data,
    total,
    up_to_commitment,
)
from flamewire_ledger.billing.rounding import EXACT
from flamewire_ledger.domain.money import Amount, Asset, MoneyError

ENTRIES_MAX: Final = 500
_ZERO: Final = Decimal(0)


class Used(NamedTuple):
    """So much of a meter, of one group: what a row of the usage read model says."""

    meter_id: str
    group: Mapping[str, str]
    quantity: Decimal
    events: Sequence[Decimal] | None = None  # for percentages with a minimum or maximum by event


class UnpricedUsage(PriceInvalid):
    """Usage that no entry is for. It is never given away unsaid: price it, at zero if so meant."""

    code = "usage_unpriced"


@dataclass(frozen=True, slots=True)
class PriceEntry:
    """What usage of a meter costs; with a group, only that part of it."""

    meter_id: str
    price: Price
    name: str
    group: tuple[tuple[str, str], ...] = ()

    def fits(self, used: Used) -> bool:
        return self.meter_id == used.meter_id and all(
            used.group.get(key) == value for key, value in self.group
        )


@dataclass(frozen=True, slots=True)
class PriceList:
    """Entries in one currency. `commit`: what all of them come to at least."""

    entries: tuple[PriceEntry, ...]
    commit: Amount | None = None
    _by_meter: Mapping[str, Sequence[PriceEntry]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.entries) <= ENTRIES_MAX:
            raise PriceInvalid(f"a price list has 1 to {ENTRIES_MAX} entries", "/entries")
        by_meter: dict[str, list[PriceEntry]] = {}
        for index, entry in enumerate(self.entries):
            same = by_meter.setdefault(entry.meter_id, [])
            if any(other.group == entry.group for other in same):
                raise PriceInvalid("two entries are for the same usage", f"/entries/{index}")
            same.append(entry)
        for entries in by_meter.values():
            entries.sort(key=lambda entry: -len(entry.group))  # what names most comes first
        object.__setattr__(self, "_by_meter", by_meter)

    def entry_for(self, used: Used) -> PriceEntry:
        """Raises UnpricedUsage when there is none."""
        for entry in self._by_meter.get(used.meter_id, ()):
            if entry.fits(used):
                return entry
        raise UnpricedUsage(f"no entry prices usage of {used.meter_id} {dict(used.group)}")


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What usage that came late makes of a closed period: lines owed, and lines given back."""

    owed: tuple[RatedLine, ...]
    given_back: tuple[RatedLine, ...]


def rate(usage: Iterable[Used], prices: PriceList, currency: Asset) -> tuple[RatedLine, ...]:
    """The lines of a bill, in the order of the price list; an entry that nothing was used of has
    none, unless its price is a commitment.

    Raises UnpricedUsage for usage without a price, and MoneyError when the commitment of the list
    is in another currency.
    """
    lines = [line for _, found in _rated(usage, prices, currency) for line in found]
    if prices.commit is None:
        return tuple(lines)
    return up_to_commitment(lines, prices.commit)


def adjust(
    before: Iterable[Used], after: Iterable[Used], prices: PriceList, currency: Asset
) -> Adjustment:
    """The difference between two states of the same period, entry by entry.

    More usage may cost less where a volume price falls: that is given back. The commitment of the
    list was owed with the period, so only what goes beyond it is owed now.
    """
    was = _by_entry(_rated(before, prices, currency), currency)
    now = _by_entry(_rated(after, prices, currency), currency)
    owed: list[RatedLine] = []
    given_back: list[RatedLine] = []
    for entry in prices.entries:
        one, other = was[entry], now[entry]
        if one == other:
            continue
        more = one < other
        difference = other - one if more else one - other
        name = f"{entry.name}: late usage"
        (owed if more else given_back).append(RatedLine(name, Decimal(1), None, difference))
    return _beyond_commitment(owed, given_back, was, prices, currency)


def _beyond_commitment(
    owed: list[RatedLine],
    given_back: list[RatedLine],
    was: Mapping[PriceEntry, Amount],
    prices: PriceList,
    currency: Asset,
) -> Adjustment:
    commit = prices.commit
    if commit is None:
        return Adjustment(tuple(owed), tuple(given_back))
    charged = sum(was.values(), Amount(currency, 0))
    after = charged + total(owed, currency) - total(given_back, currency)
    paid, due = max(charged, commit), max(after, commit)
    if paid == due:
        return Adjustment((), ())
    difference = due - paid if paid < due else paid - due
    line = RatedLine("late usage beyond the commitment", Decimal(1), None, difference)
    return Adjustment((line,), ()) if paid < due else Adjustment((), (line,))


def _rated(
    usage: Iterable[Used], prices: PriceList, currency: Asset
) -> list[tuple[PriceEntry, tuple[RatedLine, ...]]]:
    sums: dict[PriceEntry, Decimal] = dict.fromkeys(prices.entries, _ZERO)
    events: dict[PriceEntry, list[Decimal]] = {}
    known: dict[tuple[str, tuple[tuple[str, str], ...]], PriceEntry] = {}
    for used in usage:
        # The same few groups come again with every hour.
        key = (used.meter_id, tuple(used.group.items()))
        entry = known.get(key)
        if entry is None:
            entry = known[key] = prices.entry_for(used)
        sums[entry] = EXACT.add(sums[entry], used.quantity)
        if used.events is not None:
            events.setdefault(entry, []).extend(used.events)
    return [
        (
            entry,
            charge(entry.price, quantity, currency, name=entry.name, events=events.get(entry)),
        )
        for entry, quantity in sums.items()
    ]


def _by_entry(
    rated: Iterable[tuple[PriceEntry, tuple[RatedLine, ...]]], currency: Asset
) -> Mapping[PriceEntry, Amount]:
    return {entry: total(lines, currency) for entry, lines in rated}


def price_list_to_data(prices: PriceList) -> dict[str, Any]:
    """The list as JSON has it. `price_list_from_data` of it is an equal list."""
    data: dict[str, Any] = {
        "entries": [
            {
                "meter_id": entry.meter_id,
                "name": entry.name,
                **({"group": dict(entry.group)} if entry.group else {}),
                "price": to_data(entry.price),
            }
            for entry in prices.entries
        ]
    }
    return data if prices.commit is None else {**data, "commit": prices.commit.text}


def price_list_from_data(data: Any, currency: Asset) -> PriceList:
    """The list that JSON describes. Raises PriceInvalid, whose pointer names the field at fault."""
    if not isinstance(data, Mapping):
        raise PriceInvalid("a price list is a JSON object")
    _only(data, ("entries", "commit"), "")
    entries = data.get("entries")
    if not isinstance(entries, list | tuple) or not 1 <= len(entries) <= ENTRIES_MAX:
        raise PriceInvalid(f"a price list has 1 to {ENTRIES_MAX} entries", "/entries")
    found = tuple(_entry(each, f"/entries/{index}") for index, each in enumerate(entries))
    return PriceList(found, _commit(data.get("commit"), currency))


def _entry(data: Any, pointer: str) -> PriceEntry:
    if not isinstance(data, Mapping):
        raise PriceInvalid("an entry is a JSON object", pointer)
    _only(data, ("meter_id", "name", "group", "price"), pointer)
    meter_id, name = data.get("meter_id"), data.get("name", "usage")
    if not isinstance(meter_id, str) or not isinstance(name, str):
        raise PriceInvalid("meter_id and name are texts", f"{pointer}/meter_id")
    group = data.get("group") or {}
    if not isinstance(group, Mapping) or not all(
        isinstance(text, str) for pair in group.items() for text in pair
    ):
        raise PriceInvalid("a group is an object of texts", f"{pointer}/group")
    try:
        price = from_data(data.get("price"))
    except PriceInvalid as fault:
        raise fault.within(f"{pointer}/price") from None
    return PriceEntry(meter_id, price, name, tuple(sorted(group.items())))


def _commit(text: Any, currency: Asset) -> Amount | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise NumberInvalid('a commitment is a decimal in a string, such as "100.00"', "/commit")
    try:
        amount = Amount.parse(text, currency)
    except MoneyError as error:
        raise NumberInvalid(str(error), "/commit") from None
    positive(Decimal(text), "/commit")
    return amount


def _only(data: Mapping[str, Any], known: Sequence[str], pointer: str) -> None:
    for key in data:
        if key not in known:
            raise UnknownKey(f"only {', '.join(known)} are known here", f"{pointer}/{key}")
