"""Announcing: what is recorded becomes messages, queued for the endpoints that want them.

The log is read in order, behind a checkpoint that moves in the transaction that queues: each event
is told of once, whoever dies when. A message is made of its event and of what the log said until
then, so that it is the same whenever it is made; a replay makes it again. What cannot be told is
put aside with its cause, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog

from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.webhook_endpoint import (
    WebhookEndpoint,
    WebhookEndpointChanged,
    WebhookEndpointDeleted,
    WebhookEndpointDisabled,
    WebhookEndpointEnabled,
    WebhookReplayRequested,
    WebhookSecretRotated,
    WebhookTestRequested,
)
from flamewire_ledger.processes.search import Search
from flamewire_ledger.processes.webhook_registry import History, Registry
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import EventStore, RecordedEvent
from flamewire_ledger.store.webhook_queue import (
    Batch,
    QueuedDelivery,
    QueuedMessage,
    Replay,
    WebhookQueue,
)
from flamewire_ledger.store.webhook_queue import Kind as DeliveryKind
from flamewire_ledger.webhooks.catalog import KIND_OF
from flamewire_ledger.webhooks.endpoint_messages import TEST
from flamewire_ledger.webhooks.message import Kind, Message, Told, message_id, to_json

_log = structlog.get_logger(__name__)
_OWN: Final = frozenset(
    {
        WebhookTestRequested.type,
        WebhookReplayRequested.type,
        WebhookEndpointDeleted.type,
        WebhookEndpointDisabled.type,
        WebhookEndpointEnabled.type,
        WebhookEndpointChanged.type,
        WebhookSecretRotated.type,
    }
)
_CANCEL: Final = frozenset({WebhookEndpointDeleted.type, WebhookEndpointDisabled.type})
READS: Final = frozenset({*KIND_OF, *_OWN})
_PAGE_EVENTS: Final = 200
_SEARCH_EVENTS_MAX: Final = 100_000
_REPLAYS_MAX: Final = 10
WAITING_MAX: Final = 1_000  # deliveries to one endpoint beyond which a replay waits


@dataclass(frozen=True, slots=True)
class _Telling:
    """One event, what is told of it, and to whom."""

    event: RecordedEvent
    fact: Any
    kind: Kind
    endpoints: Sequence[WebhookEndpoint]
    as_: DeliveryKind = "event"
    replay: Replay | None = None


@dataclass(slots=True)
class _Collected:
    """What is to be queued, as it comes together."""

    messages: list[QueuedMessage] = field(default_factory=list)
    deliveries: list[QueuedDelivery] = field(default_factory=list)
    replays: list[Replay] = field(default_factory=list)
    canceled: dict[str, bool] = field(default_factory=dict)
    begun_anew: list[str] = field(default_factory=list)
    ended_secrets: dict[str, datetime] = field(default_factory=dict)

    def batch(self) -> Batch:
        return Batch(
            messages=self.messages,
            deliveries=self.deliveries,
            replays=self.replays,
            canceled=self.canceled,
            begun_anew=self.begun_anew,
            ended_secrets=self.ended_secrets,
        )


class Announcing:
    """`page`, `replay` and `again` do one step each; processes/webhooks.py says when."""

    def __init__(
        self,
        store: EventStore,
        search: Search,
        codec: Codec,
        registry: Registry,
        queue: WebhookQueue,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._search = search
        self._codec = codec
        self._registry = registry
        self._queue = queue
        self._now = now

    async def page(self, partition: int) -> bool:
        """Queue what follows from the next events; whether there may be more of them."""
        after, head = await self._queue.position(partition), await self._store.head(partition)
        if head <= after:
            return False
        last = min(head, after + _SEARCH_EVENTS_MAX)
        events = await self._search.find(partition, after, last, READS, _PAGE_EVENTS)
        if len(events) == _PAGE_EVENTS:
            last = events[-1].position
        # What cancels ends a page: it is of what was recorded before it.
        for place, event in enumerate(events):
            if event.type in _CANCEL:
                events, last = events[: place + 1], event.position
                break
        histories = await self._registry.of(partition, {it.merchant_id for it in events})
        collected, tellings = _Collected(), list[_Telling]()
        for event in events:
            tellings += await self._looked_at(event, histories[event.merchant_id], collected)
        await self._tell(partition, tellings, collected)
        await self._queue.put(partition, last, collected.batch(), self._now())
        return last < head

    async def again(self, partition: int) -> None:
        """Try what was put aside: another version of the ledger may know what to tell of it."""
        for position in await self._queue.parked(partition, _PAGE_EVENTS):
            (event,) = await self._store.read(partition, position - 1, 1)
            histories = await self._registry.of(partition, {event.merchant_id})
            collected = _Collected()
            tellings = await self._looked_at(event, histories[event.merchant_id], collected)
            is_told = await self._tell(partition, tellings, collected)
            if is_told and (tellings or await self._decoded(event) is not None):
                # What it meant to the queue then may be wrong by now.
                batch = Batch(collected.messages, collected.deliveries, collected.replays)
                await self._queue.put(partition, 0, batch, self._now())
                await self._queue.unpark(partition, position)

    async def replay(self, partition: int) -> bool:
        """Queue the next part of each replay; whether there may be more of them."""
        found = await self._queue.replays(partition, waiting_max=WAITING_MAX, limit=_REPLAYS_MAX)
        for replay in found:
            await self._replay_part(partition, replay)
        return bool(found)

    async def _replay_part(self, partition: int, replay: Replay) -> None:
        histories = await self._registry.of(partition, {replay.merchant_id})
        endpoint = histories[replay.merchant_id].now.get(replay.endpoint_id)
        if endpoint is None or not endpoint.is_enabled:
            await self._queue.cancel(
                partition, replay.endpoint_id, self._now(), tests_too=endpoint is None
            )
            return
        types = {it for it, kind in KIND_OF.items() if endpoint.wants(kind.type)}
        last = min(replay.until, replay.after + _SEARCH_EVENTS_MAX)
        events = await self._search.find(partition, replay.after, last, types, _PAGE_EVENTS)
        if len(events) == _PAGE_EVENTS:
            last = events[-1].position
        own = [it for it in events if it.merchant_id == replay.merchant_id]
        if replay.undelivered_only and own:
            ids = {it.position: _message_id(it) for it in own}
            taken = await self._queue.delivered_to(endpoint.endpoint_id, list(ids.values()))
            own = [it for it in own if ids[it.position] not in taken]
        collected, tellings = _Collected(), list[_Telling]()
        for event in own:
            fact = await self._decoded(event)
            if fact is not None:
                kind = KIND_OF[event.type]
                tellings.append(_Telling(event, fact, kind, (endpoint,), "replay", replay))
        await self._tell(partition, tellings, collected)
        await self._queue.put_replay(partition, replay, last, collected.batch(), self._now())

    async def _looked_at(
        self, event: RecordedEvent, history: History, collected: _Collected
    ) -> list[_Telling]:
        """What an event leads to: changes of the queue now, and what is to be told of it."""
        endpoints = history.at(event.position)
        kind = KIND_OF.get(event.type)
        wanted: list[WebhookEndpoint] = []
        if kind is not None:
            wanted = [it for it in endpoints.values() if it.is_enabled and it.wants(kind.type)]
        if not wanted and event.type not in _OWN:
            return []
        fact = await self._decoded(event)
        if fact is None:
            return []
        if event.type in _OWN:
            _note(fact, event, history, collected)
        if isinstance(fact, WebhookTestRequested) and fact.endpoint_id in endpoints:
            return [_Telling(event, fact, TEST, (endpoints[fact.endpoint_id],), "test")]
        return [_Telling(event, fact, kind, wanted)] if kind is not None and wanted else []

    async def _tell(
        self, partition: int, tellings: Sequence[_Telling], collected: _Collected
    ) -> bool:
        """Make the messages, and say to whom they go: whether all could be made. What has to be
        known for them is loaded at once.
        """
        needs: dict[str, str] = {}
        for telling in tellings:
            for stream_id, how in telling.kind.needs(telling.fact, telling.event.stream_id).items():
                needs[stream_id] = "all" if needs.get(stream_id) == "all" else how
        whole = {stream_id: 0 for stream_id, how in needs.items() if how == "all"}
        past = dict(await self._store.load(partition, whole)) if whole else {}
        for stream_id in needs.keys() - whole.keys():
            past[stream_id] = await self._store.read_stream(partition, stream_id, limit=1)
        facts: dict[tuple[str, int], Any] = {}
        is_told = True
        for telling in tellings:
            try:
                body = self._body(telling, past, facts)
            except Exception as error:  # noqa: BLE001 - one broken event must not stop the others
                await self._park(telling.event, error)
                is_told = False
                continue
            if body is not None:
                collected.messages.append(_queued(telling, body))
                collected.deliveries += _deliveries(telling)
        return is_told

    def _body(
        self,
        telling: _Telling,
        past: Mapping[str, Sequence[RecordedEvent]],
        facts: dict[tuple[str, int], Any],
    ) -> bytes | None:
        """The message to the byte; None when there is nothing to tell."""
        event, kind = telling.event, telling.kind
        known = {
            stream_id: self._until(past[stream_id], event.position, facts)
            for stream_id in kind.needs(telling.fact, event.stream_id)
        }
        data = kind.of(Told(telling.fact, event.stream_id, known))
        if data is None:
            return None
        return to_json(
            Message(
                id=_message_id(event),
                event=kind.type,
                type=kind.type,
                timestamp=event.recorded_at,
                sequence=event.position,
                livemode=telling.endpoints[0].livemode,
                data=data,
            )
        )

    def _until(
        self,
        events: Iterable[RecordedEvent],
        position: int,
        facts: dict[tuple[str, int], Any],
    ) -> list[Any]:
        """The facts of a stream up to a position. `facts` keeps what was decoded for a page."""
        found = []
        for event in events:
            if event.position > position:
                break
            key = (event.stream_id, event.version)
            if key not in facts:
                facts[key] = self._codec.decode(event)
            found.append(facts[key])
        return found

    async def _decoded(self, event: RecordedEvent) -> Any | None:
        try:
            return self._codec.decode(event)
        except Exception as error:  # noqa: BLE001 - one broken event must not stop the others
            await self._park(event, error)
            return None

    async def _park(self, event: RecordedEvent, error: Exception) -> None:
        cause = f"no message can be made of it: {type(error).__name__}: {error}"
        _log.error("an event is not told of", position=event.position, exc_info=error)
        await self._queue.park(event.partition, event.position, event.stream_id, event.type, cause)


def _note(fact: Any, event: RecordedEvent, history: History, collected: _Collected) -> None:
    """What a fact about an endpoint means to the queue."""
    match fact:
        case WebhookEndpointDeleted():
            collected.canceled[fact.endpoint_id] = True
            before = history.at(event.position - 1).get(fact.endpoint_id)
            if before is not None:
                for secret_id in (before.secret_id, *(it.secret_id for it in before.retiring)):
                    collected.ended_secrets[secret_id] = fact.deleted_at
        case WebhookEndpointDisabled():
            collected.canceled.setdefault(fact.endpoint_id, False)
        case WebhookEndpointEnabled():
            collected.begun_anew.append(fact.endpoint_id)
        case WebhookEndpointChanged():
            before = history.at(event.position - 1).get(fact.endpoint_id)
            if before is not None and before.url != fact.url:
                collected.begun_anew.append(
                    fact.endpoint_id
                )  # that another place failed says nothing
        case WebhookSecretRotated():
            collected.ended_secrets[fact.previous_secret_id] = fact.previous_until
            if fact.previous_until <= fact.rotated_at:
                before = history.at(event.position - 1).get(fact.endpoint_id)
                for retiring in () if before is None else before.retiring:
                    collected.ended_secrets[retiring.secret_id] = fact.rotated_at
        case WebhookReplayRequested():
            collected.replays.append(
                Replay(
                    replay_id=fact.replay_id,
                    endpoint_id=fact.endpoint_id,
                    merchant_id=event.merchant_id,
                    after=fact.after,
                    until=fact.until,
                    undelivered_only=fact.undelivered_only,
                    requested_at=fact.requested_at,
                )
            )
        case _:
            return  # a test is only told of


def _message_id(event: RecordedEvent) -> str:
    return message_id(event.stream_id, event.version, event.recorded_at)


def _queued(telling: _Telling, body: bytes) -> QueuedMessage:
    event = telling.event
    return QueuedMessage(
        message_id=_message_id(event),
        merchant_id=event.merchant_id,
        type=telling.kind.type,
        stream_id=event.stream_id,
        position=event.position,
        recorded_at=event.recorded_at,
        body=body,
    )


def _deliveries(telling: _Telling) -> list[QueuedDelivery]:
    replay = telling.replay
    id_ = _message_id(telling.event)
    at = telling.event.recorded_at if replay is None else replay.requested_at
    replay_id = None if replay is None else replay.replay_id
    return [
        QueuedDelivery(
            delivery_id=derived_id("wd", at, endpoint.endpoint_id, id_, replay_id or ""),
            endpoint_id=endpoint.endpoint_id,
            message_id=id_,
            kind=telling.as_,
            replay_id=replay_id,
        )
        for endpoint in telling.endpoints
    ]
