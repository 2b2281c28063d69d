"""Changes: what the log says has changed lately, so that what is remembered can be told from what is old.

The log is looked at when somebody asks, at most once in a while, however many ask: nothing runs when
nobody reads. Only so many events and streams are looked at and remembered; about what is older
nothing is said, and that counts as changed.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg.rows import tuple_row

from flamewire_ledger.queries.database import ReadPool, execute
from flamewire_ledger.queries.statements import by_name, parse_statements, text_beside

_SQL: Final = by_name(parse_statements(text_beside(__file__, "changes.sql"), "changes.sql"))
EVENTS_MAX: Final = 10_000  # looked at in one look
STREAMS_MAX: Final = 50_000  # remembered: some 9 MB


@dataclass(slots=True)
class Recent:
    """One partition as it was looked at last: every change in (floor, seen] is in `changed`."""

    epoch: str = ""
    floor: int = 0
    seen: int = 0  # the head of the log
    reached: int = 0  # the position of the read model
    is_parked: bool = False  # something could not be applied: rows may lag behind `reached`
    looked_at: float = float("-inf")  # when the look began
    changed: OrderedDict[str, int] = field(
        default_factory=OrderedDict
    )  # stream → its last, in order

    def is_unchanged(self, stream_id: str, since: int, until: int) -> bool:
        """Whether nothing is in the stream behind `since`, up to `until` and up to the log's head as seen."""
        return (
            since >= self.floor
            and self.changed.get(stream_id, 0) <= since
            and until <= max(since, self.seen)
        )

    def take(self, rows: Sequence[Any]) -> None:
        """What a look found behind `seen`."""
        head, looked_behind, *state, _, _ = rows[0]
        if looked_behind > self.seen:
            self.floor = looked_behind  # it did not go back as far as it was asked to
        self.seen = head
        self.reached, self.epoch, self.is_parked = state
        found = [(position, stream_id) for *_, stream_id, position in rows if stream_id is not None]
        for position, stream_id in sorted(found):
            self.changed[stream_id] = position
            self.changed.move_to_end(stream_id)
        while len(self.changed) > STREAMS_MAX:
            _, self.floor = self.changed.popitem(last=False)


class Changes:
    """Of the streams that one read model's rows come from: those whose ids begin with `streams`."""

    def __init__(
        self,
        pool: ReadPool,
        name: str,
        streams: str,
        monotonic: Callable[[], float],
        *,
        age_seconds_max: float,
    ) -> None:
        """`age_seconds_max`: how long a look does; 0 makes each look begin after it was asked for."""
        self._pool = pool
        self._name = name
        self._streams = streams
        self._monotonic = monotonic
        self._age_seconds_max = age_seconds_max
        self._recent: dict[int, Recent] = {}
        self._looking: dict[int, asyncio.Task[None]] = {}

    async def recent(self, partition: int, position: int = 0) -> Recent:
        """What is known of a partition, no older than allowed, and at `position` if the log is there.

        Its epoch is empty when the read model is not built.
        """
        now = self._monotonic()
        known = self._recent.setdefault(partition, Recent())
        if known.looked_at < now - self._age_seconds_max / 2:
            # Under load it is there before anybody has to wait for it.
            self._begin(partition)
        recent = await self._looked(partition, now - self._age_seconds_max)
        return recent if recent.seen >= position else await self._looked(partition, now)

    async def _looked(self, partition: int, begun_after: float) -> Recent:
        while self._recent[partition].looked_at < begun_after:
            # The look is everybody's: who goes away does not stop it.
            await asyncio.shield(self._begin(partition))
        return self._recent[partition]

    def _begin(self, partition: int) -> asyncio.Task[None]:
        """The look that is under way, or a new one."""
        task = self._looking.get(partition)
        if task is None or task.done():
            task = self._looking[partition] = asyncio.create_task(self._look(partition))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def _look(self, partition: int) -> None:
        began = self._monotonic()
        recent = self._recent[partition]
        rows = await self._ask(partition, recent.seen)
        if not rows or (recent.epoch and (rows[0][3] != recent.epoch or rows[0][0] < recent.seen)):
            # Positions may mean other events now: nothing that was known is known any more.
            recent = self._recent[partition] = Recent()
            rows = await self._ask(partition, 0) if rows else []
        if rows:
            recent.take(rows)
        recent.looked_at = began

    async def _ask(self, partition: int, after: int) -> Sequence[Any]:
        parameters = {
            "partition": partition,
            "name": self._name,
            "after": after,
            "events_max": EVENTS_MAX,
            "streams": self._streams,
        }
        return await execute(self._pool, _SQL["look"].sql, parameters, tuple_row, binary=True)
