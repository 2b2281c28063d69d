"""The queue of webhooks in memory: the same contract as Postgres, for tests. Nothing outlives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from flamewire_ledger.store.webhook_queue import (
    Attempt,
    Batch,
    QueuedDelivery,
    QueuedMessage,
    Replay,
    Status,
    TakenDelivery,
    Wanted,
)


@dataclass(slots=True)
class _Delivery:
    queued: QueuedDelivery
    message: QueuedMessage
    number: int
    partition: int
    made_at: datetime
    status: Status = "pending"
    again_at: datetime | None = None
    is_taken: bool = False
    ended_at: datetime | None = None
    tried: list[Attempt] = field(default_factory=list)

    @property
    def row(self) -> dict[str, Any]:
        return {
            "delivery_id": self.queued.delivery_id,
            "number": self.number,
            "message_id": self.queued.message_id,
            "kind": self.queued.kind,
            "replay_id": self.queued.replay_id,
            "status": self.status,
            "attempts": len(self.tried),
            "again_at": self.again_at,
            "made_at": self.made_at,
            "ended_at": self.ended_at,
            "type": self.message.type,
            "position": self.message.position,
            "stream_id": self.message.stream_id,
        }


@dataclass(slots=True)
class _Standing:
    failing_since: datetime | None = None
    succeeded_at: datetime | None = None
    failed_at: datetime | None = None


class MemoryWebhooks:
    """Keeps the Protocol WebhookQueue."""

    def __init__(self) -> None:
        self._secrets: dict[str, tuple[bytes, datetime | None]] = {}
        self._positions: dict[int, int] = {}
        self._messages: dict[str, QueuedMessage] = {}
        self._deliveries: dict[str, _Delivery] = {}
        self._standings: dict[str, _Standing] = {}
        self._replays: dict[str, tuple[int, Replay]] = {}
        self._numbers = 0
        self.letters: dict[tuple[int, int], str] = {}  # causes

    async def keep_secret(self, secret_id: str, sealed: bytes) -> None:
        self._secrets.setdefault(secret_id, (sealed, None))

    async def drop_secret(self, secret_id: str) -> None:
        self._secrets.pop(secret_id, None)

    async def secrets(self, secret_ids: Sequence[str]) -> Mapping[str, bytes]:
        return {it: self._secrets[it][0] for it in secret_ids if it in self._secrets}

    async def position(self, partition: int) -> int:
        return self._positions.get(partition, 0)

    async def put(self, partition: int, position: int, batch: Batch, now: datetime) -> None:
        self._put(partition, batch, now)
        self._positions[partition] = max(position, self._positions.get(partition, 0))

    def _put(self, partition: int, batch: Batch, now: datetime) -> None:
        for message in batch.messages:
            self._messages.setdefault(message.message_id, message)
        for queued in batch.deliveries:
            if queued.delivery_id not in self._deliveries:
                self._numbers += 1
                self._deliveries[queued.delivery_id] = _Delivery(
                    queued=queued,
                    message=self._messages[queued.message_id],
                    number=self._numbers,
                    partition=partition,
                    made_at=now,
                    again_at=now,
                )
        for replay in batch.replays:
            self._replays.setdefault(replay.replay_id, (partition, replay))
        for endpoint_id, tests_too in batch.canceled.items():
            self._cancel(partition, endpoint_id, now, tests_too=tests_too)
        for endpoint_id in batch.begun_anew:
            self._standings.setdefault(endpoint_id, _Standing()).failing_since = None
        for secret_id, until in batch.ended_secrets.items():
            if secret_id in self._secrets:
                self._secrets[secret_id] = (self._secrets[secret_id][0], until)

    async def park(
        self, partition: int, position: int, stream_id: str, type_: str, cause: str
    ) -> None:
        self.letters[partition, position] = cause

    async def parked(self, partition: int, limit: int) -> Sequence[int]:
        return [position for its, position in sorted(self.letters) if its == partition][:limit]

    async def unpark(self, partition: int, position: int) -> None:
        self.letters.pop((partition, position), None)

    async def replays(self, partition: int, *, waiting_max: int, limit: int) -> Sequence[Replay]:
        return [
            replay
            for its_partition, replay in self._replays.values()
            if its_partition == partition and self._count(replay.endpoint_id) < waiting_max
        ][:limit]

    async def put_replay(
        self, partition: int, replay: Replay, after: int, batch: Batch, now: datetime
    ) -> None:
        self._put(partition, batch, now)
        if after >= replay.until:
            self._replays.pop(replay.replay_id, None)
        elif replay.replay_id in self._replays:
            self._replays[replay.replay_id] = (partition, replace(replay, after=after))

    async def delivered_to(self, endpoint_id: str, message_ids: Sequence[str]) -> frozenset[str]:
        return frozenset(
            it.queued.message_id
            for it in self._of(endpoint_id)
            if it.status == "delivered" and it.queued.message_id in message_ids
        )

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
        taken: list[_Delivery] = []
        counts = dict(busy)
        begun: set[tuple[str, str]] = set()
        for it in self._deliveries.values():
            endpoint_id = it.queued.endpoint_id
            if it.partition != partition or it.again_at is None:
                continue
            order = (endpoint_id, it.message.stream_id)
            standing = self._standings.get(endpoint_id, _Standing())
            most = each_max if standing.failing_since is None else 1
            is_first = order not in begun
            begun.add(order)
            if is_first and it.again_at <= now and counts.get(endpoint_id, 0) < most:
                counts[endpoint_id] = counts.get(endpoint_id, 0) + 1
                taken.append(it)
        for it in taken[:limit]:
            it.again_at, it.is_taken = again_at, True
        return [_taken(it) for it in taken[:limit]]

    async def release(self, partition: int, now: datetime) -> None:
        for it in self._deliveries.values():
            if it.partition == partition and it.is_taken and it.again_at is not None:
                it.again_at, it.is_taken = min(it.again_at, now), False

    async def next_due(self, partition: int) -> datetime | None:
        return min(
            (
                it.again_at
                for it in self._deliveries.values()
                if it.partition == partition and it.again_at is not None
            ),
            default=None,
        )

    async def attempted(self, attempt: Attempt) -> datetime | None:
        it = self._deliveries[attempt.delivery_id]
        if len(it.tried) != attempt.number - 1 or it.again_at is None:
            return None
        it.tried.append(attempt)
        it.status, it.again_at, it.is_taken = attempt.status, attempt.again_at, False
        it.ended_at = attempt.at if attempt.again_at is None else None
        if it.queued.kind == "test" and not attempt.is_taken:
            return None
        standing = self._standings.setdefault(it.queued.endpoint_id, _Standing())
        if attempt.is_taken:
            standing.failing_since, standing.succeeded_at = None, attempt.at
        else:
            standing.failing_since = standing.failing_since or attempt.at
            standing.failed_at = attempt.at
        return standing.failing_since

    async def put_off(self, delivery_ids: Sequence[str], again_at: datetime) -> None:
        for delivery_id in delivery_ids:
            if self._deliveries[delivery_id].again_at is not None:
                self._deliveries[delivery_id].again_at = again_at
                self._deliveries[delivery_id].is_taken = False

    async def cancel(
        self, partition: int, endpoint_id: str, now: datetime, *, tests_too: bool
    ) -> int:
        return self._cancel(partition, endpoint_id, now, tests_too=tests_too)

    def _cancel(self, partition: int, endpoint_id: str, now: datetime, *, tests_too: bool) -> int:
        canceled = [
            it
            for it in self._of(endpoint_id)
            if it.partition == partition
            and it.again_at is not None
            and (tests_too or it.queued.kind != "test")
        ]
        for it in canceled:
            it.status, it.again_at, it.ended_at = "canceled", None, now
        kept = self._replays.items()
        self._replays = {key: it for key, it in kept if it[1].endpoint_id != endpoint_id}
        return len(canceled)

    async def drop_ended(self, partition: int, before: datetime, limit: int) -> int:
        dropped = [
            it.queued.delivery_id
            for it in self._deliveries.values()
            if it.partition == partition and it.ended_at is not None and it.ended_at < before
        ][:limit]
        for delivery_id in dropped:
            del self._deliveries[delivery_id]
        kept = {it.queued.message_id for it in self._deliveries.values()}
        self._messages = {key: it for key, it in self._messages.items() if key in kept}
        return len(dropped)

    async def drop_secrets(self, now: datetime) -> None:
        kept = self._secrets.items()
        self._secrets = {key: it for key, it in kept if it[1] is None or it[1] >= now}

    async def deliveries(
        self, merchant_id: str, endpoint_id: str, wanted: Wanted
    ) -> Sequence[Mapping[str, Any]]:
        last = self._deliveries.get(wanted.after or "")
        return [
            {**it.row, **(_attempt_row(it.tried[-1]) if it.tried else _NOTHING)}
            for it in sorted(self._of(endpoint_id), key=lambda it: -it.number)
            if it.message.merchant_id == merchant_id
            and wanted.status in (None, it.status)
            and wanted.type in (None, it.message.type)
            and wanted.message_id in (None, it.message.message_id)
            and (last is None or it.number < last.number)
        ][: wanted.limit]

    async def delivery(
        self, merchant_id: str, endpoint_id: str, delivery_id: str
    ) -> Mapping[str, Any] | None:
        it = self._deliveries.get(delivery_id)
        if it is None or (it.message.merchant_id, it.queued.endpoint_id) != (
            merchant_id,
            endpoint_id,
        ):
            return None
        tried = [{"number": each.number, **_attempt_row(each)} for each in it.tried]
        return {**it.row, "sent": it.message.body, "tried": tried}

    async def position_of(self, merchant_id: str, message_id: str) -> int | None:
        message = self._messages.get(message_id)
        if message is None or message.merchant_id != merchant_id:
            return None
        return message.position

    async def standings(
        self, partition: int, endpoint_ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, Any]]:
        found = {it: self._standings.get(it, _Standing()) for it in endpoint_ids}
        return {
            endpoint_id: {
                "endpoint_id": endpoint_id,
                "failing_since": it.failing_since,
                "succeeded_at": it.succeeded_at,
                "failed_at": it.failed_at,
                "waiting": self._count(endpoint_id),
            }
            for endpoint_id, it in found.items()
        }

    def _of(self, endpoint_id: str) -> Iterator[_Delivery]:
        return (it for it in self._deliveries.values() if it.queued.endpoint_id == endpoint_id)

    def _count(self, endpoint_id: str) -> int:
        return sum(it.again_at is not None for it in self._of(endpoint_id))


_NOTHING = dict.fromkeys(("tried_at", "duration_ms", "status_code", "error", "body"))


def _attempt_row(attempt: Attempt) -> dict[str, Any]:
    return {
        "tried_at": attempt.at,
        "duration_ms": attempt.duration_ms,
        "status_code": attempt.status_code,
        "error": attempt.error,
        "body": attempt.body,
    }


def _taken(it: _Delivery) -> TakenDelivery:
    return TakenDelivery(
        delivery_id=it.queued.delivery_id,
        endpoint_id=it.queued.endpoint_id,
        merchant_id=it.message.merchant_id,
        message_id=it.queued.message_id,
        kind=it.queued.kind,
        attempts=len(it.tried),
        type=it.message.type,
        body=it.message.body,
    )
