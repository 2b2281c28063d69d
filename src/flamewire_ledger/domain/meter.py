"""A meter: which usage counts, and how it is added up.

An item of usage is a CloudEvent; a meter takes those of its event type whose properties pass its
filters, reads one property as the value, and keeps groups apart by others. What is counted never
changes: another definition is another meter, and the old one is archived.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar, Final, Literal, TypeAlias, assert_never

from flamewire_ledger.domain.rejection import AlreadyExists, Malformed, NotFound

Aggregation: TypeAlias = Literal[
    "count", "sum", "max", "min", "average", "unique", "latest", "weighted_sum"
]
# What becomes of usage that costs more credits than there are: the items are refused; the account's
# overage is used, and only what is beyond is refused; it is recorded, and what is missing is unpaid.
OnInsufficient: TypeAlias = Literal["reject", "overage", "record_unpaid"]
# A price of billing/pricing.py as its data: texts, and tiers as objects of texts.
PriceData: TypeAlias = dict[str, str | list[dict[str, str]]]
ADDITIVE: Final[frozenset[Aggregation]] = frozenset({"count", "sum"})
FILTERS_MAX: Final = 10
FILTER_VALUES_MAX: Final = 100
GROUP_KEYS_MAX: Final = 5
TEXT_MAX: Final = 128

# Facts.


@dataclass(frozen=True, slots=True)
class PropertyFilter:
    """Items whose property is one of these texts."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MeterDefined:
    """`credit_price` is in CREDIT."""

    type: ClassVar = "meter.defined.v1"
    meter_id: str
    name: str
    event_type: str
    aggregation: Aggregation
    value_key: str | None  # the property that is the value; None for count
    filters: tuple[PropertyFilter, ...]
    group_by: tuple[str, ...]
    credit_price: PriceData | None
    on_insufficient: OnInsufficient
    defined_at: datetime


@dataclass(frozen=True, slots=True)
class MeterArchived:
    """It counts nothing any more. What it counted stays."""

    type: ClassVar = "meter.archived.v1"
    meter_id: str
    archived_at: datetime


MeterEvent: TypeAlias = MeterDefined | MeterArchived

# State.


@dataclass(frozen=True, slots=True)
class Meter:
    defined: MeterDefined
    archived_at: datetime | None = None

    @property
    def is_additive(self) -> bool:
        """Whether what two parts come to is what they are together: only that can be limited."""
        return self.defined.aggregation in ADDITIVE


def evolve(meter: Meter | None, event: MeterEvent) -> Meter:
    """Fold one fact into the state."""
    if isinstance(event, MeterDefined):
        return Meter(event)
    assert meter is not None, "a meter's first fact is MeterDefined"
    match event:
        case MeterArchived():
            return replace(meter, archived_at=event.archived_at)
        case _:
            assert_never(event)


# Commands.


@dataclass(frozen=True, slots=True)
class DefineMeter:
    meter_id: str
    name: str
    event_type: str
    aggregation: Aggregation
    at: datetime
    value_key: str | None = None
    filters: tuple[PropertyFilter, ...] = ()
    group_by: tuple[str, ...] = ()
    credit_price: PriceData | None = field(default=None)
    on_insufficient: OnInsufficient = "reject"


@dataclass(frozen=True, slots=True)
class ArchiveMeter:
    meter_id: str
    at: datetime


MeterCommand: TypeAlias = DefineMeter | ArchiveMeter


def decide(meter: Meter | None, command: MeterCommand) -> tuple[MeterEvent, ...]:
    """Facts that follow from the command, or a Rejection. An empty tuple: nothing new to say."""
    match command:
        case DefineMeter():
            return _define(meter, command)
        case ArchiveMeter():
            if meter is None:
                raise NotFound(f"there is no meter {command.meter_id}")
            if meter.archived_at is not None:
                return ()
            return (MeterArchived(command.meter_id, command.at),)
        case _:
            assert_never(command)


def _define(meter: Meter | None, command: DefineMeter) -> tuple[MeterEvent, ...]:
    if meter is not None:
        raise AlreadyExists(f"meter {command.meter_id} exists")
    if (command.aggregation == "count") != (command.value_key is None):
        raise Malformed(
            "every aggregation but count names the property it adds up", pointer="/value_key"
        )
    _check_filters(command)
    if len(command.group_by) > GROUP_KEYS_MAX or len(set(command.group_by)) < len(command.group_by):
        raise Malformed(f"at most {GROUP_KEYS_MAX} keys, each once", pointer="/group_by")
    if command.credit_price is not None:
        _check_price(command.aggregation, command.credit_price)
    return (
        MeterDefined(
            meter_id=command.meter_id,
            name=command.name,
            event_type=command.event_type,
            aggregation=command.aggregation,
            value_key=command.value_key,
            filters=command.filters,
            group_by=command.group_by,
            credit_price=command.credit_price,
            on_insufficient=command.on_insufficient,
            defined_at=command.at,
        ),
    )


def _check_filters(command: DefineMeter) -> None:
    keys = [each.key for each in command.filters]
    if len(keys) > FILTERS_MAX or len(set(keys)) < len(keys):
        raise Malformed(f"at most {FILTERS_MAX} filters, each property once", pointer="/filters")
    for index, each in enumerate(command.filters):
        if not 1 <= len(each.values) <= FILTER_VALUES_MAX:
            raise Malformed(
                f"a filter has 1 to {FILTER_VALUES_MAX} values", pointer=f"/filters/{index}/values"
            )


def _check_price(aggregation: Aggregation, price: PriceData) -> None:
    """Credits are burnt with each batch. A price that looks at a whole month may only rise with what
    is used in it: nothing that was burnt is given back.
    """
    if aggregation not in ADDITIVE:
        raise Malformed("only count and sum burn credits", pointer="/credit_price")
    if price.get("model") not in ("standard", "graduated", "package", "percentage"):
        raise Malformed(
            "credits burn as usage comes: at a standard, graduated, package or percentage price",
            pointer="/credit_price/model",
        )
    if "free" in price:
        raise Malformed(
            "free units are granted as credits, not by the price", pointer="/credit_price/free"
        )
