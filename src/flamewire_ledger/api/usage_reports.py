"""What usage adds up to, proof that an item is in it, and the limits on it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from flamewire_ledger.api import problems
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.meters import meter_of
from flamewire_ledger.api.models.usage import (
    FindUsageProof,
    GetUsage,
    RemoveLimitBody,
    SetLimitBody,
)
from flamewire_ledger.api.reading import caught_up
from flamewire_ledger.api.rendering import as_list, time, to_json
from flamewire_ledger.api.streams import own
from flamewire_ledger.commands import usage as commands
from flamewire_ledger.commands.decider import Envelope
from flamewire_ledger.commands.metering import bundles_of
from flamewire_ledger.commands.origin import Decision
from flamewire_ledger.commands.usage_recording import UsageNotRecorded
from flamewire_ledger.domain.meter import ADDITIVE
from flamewire_ledger.domain.rejection import Malformed
from flamewire_ledger.domain.usage import (
    Period,
    RemoveUsageLimit,
    SetUsageLimit,
    UsageCommand,
    limit_key,
    period_start,
    stream_of,
)
from flamewire_ledger.store.merkle import inclusion_path, leaf_hash
from flamewire_ledger.store.usage_items import ClaimedBatch, key_of

READ_MODEL: Final = "usage"
LINES_MAX: Final = 10_000
LIMITS_MAX: Final = 100
_HOUR: Final = timedelta(hours=1)
_EVER: Final = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))


async def get(call: Call) -> Answer:
    query: GetUsage = call.query
    await own(call, "ca", query.account)
    now = call.now()
    begin = query.from_ or period_start("month", now)
    end = query.to or now.replace(minute=0, second=0, microsecond=0) + _HOUR
    for name, at in (("from", begin), ("to", end), ("late_from", query.late_from)):
        if at is not None and (at.minute or at.second or at.microsecond):
            raise problems.wrong_parameter(name, "usage is kept by the hour: give a full one")
    if begin >= end:
        raise problems.wrong_parameter("to", "it comes after `from`")
    await caught_up(call, READ_MODEL, "meters")
    rows = await call.parts.reads.ask(
        READ_MODEL,
        "usage_by_period",
        {
            "merchant_id": call.merchant_id,
            "account_id": query.account,
            "meter_id": query.meter,
            "from": begin,
            "to": end,
            "recorded_from": query.recorded_from or _EVER[0],
            "recorded_to": query.recorded_to or _EVER[1],
            "late_from": query.late_from or end,
            "now": now,
            "granularity": query.granularity,
            "group_by": [key for key in (query.group_by or "").split(",") if key],
            "limit": LINES_MAX + 1,
        },
    )
    return Answer(
        as_list(
            [_line(row) for row in rows[:LINES_MAX]],
            has_more=len(rows) > LINES_MAX,
            **{"object": "usage", "from": time(begin), "to": time(end)},
            credit_account_id=query.account,
            granularity=query.granularity,
        )
    )


async def prove(call: Call) -> Answer:
    return await _prove(call, call.path["source"], call.path["id"])


async def find_proof(call: Call) -> Answer:
    """For sources that are no segment of a path."""
    query: FindUsageProof = call.query
    return await _prove(call, query.source, query.id)


async def _prove(call: Call, source: str, id_: str) -> Answer:
    """The item, and the path from it to the root that the log has."""
    key = key_of(call.merchant_id, source, id_)
    found = (await call.parts.usage_items.places([key])).get(key)
    batches = [] if found is None else await call.parts.usage_items.batches([found[0]])
    if found is None or not batches or batches[0].merchant_id != call.merchant_id:
        raise problems.not_found("there is no such item of usage")
    (batch,), place = batches, found[1]
    if batch.position is None:
        recorder = call.office.usage.recorder
        await recorder.finish([batch.batch_id])
        (batch,) = await call.parts.usage_items.batches([batch.batch_id])
    if batch.position is None:
        raise UsageNotRecorded("this item of usage is taken, and not recorded yet")
    if not batch.position:
        raise problems.not_found("this item of usage was refused")
    return Answer(to_json(await _proof(call, batch, place, source, id_)))


async def _proof(
    call: Call, batch: ClaimedBatch, place: int, source: str, id_: str
) -> dict[str, Any]:
    readings = await call.office.usage.recorder.readings(batch)
    bundle = next(it for it in bundles_of(batch.items, readings) if place in it.seqs)
    leaves = [leaf_hash(batch.items[seq]) for seq in bundle.seqs]
    index = bundle.seqs.index(place)
    return {
        "object": "usage_proof",
        "source": source,
        "id": id_,
        "credit_account_id": batch.account_id,
        "item": batch.items[place].decode(),
        "leaf": leaves[index].hex(),
        "index": index,
        "leaves": len(leaves),
        "path": [each.hex() for each in inclusion_path(leaves, index)],
        "root": bundle.fact.root,
        "position": batch.position,
        "batch_id": batch.batch_id.hex,
        "bundle": bundle.fact.number,
    }


async def set_limit(call: Call) -> Envelope:
    body: SetLimitBody = call.body
    account_id = call.path["id"]
    await own(call, "ca", account_id)
    meter = await meter_of(call, body.meter_id, "/meter_id")
    if meter.aggregation not in ADDITIVE:
        raise Malformed("only what is counted or summed up can be limited", pointer="/meter_id")
    soft, hard = _decimal(body.soft), _decimal(body.hard)
    command = SetUsageLimit(account_id, body.meter_id, body.period, soft, hard, call.now())
    return _on_limit(call, command, body.meter_id, body.period)


async def remove_limit(call: Call) -> Envelope:
    body: RemoveLimitBody = call.body
    account_id = call.path["id"]
    await own(call, "ca", account_id)
    command = RemoveUsageLimit(account_id, body.meter_id, body.period, call.now())
    return _on_limit(call, command, body.meter_id, body.period)


async def list_limits(call: Call) -> Answer:
    account_id = call.path["id"]
    await own(call, "ca", account_id)
    await caught_up(call, READ_MODEL)
    asked = {"account_id": account_id, "merchant_id": call.merchant_id, "limit": LIMITS_MAX}
    limits = await call.parts.reads.ask(READ_MODEL, "usage_limits_of", asked)
    said = await call.parts.reads.ask(READ_MODEL, "usage_thresholds_of", asked)
    body = {
        "object": "usage_limits",
        "credit_account_id": account_id,
        "data": [_limit_row(row) for row in limits],
        "thresholds": [_threshold_row(row) for row in said],
    }
    return Answer(to_json(body))


def _on_limit(call: Call, command: UsageCommand, meter_id: str, period: Period) -> Envelope:
    def answer(decision: Decision) -> bytes:
        after = decision.after[stream_of(command.account_id)]
        limit = after.limits.get(limit_key(meter_id, period))
        return to_json(
            {
                "object": "usage_limit",
                "credit_account_id": command.account_id,
                "meter_id": meter_id,
                "period": period,
                "soft": None if limit is None else _text(limit.soft),
                "hard": None if limit is None else _text(limit.hard),
            }
        )

    return commands.envelope(call.origin, command, answer)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def _limit_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "object": "usage_limit",
        "meter_id": row["meter_id"],
        "period": row["period"],
        "soft": _text(row["soft"]),
        "hard": _text(row["hard"]),
        "set_at": time(row["set_at"]),
    }


def _threshold_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "meter_id": row["meter_id"],
        "period": row["period"],
        "period_start": time(row["period_start"]),
        "bound": row["bound"],
        "percent": row["percent"],
        "limit": _text(row["most"]),
        "used": _text(row["used"]),
        "reached_at": time(row["reached_at"]),
        "position": row["position"],
    }


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "meter_id": row["meter_id"],
        "aggregation": row["aggregation"],
        "period_start": time(row["period"]),
        "group": row["grouped"],
        "items": int(row["items"]),
        "quantity": _text(Decimal(row["quantity"] or 0)),
        "late_items": int(row["late_items"]),
        "late_quantity": None if row["late_quantity"] is None else f"{row['late_quantity']:f}",
    }
