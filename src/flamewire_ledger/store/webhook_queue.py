"""What is to be delivered to webhook endpoints, and what became of it: the Protocol, and what passes
through it.

A message is queued in the transaction that moves the checkpoint over its event, and is in the queue
until an endpoint has taken it or it was given up: whoever dies in between loses nothing. Times are
by the real clock. postgres_webhooks.py and memory_webhooks.py keep this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

Kind: TypeAlias = Literal["event", "replay", "test"]
Status: TypeAlias = Literal["pending", "delivered", "failed", "canceled"]
WAITING_MAX = 10_000  # deliveries that are counted


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """What is sent, made of one event."""

    message_id: str
    merchant_id: str
    type: str
    stream_id: str
    position: int
    recorded_at: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class QueuedDelivery:
    """To whom a message is to be sent. The same id is the same delivery."""

    delivery_id: str
    endpoint_id: str
    message_id: str
    kind: Kind
    replay_id: str | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """What is recorded behind `after` and up to `until` is to be sent again."""

    replay_id: str
    endpoint_id: str
    merchant_id: str
    after: int
    until: int
    undelivered_only: bool
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """What is queued at once. Deliveries are in the order of the log."""

    messages: Sequence[QueuedMessage] = ()
    deliveries: Sequence[QueuedDelivery] = ()
    replays: Sequence[Replay] = ()
    # Endpoints that nothing is sent to any more, and whether that means tests, too.
    canceled: Mapping[str, bool] = field(default_factory=dict)
    begun_anew: Sequence[str] = ()  # enabled: that they failed is forgotten
    ended_secrets: Mapping[str, datetime] = field(default_factory=dict)  # sign nothing from then on


@dataclass(frozen=True, slots=True)
class TakenDelivery:
    """One to try now."""

    delivery_id: str
    endpoint_id: str
    merchant_id: str
    message_id: str
    kind: Kind
    attempts: int  # that were made before
    type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one attempt, and what follows. `again_at` is None when it was the last."""

    delivery_id: str
    number: int
    at: datetime
    duration_ms: int
    status_code: int | None
    error: str | None
    body: str | None
    is_taken: bool
    again_at: datetime | None

    @property
    def status(self) -> Status:
        if self.is_taken:
            return "delivered"
        return "failed" if self.again_at is None else "pending"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deliveries of an endpoint to list, newest first, behind the one called `after`."""

    limit: int
    after: str | None = None
    status: str | None = None
    type: str | None = None
    message_id: str | None = None


class WebhookQueue(Protocol):
    """Every method may raise StoreUnavailable."""

    async def keep_secret(self, secret_id: str, sealed: bytes) -> None: ...

    async def drop_secret(self, secret_id: str) -> None:
        """Forget one that nobody was told of."""

    async def secrets(self, secret_ids: Sequence[str]) -> Mapping[str, bytes]:
        """Sealed secrets; one that is not there is left out."""

    async def position(self, partition: int) -> int:
        """Up to where events have been queued; 0 at the beginning."""

    async def put(self, partition: int, position: int, batch: Batch, now: datetime) -> None:
        """Queue a batch and move the position, both or neither."""

    async def park(
        self, partition: int, position: int, stream_id: str, type_: str, cause: str
    ) -> None:
        """Put an event aside of which no message can be made."""

    async def parked(self, partition: int, limit: int) -> Sequence[int]:
        """Positions of events that were put aside, and that nobody gave up."""

    async def unpark(self, partition: int, position: int) -> None:
        """It was told of after all."""

    async def replays(self, partition: int, *, waiting_max: int, limit: int) -> Sequence[Replay]:
        """Replays of which not all is queued, but for endpoints that so much waits for already."""

    async def put_replay(
        self, partition: int, replay: Replay, after: int, batch: Batch, now: datetime
    ) -> None:
        """Queue the next part of a replay, and that it is queued up to `after`."""

    async def delivered_to(self, endpoint_id: str, message_ids: Sequence[str]) -> frozenset[str]:
        """Which of these an endpoint has taken."""

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
        """What is due, at most `limit`, and of an endpoint `each_max` with those it is `busy` with;
        one when everything to it fails. What happened to one thing is taken in its order, one at a
        time. Who takes it has until `again_at`; then it is due again.
        """

    async def release(self, partition: int, now: datetime) -> None:
        """Whoever had taken something of this partition is gone: it is due now."""

    async def next_due(self, partition: int) -> datetime | None: ...

    async def attempted(self, attempt: Attempt) -> datetime | None:
        """Write it down; since when everything to the endpoint fails, if it does."""

    async def put_off(self, delivery_ids: Sequence[str], again_at: datetime) -> None:
        """Try these at another time, without counting it as an attempt."""

    async def cancel(
        self, partition: int, endpoint_id: str, now: datetime, *, tests_too: bool
    ) -> int:
        """What waits for an endpoint is not sent; how many deliveries that were."""

    async def drop_ended(self, partition: int, before: datetime, limit: int) -> int:
        """Forget deliveries that ended before a time; how many."""

    async def drop_secrets(self, now: datetime) -> None:
        """Forget secrets that sign nothing any more."""

    async def deliveries(
        self, merchant_id: str, endpoint_id: str, wanted: Wanted
    ) -> Sequence[Mapping[str, Any]]: ...

    async def delivery(
        self, merchant_id: str, endpoint_id: str, delivery_id: str
    ) -> Mapping[str, Any] | None:
        """One delivery, with what is sent and `tried`, its attempts."""

    async def position_of(self, merchant_id: str, message_id: str) -> int | None:
        """Where the event of a message is in the log; None for one that is not (or no longer) kept."""

    async def standings(
        self, partition: int, endpoint_ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, Any]]:
        """`failing_since`, `succeeded_at`, `failed_at` and `waiting` of each."""
