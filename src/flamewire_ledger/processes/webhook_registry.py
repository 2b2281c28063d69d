"""Which webhook endpoints a merchant has, and had at any position of the log.

Folded from the log itself: what is told of an event goes to the endpoints there were when it was
recorded, and what is sent now to those there are now. Read models may lag; money is told of at
once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from flamewire_ledger.domain.webhook_endpoint import (
    WebhookEndpoint,
    Webhooks,
    evolve,
    webhooks_of,
)
from flamewire_ledger.store.codec import Codec
from flamewire_ledger.store.event_store import EventStore

_MERCHANTS_MAX: Final = 10_000


@dataclass(slots=True)
class History:
    """The endpoints of one merchant, as they were after each fact."""

    positions: list[int] = field(default_factory=list)
    states: list[Webhooks] = field(default_factory=list)

    def at(self, position: int) -> Mapping[str, WebhookEndpoint]:
        """As of a position, with the event there."""
        count = bisect_right(self.positions, position)
        return self.states[count - 1].endpoints if count else {}

    @property
    def now(self) -> Mapping[str, WebhookEndpoint]:
        return self.states[-1].endpoints if self.states else {}


class Registry:
    """Reads histories as far as they go, and only what is new of those that it knows."""

    def __init__(self, store: EventStore, codec: Codec) -> None:
        self._store = store
        self._codec = codec
        self._known: OrderedDict[str, History] = OrderedDict()
        self._servers_met = store.servers_met

    async def of(self, partition: int, merchants: Iterable[str]) -> Mapping[str, History]:
        """By merchant. May raise StoreUnavailable."""
        wanted = {webhooks_of(it): it for it in merchants}
        if self._servers_met != self._store.servers_met:
            self._known.clear()  # what was seen before may not be recorded there
            self._servers_met = self._store.servers_met
        known = {it: len(self._known[it].states) if it in self._known else 0 for it in wanted}
        for stream_id, events in (await self._store.load(partition, known)).items():
            history = self._known.setdefault(stream_id, History())
            for event in events[len(history.states) - known[stream_id] :]:  # another may have read
                state = history.states[-1] if history.states else None
                history.states.append(evolve(state, self._codec.decode(event)))
                history.positions.append(event.position)
            self._known.move_to_end(stream_id)
        found = {merchant: self._known[it] for it, merchant in wanted.items()}
        while len(self._known) > _MERCHANTS_MAX:
            self._known.popitem(last=False)
        return found
