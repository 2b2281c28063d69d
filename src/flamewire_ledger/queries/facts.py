"""Facts: what a read model says of one stream, from Redis where that is as good as from Postgres.

What is kept is the answer of Postgres as it came, with two positions: `changed`, of the stream's last
event in it, and `reached`, where the read model stood before it was asked. So it has every event of
the stream up to the larger of the two. It is given to somebody when the log itself, looked at not
longer ago than the cache may be old, has no event of the stream behind that: then Postgres could say
nothing else. It follows that

* nothing has to be invalidated, and so no invalidation is lost, late, or overtaken by a fill; what
  Redis lost, or brought back from yesterday, is missing or is judged by the log like everything else;
* a position that a caller asks for, or was told by this process, is looked for in the log;
* what was given out stays the least: it is kept, and only replaced by later, before it is given, so the
  next to ask, at whatever process, is given the same or later. While Redis fails, each process is as
  late as its last look, some milliseconds;
* a rebuild, a restart, a failover or a restore of the database begins a new `epoch` of keys;
* rows that lack an event which could not be applied are not kept, and what was kept before that event
  is refused because of it;
* another merchant's key is another key.

What depends on the clock is no fact: it is worked out from the facts when they are read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from flamewire_ledger.queries.changes import Changes
from flamewire_ledger.queries.gather import Gather
from flamewire_ledger.queries.shelf import Shelf
from flamewire_ledger.queries.statements import all_queries

Subject: TypeAlias = tuple[str, str]  # merchant, stream
# Made for a read model by its name, and by how the ids of its streams begin.
Cache: TypeAlias = Callable[[str, str], tuple[Changes, Shelf]]


@dataclass(frozen=True, slots=True)
class Told:
    """What Postgres says of a stream, and the position of the last event in it."""

    changed: int
    facts: bytes


class Facts:
    """Of the streams of one read model. Without `cache` Postgres is asked each time."""

    def __init__(
        self,
        ask: Callable[[Sequence[Subject]], Awaitable[Mapping[Subject, Told]]],
        question: str,
        cache: tuple[Changes, Shelf] | None = None,
    ) -> None:
        """`ask` puts the named question to Postgres, for several streams at once."""
        # Whoever is in a question waits for all of it, so that it is kept short, and there is room
        # for others beside one that takes long.
        self._asking: Gather[Subject, Told] = Gather(ask, keys_max=50, questions_max=3)
        # A release that asks for other facts does not read those of the one before.
        sql = all_queries()[question].sql
        self._shape = hashlib.sha256(sql.encode()).hexdigest()[:12]
        self._cache = cache

    async def cached(
        self, partition: int, merchant_id: str, stream_id: str, position: int
    ) -> bytes | None:
        """The facts with every event up to a position, and to the log's head; None when not known."""
        if self._cache is None:
            return None
        changes, shelf = self._cache
        recent = await changes.recent(partition, position)
        key = self._key(recent.epoch, merchant_id, stream_id)
        found = await shelf.get(key) if recent.epoch else None
        if found is None:
            return None
        age, facts = found
        return facts if recent.is_unchanged(stream_id, max(age), position) else None

    async def read(self, partition: int, merchant_id: str, stream_id: str) -> bytes | None:
        """The facts as the read model has them now; None when there is no such stream."""
        if self._cache is None:
            told = await self._asking.get((merchant_id, stream_id))
            return None if told is None else told.facts
        changes, shelf = self._cache
        recent = await changes.recent(partition)
        # All of this is said before the rows are read: they can only be later.
        epoch, reached, is_parked = recent.epoch, recent.reached, recent.is_parked
        told = await self._asking.get((merchant_id, stream_id))
        if told is None:
            return None
        if epoch and not is_parked:
            key = self._key(epoch, merchant_id, stream_id)
            await shelf.keep(key, (told.changed, reached), told.facts)
        return told.facts

    def _key(self, epoch: str, merchant_id: str, stream_id: str) -> str:
        return f"{self._shape}:{epoch}:{merchant_id}:{stream_id}"
