"""The queue of webhooks in Postgres: the tables of migrations/0040_webhooks.sql."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any, Final

from psycopg.rows import dict_row

from flamewire_ledger.store.connections import Connection, Connections
from flamewire_ledger.store.statements import read_statements
from flamewire_ledger.store.webhook_queue import (
    WAITING_MAX,
    Attempt,
    Batch,
    QueuedDelivery,
    QueuedMessage,
    Replay,
    TakenDelivery,
    Wanted,
)

_SQL: Final = {
    name: statement.query
    for name, statement in read_statements(files(__package__) / "webhook_queue.sql").items()
}


class PostgresWebhooks:
    """Keeps the Protocol WebhookQueue."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def keep_secret(self, secret_id: str, sealed: bytes) -> None:
        await self._do("keep_secret", secret_id=secret_id, sealed=sealed)

    async def drop_secret(self, secret_id: str) -> None:
        await self._do("drop_secret", secret_id=secret_id)

    async def secrets(self, secret_ids: Sequence[str]) -> Mapping[str, bytes]:
        rows = await self._ask("secrets", secret_ids=list(secret_ids))
        return {row["secret_id"]: bytes(row["sealed"]) for row in rows}

    async def position(self, partition: int) -> int:
        rows = await self._ask("position", partition=partition)
        return int(rows[0]["position"]) if rows else 0

    async def put(self, partition: int, position: int, batch: Batch, now: datetime) -> None:
        async with self._connections.use() as connection, connection.transaction():
            await _put(connection, partition, batch, now)
            moved = {"partition": partition, "position": position}
            await connection.execute(_SQL["move"], moved)

    async def park(
        self, partition: int, position: int, stream_id: str, type_: str, cause: str
    ) -> None:
        await self._do(
            "park",
            partition=partition,
            position=position,
            stream_id=stream_id,
            type=type_,
            cause=cause,
        )

    async def parked(self, partition: int, limit: int) -> Sequence[int]:
        rows = await self._ask("parked", partition=partition, limit=limit)
        return [row["position"] for row in rows]

    async def unpark(self, partition: int, position: int) -> None:
        await self._do("unpark", partition=partition, position=position)

    async def replays(self, partition: int, *, waiting_max: int, limit: int) -> Sequence[Replay]:
        rows = await self._ask("replays", partition=partition, waiting_max=waiting_max, limit=limit)
        return [Replay(**row) for row in rows]

    async def put_replay(
        self, partition: int, replay: Replay, after: int, batch: Batch, now: datetime
    ) -> None:
        async with self._connections.use() as connection, connection.transaction():
            await _put(connection, partition, batch, now)
            moved = {"replay_id": replay.replay_id, "after": after}
            await connection.execute(_SQL["move_replay"], moved)
            await connection.execute(_SQL["end_replays"], {"partition": partition})

    async def delivered_to(self, endpoint_id: str, message_ids: Sequence[str]) -> frozenset[str]:
        rows = await self._ask(
            "delivered_to", endpoint_id=endpoint_id, message_ids=list(message_ids)
        )
        return frozenset(row["message_id"] for row in rows)

    async def take(
        self,
        partition: int,
        now: datetime,
        again_at: datetime,
        *,
        busy: Mapping[str, int],
        each_max: int,
        limit: int,
    ) -> Sequence[TakenDelivery]:
        rows = await self._ask(
            "take",
            partition=partition,
            now=now,
            again_at=again_at,
            busy_endpoints=list(busy),
            busy_counts=list(busy.values()),
            each_max=each_max,
            limit=limit,
        )
        return [TakenDelivery(**{**row, "body": bytes(row["body"])}) for row in rows]

    async def release(self, partition: int, now: datetime) -> None:
        await self._do("release", partition=partition, now=now)

    async def next_due(self, partition: int) -> datetime | None:
        (row,) = await self._ask("next_due", partition=partition)
        due: datetime | None = row["min"]
        return due

    async def attempted(self, attempt: Attempt) -> datetime | None:
        rows = await self._ask(
            "attempted",
            delivery_id=attempt.delivery_id,
            number=attempt.number,
            at=attempt.at,
            duration_ms=attempt.duration_ms,
            status_code=attempt.status_code,
            error=attempt.error,
            body=attempt.body,
            is_taken=attempt.is_taken,
            status=attempt.status,
            again_at=attempt.again_at,
        )
        failing_since: datetime | None = rows[0]["failing_since"] if rows else None
        return failing_since

    async def put_off(self, delivery_ids: Sequence[str], again_at: datetime) -> None:
        await self._do("put_off", delivery_ids=list(delivery_ids), again_at=again_at)

    async def cancel(
        self, partition: int, endpoint_id: str, now: datetime, *, tests_too: bool
    ) -> int:
        (row,) = await self._ask(
            "cancel", partition=partition, endpoint_id=endpoint_id, now=now, tests_too=tests_too
        )
        await self._do("end_replays_of", endpoint_id=endpoint_id)
        return int(row["count"])

    async def drop_ended(self, partition: int, before: datetime, limit: int) -> int:
        given = {"partition": partition, "before": before, "limit": limit}
        async with self._connections.use() as connection, connection.transaction():
            cursor = await connection.execute(_SQL["drop_ended"], given)
            ((count, message_ids),) = await cursor.fetchall()
            await connection.execute(_SQL["drop_messages"], {"message_ids": message_ids})
        return int(count)

    async def drop_secrets(self, now: datetime) -> None:
        await self._do("drop_secrets", now=now)

    async def deliveries(
        self, merchant_id: str, endpoint_id: str, wanted: Wanted
    ) -> Sequence[Mapping[str, Any]]:
        return await self._ask(
            "deliveries",
            merchant_id=merchant_id,
            endpoint_id=endpoint_id,
            limit=wanted.limit,
            after=wanted.after,
            status=wanted.status,
            type=wanted.type,
            message_id=wanted.message_id,
        )

    async def delivery(
        self, merchant_id: str, endpoint_id: str, delivery_id: str
    ) -> Mapping[str, Any] | None:
        rows = await self._ask(
            "delivery",
            merchant_id=merchant_id,
            endpoint_id=endpoint_id,
            delivery_id=delivery_id,
        )
        if not rows:
            return None
        tried = await self._ask("attempts", delivery_id=delivery_id)
        return {**rows[0], "sent": bytes(rows[0]["sent"]), "tried": tried}

    async def position_of(self, merchant_id: str, message_id: str) -> int | None:
        rows = await self._ask("position_of", merchant_id=merchant_id, message_id=message_id)
        return int(rows[0]["position"]) if rows else None

    async def standings(
        self, partition: int, endpoint_ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, Any]]:
        rows = await self._ask(
            "standings",
            partition=partition,
            endpoint_ids=list(endpoint_ids),
            waiting_max=WAITING_MAX,
        )
        return {row["endpoint_id"]: row for row in rows}

    async def _do(self, name: str, **given: Any) -> None:
        async with self._connections.use() as connection:
            await connection.execute(_SQL[name], given)

    async def _ask(self, name: str, **given: Any) -> list[dict[str, Any]]:
        async with (
            self._connections.use() as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(_SQL[name], given)
            return await cursor.fetchall()


async def _put(connection: Connection, partition: int, batch: Batch, now: datetime) -> None:
    if batch.messages:
        await connection.execute(_SQL["put_messages"], _columns_of_messages(batch.messages))
    if batch.deliveries:
        columns = _columns_of_deliveries(batch.deliveries)
        await connection.execute(
            _SQL["put_deliveries"], {**columns, "partition": partition, "now": now}
        )
    for replay in batch.replays:
        await connection.execute(
            _SQL["put_replay"],
            {
                "replay_id": replay.replay_id,
                "partition": partition,
                "endpoint_id": replay.endpoint_id,
                "merchant_id": replay.merchant_id,
                "after": replay.after,
                "until": replay.until,
                "undelivered_only": replay.undelivered_only,
                "requested_at": replay.requested_at,
            },
        )
    for endpoint_id, tests_too in batch.canceled.items():
        ended = {
            "partition": partition,
            "endpoint_id": endpoint_id,
            "now": now,
            "tests_too": tests_too,
        }
        await connection.execute(_SQL["cancel"], ended)
        await connection.execute(_SQL["end_replays_of"], {"endpoint_id": endpoint_id})
    for endpoint_id in batch.begun_anew:
        await connection.execute(_SQL["begin_anew"], {"endpoint_id": endpoint_id})
    for secret_id, until in batch.ended_secrets.items():
        given = {"secret_ids": [secret_id], "until": until}
        await connection.execute(_SQL["end_secrets"], given)


def _columns_of_messages(messages: Sequence[QueuedMessage]) -> dict[str, list[Any]]:
    return {
        "ids": [it.message_id for it in messages],
        "merchants": [it.merchant_id for it in messages],
        "types": [it.type for it in messages],
        "streams": [it.stream_id for it in messages],
        "positions": [it.position for it in messages],
        "times": [it.recorded_at for it in messages],
        "bodies": [it.body for it in messages],
    }


def _columns_of_deliveries(deliveries: Sequence[QueuedDelivery]) -> dict[str, list[Any]]:
    return {
        "ids": [it.delivery_id for it in deliveries],
        "endpoints": [it.endpoint_id for it in deliveries],
        "messages": [it.message_id for it in deliveries],
        "kinds": [it.kind for it in deliveries],
        "replays": [it.replay_id for it in deliveries],
    }
