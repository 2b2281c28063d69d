"""Deliveries of webhooks: what was sent to an endpoint, how often, and what it answered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from flamewire_ledger.api import problems
from flamewire_ledger.api.call import Answer, Call
from flamewire_ledger.api.models.webhook_endpoints import ListWebhookDeliveries
from flamewire_ledger.api.rendering import as_list, time, to_json
from flamewire_ledger.api.webhook_endpoints import endpoint_of
from flamewire_ledger.store.webhook_queue import Wanted

_LOOK_SECONDS: Final = 0.02


async def list_all(call: Call) -> Answer:
    """The newest first. `min_position` waits until what was recorded there is queued."""
    query: ListWebhookDeliveries = call.query
    endpoint = await endpoint_of(call)
    await _queued(call)
    wanted = Wanted(
        limit=query.limit + 1,
        after=query.starting_after,
        status=query.status,
        type=query.type,
        message_id=query.event_id,
    )
    endpoint_id = endpoint["endpoint_id"]
    rows = await call.parts.webhooks.queue.deliveries(call.merchant_id, endpoint_id, wanted)
    shown = [_of_row(row, endpoint_id) for row in rows[: query.limit]]
    return Answer(as_list(shown, has_more=len(rows) > query.limit))


async def get(call: Call) -> Answer:
    endpoint_id = (await endpoint_of(call))["endpoint_id"]
    await _queued(call)
    queue, delivery_id = call.parts.webhooks.queue, call.path["delivery"]
    row = await queue.delivery(call.merchant_id, endpoint_id, delivery_id)
    if row is None:
        raise problems.not_found("there is no such delivery")
    history = [_attempt(each) for each in row["tried"]]
    last = row["tried"][-1] if row["tried"] else _NEVER
    return Answer(
        to_json(
            {
                **_of_row({**row, **last}, endpoint_id),
                "payload": msgspec.json.decode(row["sent"]),
                "history": history,
            }
        )
    )


async def _queued(call: Call) -> None:
    wanted = call.query.min_position
    if wanted is None:
        return
    queue, loop = call.parts.webhooks.queue, asyncio.get_running_loop()
    until = loop.time() + call.parts.limits.wait_seconds_max
    # Another process queues: there is no event of ours to wait for.
    while await queue.position(call.partition) < wanted:
        if loop.time() > until:
            raise problems.projection_behind(wanted)
        await asyncio.sleep(_LOOK_SECONDS)


_NEVER: Final = dict.fromkeys(("tried_at", "duration_ms", "status_code", "error", "body"))


def _of_row(row: Mapping[str, Any], endpoint_id: str) -> dict[str, Any]:
    return {
        "id": row["delivery_id"],
        "object": "webhook_delivery",
        "webhook_endpoint_id": endpoint_id,
        "event_id": row["message_id"],
        "type": row["type"],
        "kind": row["kind"],
        "replay_id": row["replay_id"],
        "sequence": row["position"],
        "status": row["status"],
        "attempts": row["attempts"],
        "next_attempt_at": time(row["again_at"]),
        "created_at": time(row["made_at"]),
        "ended_at": time(row["ended_at"]),
        "last_attempt": None if row["tried_at"] is None else _attempt(row),
    }


def _attempt(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "at": time(row["tried_at"]),
        "duration_ms": row["duration_ms"],
        "status_code": row["status_code"],
        "error": row["error"],
        "response": row["body"],
    }
