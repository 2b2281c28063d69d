"""Webhook delivery: what is queued is sent to its endpoint, until it is taken or given up.

Everything that time does is in the queue, so that whoever comes next goes on where this one died: a
delivery that was taken here and of which nothing was heard is due again, under the same id, when
another has the partition, or after a minute. An endpoint has a few attempts at once, and one while
it fails, so that one that is slow keeps no other waiting.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Protocol

import structlog

from flamewire_ledger.commands.decider import Done, Envelope, Failed, Outcome
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.commands.webhook_endpoint import envelope
from flamewire_ledger.domain.identifiers import command_id
from flamewire_ledger.domain.webhook_endpoint import (
    DisabledBecause,
    DisableWebhookEndpoint,
    WebhookEndpoint,
    webhooks_of,
)
from flamewire_ledger.processes.webhook_registry import Registry
from flamewire_ledger.security.sealing import CannotOpen, Sealing
from flamewire_ledger.store.event_store import StoreUnavailable
from flamewire_ledger.store.webhook_queue import Attempt, TakenDelivery, WebhookQueue
from flamewire_ledger.webhooks.addresses import Reach
from flamewire_ledger.webhooks.post import NotSent, Post, Reply
from flamewire_ledger.webhooks.sign import headers

_log = structlog.get_logger(__name__)

# After the first attempt, the second …: ten attempts within three days and a few hours. The schedule
# of Standard Webhooks, each 10 % sooner or later.
AGAIN_AFTER: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
ATTEMPTS_MAX: Final = len(AGAIN_AFTER) + 1
FAILING_MAX: Final = timedelta(days=5)  # then an endpoint is disabled
RETRY_AFTER_MAX: Final = timedelta(days=1)
LEASE: Final = timedelta(seconds=60)  # of what was taken, to be tried and written down
EACH_MAX: Final = 8  # attempts to one endpoint at once
ALL_MAX: Final = 128
_OUT_OF_ORDER: Final = timedelta(seconds=60)  # until what the ledger itself could not do is tried
_JITTER: Final = 0.1


class Writer(Protocol):
    async def submit_many(self, envelopes: Sequence[Envelope]) -> Sequence[Outcome | Failed]: ...


class Meter(Protocol):
    """What telemetry counts by."""

    def add(self, name: str, amount: int = 1, /, **labels: str) -> None: ...

    def seconds(self, name: str, value: float, /, **labels: str) -> None: ...


@dataclass(frozen=True, slots=True)
class World:
    """What delivery knows of the world around it."""

    now: Callable[[], datetime]  # the real clock, sandbox or not: receivers have no other
    monotonic: Callable[[], float]
    reach: Callable[[bool], Reach]  # by livemode


class Delivering:
    """`look` tries what is due once; `run` goes on until it is cancelled."""

    def __init__(
        self,
        registry: Registry,
        queue: WebhookQueue,
        writer: Writer,
        post: Post,
        sealer: Sealing,
        world: World,
        *,
        meter: Meter | None = None,
    ) -> None:
        self._registry = registry
        self._queue = queue
        self._writer = writer
        self._post = post
        self._sealer = sealer
        self._world = world
        self._meter = meter

    async def look(self, partition: int) -> int:
        """Try what is due now, all of it at once; how many that were."""
        tasks = await self._begin(partition, Counter(), ALL_MAX)
        await asyncio.gather(*tasks)
        return len(tasks)

    async def run(self, partition: int, bell: asyncio.Event, poll_seconds: float) -> None:
        """Try what is due, whenever it is, `ALL_MAX` at a time. `bell`: something was queued."""
        running: dict[asyncio.Task[None], str] = {}
        # The partition is ours: what another had taken of it, it cannot finish.
        await self._queue.release(partition, self._world.now())
        try:
            while True:
                bell.clear()
                free = ALL_MAX - len(running)
                begun: Mapping[asyncio.Task[None], str] = {}
                if free:
                    begun = await self._begin(partition, Counter(running.values()), free)
                running |= begun
                if not begun:
                    await _first_of(running, bell, poll_seconds)
                running = {task: it for task, it in running.items() if not task.done()}
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _begin(
        self, partition: int, busy: Mapping[str, int], limit: int
    ) -> Mapping[asyncio.Task[None], str]:
        """Tasks that try what is due, by endpoint."""
        now = self._world.now()
        taken = await self._queue.take(
            partition, now, now + LEASE, busy=busy, each_max=EACH_MAX, limit=limit
        )
        if not taken:
            return {}
        histories = await self._registry.of(partition, {it.merchant_id for it in taken})
        tasks: dict[asyncio.Task[None], str] = {}
        for delivery in taken:
            endpoint = histories[delivery.merchant_id].now.get(delivery.endpoint_id)
            work = self._deliver(partition, delivery, endpoint)
            tasks[asyncio.create_task(work)] = delivery.endpoint_id
        return tasks

    async def _deliver(
        self, partition: int, delivery: TakenDelivery, endpoint: WebhookEndpoint | None
    ) -> None:
        try:
            if endpoint is None or not (endpoint.is_enabled or delivery.kind == "test"):
                await self._queue.cancel(
                    partition,
                    delivery.endpoint_id,
                    self._world.now(),
                    tests_too=endpoint is None,
                )
                return
            secrets = await self._secrets_of(endpoint)
            await self._attempt(delivery, endpoint, secrets)
        except CannotOpen as error:
            # The ledger's own fault: it costs the endpoint no attempt.
            _log.error(
                "webhook_secret_unreadable", endpoint=delivery.endpoint_id, reason=str(error)
            )
            again_at = self._world.now() + _OUT_OF_ORDER
            await self._queue.put_off([delivery.delivery_id], again_at)
        except StoreUnavailable as error:
            _log.warning("a webhook waits for the database", error=str(error))
        except Exception as error:  # noqa: BLE001 - one delivery must not stop the others
            _log.error("a webhook could not be tried", exc_info=error)

    async def _secrets_of(self, endpoint: WebhookEndpoint) -> list[str]:
        wanted = endpoint.secrets_at(self._world.now())
        sealed = await self._queue.secrets(wanted)
        if endpoint.secret_id not in sealed:
            raise CannotOpen("there is no such secret in this database: rotate it")
        return [self._sealer.open(it, sealed[it]).decode() for it in wanted if it in sealed]

    async def _attempt(
        self, delivery: TakenDelivery, endpoint: WebhookEndpoint, secrets: Sequence[str]
    ) -> None:
        at, began = self._world.now(), self._world.monotonic()
        signed = headers(secrets, delivery.message_id, at, delivery.body)
        reply: Reply | None = None
        error: str | None = None
        try:
            reach = self._world.reach(endpoint.livemode)
            reply = await self._post.send(endpoint.url, signed, delivery.body, reach)
        except NotSent as not_sent:
            error = str(not_sent)
        seconds = self._world.monotonic() - began
        attempt = _judged(delivery, at, int(seconds * 1000), reply, error)
        failing_since = await self._queue.attempted(attempt)
        self._count(attempt, seconds)
        if attempt.is_taken or delivery.kind == "test":
            return
        if reply is not None and reply.is_gone:
            await self._disable(delivery, "gone", "it answered 410", at)
        elif failing_since is not None and at - failing_since >= FAILING_MAX:
            detail = f"nothing was taken since {failing_since.isoformat()}"
            await self._disable(delivery, "failing", detail, at)

    async def _disable(
        self, delivery: TakenDelivery, reason: DisabledBecause, detail: str, at: datetime
    ) -> None:
        id_ = command_id("disable webhook", delivery.delivery_id, str(delivery.attempts + 1))
        origin = Origin(id_, delivery.merchant_id, "process:webhooks", id_.bytes)
        command = DisableWebhookEndpoint(
            webhooks_id=webhooks_of(delivery.merchant_id),
            endpoint_id=delivery.endpoint_id,
            reason=reason,
            detail=detail,
            at=at,
        )
        (outcome,) = await self._writer.submit_many([envelope(origin, command)])
        done = isinstance(outcome, Done)
        _log.warning(
            "a webhook endpoint is disabled" if done else "a webhook endpoint is not disabled yet",
            endpoint=delivery.endpoint_id,
            reason=reason,
        )

    def _count(self, attempt: Attempt, seconds: float) -> None:
        if self._meter is not None:
            self._meter.add("webhook_attempts", outcome=attempt.status)
            self._meter.seconds("webhook_attempt", seconds)


def again_after(
    delivery_id: str, attempt: int, retry_after: str | None, now: datetime
) -> timedelta | None:
    """How long to wait behind this attempt; None when it was the last. Always the same for it."""
    if attempt >= ATTEMPTS_MAX:
        return None
    digest = hashlib.sha256(f"{delivery_id} {attempt}".encode()).digest()
    part = int.from_bytes(digest[:4], "big") / 2**32  # 0 … 1, spread evenly
    planned = AGAIN_AFTER[attempt - 1] * (1 - _JITTER + 2 * _JITTER * part)
    return max(planned, _asked_for(retry_after, now))


def _asked_for(retry_after: str | None, now: datetime) -> timedelta:
    """Retry-After, RFC 9110, section 10.2.3: seconds or a date; a day at most."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), RETRY_AFTER_MAX)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError):
        return timedelta()
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return min(max(at - now, timedelta()), RETRY_AFTER_MAX)


def _judged(
    delivery: TakenDelivery,
    at: datetime,
    duration_ms: int,
    reply: Reply | None,
    error: str | None,
) -> Attempt:
    number = delivery.attempts + 1
    is_taken = reply is not None and reply.is_taken
    is_last = is_taken or delivery.kind == "test" or (reply is not None and reply.is_gone)
    wait = None
    if not is_last:
        retry_after = None if reply is None else reply.retry_after
        wait = again_after(delivery.delivery_id, number, retry_after, at)
    return Attempt(
        delivery_id=delivery.delivery_id,
        number=number,
        at=at,
        duration_ms=duration_ms,
        status_code=None if reply is None else reply.status,
        error=error,
        body=None if reply is None else reply.body,
        is_taken=is_taken,
        again_at=None if wait is None else at + wait,
    )


async def _first_of(
    running: Mapping[asyncio.Task[None], str], bell: asyncio.Event, seconds: float
) -> None:
    """Come back when an attempt is over, the bell rings, or it is time to look anyway."""
    ringing = asyncio.create_task(bell.wait())
    try:
        await asyncio.wait(
            {ringing, *running}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        ringing.cancel()
