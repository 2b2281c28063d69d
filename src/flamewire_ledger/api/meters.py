"""Meters: defining what counts, looking at it, and archiving it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.models.usage import CreateMeter
from flamewire_ledger.api.reading import find, listed, page_of, reached
from flamewire_ledger.api.rendering import as_list, time, to_json
from flamewire_ledger.api.streams import events_of, own
from flamewire_ledger.api.submitting import submit
from flamewire_ledger.api.usage_desk import METERS_READ_MAX
from flamewire_ledger.billing.pricing import PriceInvalid, from_data, to_data
from flamewire_ledger.commands import meter as commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.origin import Decision
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.meter import (
    ArchiveMeter,
    DefineMeter,
    Meter,
    MeterDefined,
    PriceData,
    PropertyFilter,
)
from flamewire_ledger.domain.rejection import LimitReached, Malformed

READ_MODEL = "meters"
METERS_MAX = 1_000  # that count, of one merchant: items are held against all of their type
assert METERS_MAX < METERS_READ_MAX


async def create(call: Call) -> Answer:
    answer = await submit(call, _define)
    call.office.usage.forget(call.merchant_id)
    return answer


async def archive(call: Call) -> Answer:
    answer = await submit(call, _archive)
    call.office.usage.forget(call.merchant_id)
    return answer


async def _define(call: Call) -> Envelope:
    body: CreateMeter = call.body
    now = call.now()
    await reached(call, call.office.acknowledged.of(call.merchant_id), READ_MODEL)
    if len((await call.office.usage.meters(call.merchant_id, afresh=True)).ids) >= METERS_MAX:
        raise LimitReached(f"there are at most {METERS_MAX} meters that count: archive some")
    meter_id = derived_id("me", now, str(call.command_id))
    command = DefineMeter(
        meter_id=meter_id,
        name=body.name,
        event_type=body.event_type,
        aggregation=body.aggregation,
        at=now,
        value_key=body.value_key,
        filters=tuple(PropertyFilter(each.key, tuple(each.values)) for each in body.filters),
        group_by=tuple(body.group_by),
        credit_price=_price(body.credit_price),
        on_insufficient=body.on_insufficient,
    )
    return commands.envelope(call.origin, command, _answer(call, meter_id))


async def _archive(call: Call) -> Envelope:
    meter_id = call.path["id"]
    await own(call, "me", meter_id)
    command = ArchiveMeter(meter_id, call.now())
    return commands.envelope(call.origin, command, _answer(call, meter_id))


async def get(call: Call) -> Answer:
    row = await find(
        call,
        "meter",
        READ_MODEL,
        lambda: _one(call, call.path["id"]),
    )
    return Answer(to_json(_row(call, row)))


async def list_all(call: Call) -> Answer:
    listing = await listed(
        call,
        READ_MODEL,
        lambda: call.parts.reads.listing("meters", page_of(call), merchant_id=call.merchant_id),
        ids="me",
    )
    return Answer(as_list([_row(call, row) for row in listing.rows], has_more=listing.has_more))


async def meter_of(call: Call, meter_id: str, pointer: str) -> MeterDefined:
    """The definition of a meter of the caller's that a body names, from the log; NotFound with its
    pointer when there is none.
    """
    await own(call, "me", meter_id, pointer)
    defined: MeterDefined = (await events_of(call, meter_id))[0]
    return defined


async def _one(call: Call, meter_id: str) -> Mapping[str, Any] | None:
    rows = await call.parts.reads.ask(
        READ_MODEL, "meter_by_id", {"merchant_id": call.merchant_id, "meter_id": meter_id}
    )
    return rows[0] if rows else None


def _price(data: dict[str, Any] | None) -> PriceData | None:
    if data is None:
        return None
    try:
        # Read and written: what is kept says what it says in one way only.
        return to_data(from_data(data))
    except PriceInvalid as fault:
        raise Malformed(fault.detail, pointer=f"/credit_price{fault.pointer}") from None


def _answer(call: Call, meter_id: str) -> Any:
    def answer(decision: Decision) -> bytes:
        meter: Meter = decision.after[meter_id]
        defined = meter.defined
        fields = {
            "name": defined.name,
            "event_type": defined.event_type,
            "aggregation": defined.aggregation,
            "value_key": defined.value_key,
            "filters": [{"key": it.key, "values": list(it.values)} for it in defined.filters],
            "group_by": list(defined.group_by),
            "credit_price": defined.credit_price,
            "on_insufficient": defined.on_insufficient,
        }
        return to_json(_view(call, meter_id, fields, defined.defined_at, meter.archived_at))

    return answer


def _row(call: Call, row: Mapping[str, Any]) -> dict[str, Any]:
    view = _view(call, row["meter_id"], row["definition"], row["defined_at"], row["archived_at"])
    return {**view, "position": row["position"]}


def _view(
    call: Call,
    meter_id: str,
    fields: Mapping[str, Any],
    defined_at: datetime,
    archived_at: datetime | None,
) -> dict[str, Any]:
    names = (
        "name",
        "event_type",
        "aggregation",
        "value_key",
        "filters",
        "group_by",
        "credit_price",
        "on_insufficient",
    )
    return {
        "id": meter_id,
        "object": "meter",
        "livemode": call.caller.livemode,
        **{name: fields[name] for name in names},
        "status": "active" if archived_at is None else "archived",
        "created_at": time(defined_at),
        "archived_at": time(archived_at),
    }
