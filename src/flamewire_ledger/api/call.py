"""A call: one request that has passed the door, with everything its handler needs; and the answer
it gives.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flamewire_ledger.api.authentication import Caller
from flamewire_ledger.api.idempotency import Running
from flamewire_ledger.api.parts import Mode, Parts
from flamewire_ledger.api.pricing import Till
from flamewire_ledger.api.usage_desk import UsageDesk
from flamewire_ledger.chains.chain import Chain
from flamewire_ledger.commands.origin import Origin
from flamewire_ledger.store.event_store import partition_of

_REMEMBERED_MAX: Final = 100_000
DRAWN_AT_ONCE_MAX: Final = 2
EXPORTED_AT_ONCE_MAX: Final = 2


class Acknowledged:
    """The last position each merchant was told by this process, so that it reads what it wrote."""

    def __init__(self) -> None:
        self._positions: OrderedDict[str, int] = OrderedDict()

    def note(self, merchant_id: str, position: int) -> None:
        self._positions[merchant_id] = max(position, self._positions.pop(merchant_id, 0))
        if len(self._positions) > _REMEMBERED_MAX:
            self._positions.popitem(last=False)

    def of(self, merchant_id: str) -> int:
        return self._positions.get(merchant_id, 0)

    def lost(self, merchant_id: str, head: int) -> None:
        """What it was told is beyond the end of the log, since a failover: nobody can wait for that."""
        if self._positions.get(merchant_id, 0) > head:
            self._positions[merchant_id] = head


class Owners:
    """Whose a stream is. That never changes, so it is kept; what is not there may come."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.store
        self._owners: OrderedDict[str, str] = OrderedDict()

    def knows(self, merchant_id: str, stream_id: str) -> bool:
        """Whether it is known already to be this merchant's."""
        return self._owners.get(stream_id) == merchant_id

    async def owns(self, merchant_id: str, stream_id: str) -> bool:
        """Whether there is such a stream of this merchant. Streams of others look like none."""
        owner = self._owners.get(stream_id)
        if owner is None:
            partition = partition_of(merchant_id, self._store.partitions)
            first = await self._store.read_stream(partition, stream_id, limit=1)
            if not first:
                return False
            owner = self._owners[stream_id] = first[0].merchant_id
            if len(self._owners) > _REMEMBERED_MAX:
                self._owners.popitem(last=False)
        return owner == merchant_id


@dataclass(frozen=True, slots=True)
class Office:
    """What all calls of one process share: the parts, and what was learnt while answering."""

    parts: Parts
    running: Running
    acknowledged: Acknowledged
    owners: Owners
    usage: UsageDesk
    drawing: asyncio.Semaphore  # documents take a thread and a tenth of a second each
    exporting: asyncio.Semaphore  # books are followed from their beginning

    @classmethod
    def of(cls, parts: Parts) -> Office:
        drawing = asyncio.Semaphore(DRAWN_AT_ONCE_MAX)
        exporting = asyncio.Semaphore(EXPORTED_AT_ONCE_MAX)
        return cls(
            parts, Running(), Acknowledged(), Owners(parts), UsageDesk(parts), drawing, exporting
        )


@dataclass(slots=True)  # not frozen: that would take four times as long to make, a thousand a batch
class Call:
    """One request. `query` and `body` are the models of its operation, validated."""

    office: Office
    caller: Caller
    request_id: str
    path: Mapping[str, str]
    query: Any
    body: Any
    command_id: UUID
    fingerprint: bytes
    has_key: bool = False  # of idempotency: then an answer may have been stored before
    till_of_batch: Till | None = None  # of a batch: one moment and its prices for all of its lines

    @property
    def parts(self) -> Parts:
        return self.office.parts

    @property
    def merchant_id(self) -> str:
        return self.caller.merchant_id

    @property
    def partition(self) -> int:
        return partition_of(self.merchant_id, self.parts.store.partitions)

    @property
    def origin(self) -> Origin:
        return Origin(
            command_id=self.command_id,
            merchant_id=self.merchant_id,
            actor=self.caller.actor,
            fingerprint=self.fingerprint,
            correlation_id=self.request_id,
        )

    @property
    def mode(self) -> Mode:
        return self.parts.live if self.caller.livemode else self.parts.test

    @property
    def chains(self) -> Sequence[Chain]:
        """The networks of the caller's mode, in the order of the configuration."""
        return self.mode.chains

    def now(self) -> datetime:
        """Test merchants live by the sandbox clock, live ones by the real one."""
        return self.mode.clock.now() if self.till_of_batch is None else self.till_of_batch.now

    def till(self, now: datetime) -> Till:
        if self.till_of_batch is not None and self.till_of_batch.now == now:
            return self.till_of_batch
        offer = self.parts.offer
        return Till(self.mode.prices, offer.credit_price, now, offer.price_rules)


@dataclass(slots=True)
class Answer:
    """What a handler gives back; the status is the operation's unless it says otherwise."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None
    media_type: str = "application/json"
    more: AsyncIterator[bytes] | None = None  # what follows the body, as it is made
