"""What an operator sees of webhooks, over all merchants, and may ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from flamewire_ledger.commands.decider import Done
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.webhook_endpoint import envelope
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.rejection import Malformed, NotFound, Rejection
from flamewire_ledger.domain.webhook_endpoint import ReplayWebhooks, webhooks_of
from flamewire_ledger.store.event_store import partition_of
from flamewire_ledger.store.postgres_webhooks import PostgresWebhooks
from flamewire_ledger.store.webhook_queue import Wanted
from flamewire_ledger.wiring.ledger import Ledger

READ_MODEL: Final = "webhook_endpoints"
ENDPOINTS_MAX: Final = 10_000
_PAGE: Final = 500


async def list_endpoints(ledger: Ledger) -> list[dict[str, Any]]:
    """Every endpoint with how it does, the oldest first; at most ENDPOINTS_MAX."""
    queue = PostgresWebhooks(ledger.connections)
    found: list[dict[str, Any]] = []
    after = ""
    while len(found) < ENDPOINTS_MAX:
        asked = {"merchant_id": None, "after": after, "limit": _PAGE}
        rows = await ledger.reads.ask(READ_MODEL, "webhook_endpoints", asked)
        for row in rows:
            id_ = row["endpoint_id"]
            standing = (await queue.standings(_partition(ledger, row), [id_]))[id_]
            found.append(_shown(row, standing))
            after = id_
        if len(rows) < _PAGE:
            break
    return found


async def deliveries_of(
    ledger: Ledger, endpoint_id: str, status: str | None, limit: int
) -> list[dict[str, Any]]:
    """Deliveries of an endpoint, newest first. Raises NotFound."""
    endpoint = await _endpoint(ledger, endpoint_id)
    queue = PostgresWebhooks(ledger.connections)
    wanted = Wanted(limit, status=status)
    rows = await queue.deliveries(endpoint["merchant_id"], endpoint_id, wanted)
    return [{**row, "id": row["delivery_id"], "event_id": row["message_id"]} for row in rows]


async def replay_to(
    ledger: Ledger,
    endpoint_id: str,
    first: int,
    last: int | None,
    *,
    undelivered_only: bool,
) -> tuple[str, int, int]:
    """Ask for a replay: its id, the position behind which it begins, and its last. Raises Rejections."""
    merchant_id = (await _endpoint(ledger, endpoint_id))["merchant_id"]
    head = await ledger.store.head(partition_of(merchant_id, ledger.store.partitions))
    until = head if last is None else min(last, head)
    if first > until:
        raise Malformed("nothing is recorded there")
    now, id_ = ledger.clock.now(), uuid4()
    command = ReplayWebhooks(
        webhooks_id=webhooks_of(merchant_id),
        endpoint_id=endpoint_id,
        replay_id=derived_id("wrp", now, str(id_)),
        after=first - 1,
        until=until,
        undelivered_only=undelivered_only,
        at=now,
    )
    async with ledger.writing() as writer:
        outcome = await writer.submit(envelope(Origin(id_, merchant_id, "cli"), command))
    if isinstance(outcome, Rejection):
        raise outcome
    if not isinstance(outcome, Done):
        raise Malformed("others kept changing the same endpoints first: ask again")
    return command.replay_id, first - 1, until


async def _endpoint(ledger: Ledger, endpoint_id: str) -> Mapping[str, Any]:
    asked = {"merchant_id": None, "endpoint_id": endpoint_id}
    rows = await ledger.reads.ask(READ_MODEL, "webhook_endpoint_by_id", asked)
    if not rows:
        raise NotFound("there is no such webhook endpoint")
    return rows[0]


def _partition(ledger: Ledger, row: Mapping[str, Any]) -> int:
    return partition_of(row["merchant_id"], ledger.store.partitions)


def _shown(row: Mapping[str, Any], standing: Mapping[str, Any]) -> dict[str, Any]:
    because = row["disabled_because"]
    return {
        "id": row["endpoint_id"],
        "merchant": row["merchant_name"],
        "mode": "live" if row["livemode"] else "test",
        "url": row["url"],
        "event_types": row["event_types"],
        "status": "enabled" if row["is_enabled"] else f"disabled: {because}",
        "failing_since": standing["failing_since"],
        "waiting": standing["waiting"],
    }
