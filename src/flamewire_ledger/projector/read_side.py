"""What an operator does with the read side: list, status, rebuild, diff and verify, behind one door."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias

from flamewire_ledger.projector.catalog import EVERYTHING, Catalog
from flamewire_ledger.projector.connections import WritePool
from flamewire_ledger.projector.difference import difference
from flamewire_ledger.projector.installed import statuses
from flamewire_ledger.projector.rebuild import OnProgress, rebuild
from flamewire_ledger.projector.verify import Check, verify
from flamewire_ledger.store.event_store import EventStore

Rows: TypeAlias = list[dict[str, Any]]
Checks: TypeAlias = list[Check]


class ReadSide:
    """Rows for people and programs. `now` is the real time: lag is not lived by the sandbox."""

    def __init__(
        self, pool: WritePool, store: EventStore, catalog: Catalog, now: Callable[[], datetime]
    ) -> None:
        self._pool = pool
        self._store = store
        self._catalog = catalog
        self._now = now

    def list(self) -> Rows:
        """Every projection: name, version, key, events (how many types it reads), answers."""
        return [
            {
                "name": projection.name,
                "version": projection.version,
                "key": projection.key,
                "events": "all" if EVERYTHING in projection.reads else len(projection.reads),
                "answers": projection.answers,
            }
            for projection in self._catalog
        ]

    async def status(self) -> Rows:
        """How far each is, in each partition; see installed.Status for the names."""
        found = await statuses(self._pool, self._store, self._catalog, self._now())
        return [dict(status) for status in found]

    async def rebuild(self, name: str, on_progress: OnProgress | None = None) -> dict[str, Any]:
        """Raises UnknownProjection, RebuildRunning, SwitchNotPossible, ProjectionBroken."""
        projection = self._catalog.get(name)
        built = await rebuild(self._pool, self._store, projection, on_progress=on_progress)
        return {
            "name": built.name,
            "version": built.version,
            "events": built.events,
            "seconds": round(built.seconds, 3),
        }

    async def diff(self, name: str, on_progress: OnProgress | None = None) -> Rows:
        """Rows that differ from a rebuild, each side of one a row {table, side, row, differing}.

        `differing` is how many rows of the table differ, which may be more than are listed. Raises
        UnknownProjection, NothingToCompare, RebuildRunning.
        """
        projection = self._catalog.get(name)
        found = await difference(self._pool, self._store, projection, on_progress=on_progress)
        return [
            {
                "table": row.table,
                "side": side,
                "row": content,
                "differing": found.differing[row.table],
            }
            for row in found.rows
            for side, content in (("live", row.live), ("rebuilt", row.rebuilt))
            if content is not None
        ]

    async def verify(self, on_progress: OnProgress | None = None) -> Checks:
        """Every check of the log and the read models."""
        return [
            check async for check in verify(self._pool, self._store, self._catalog, on_progress)
        ]
