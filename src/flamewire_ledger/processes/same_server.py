"""Whether the database is still the server that gave the answers before.

After a failover, or a restore, positions may mean other events than the ones that were seen. Whose
connection broke knows that it was away; but connections are shared, and who gets one that somebody
else has had made anew knows nothing. So answers that something is remembered of say since when
their server runs: no other one began in the same microsecond.
"""

from __future__ import annotations

from datetime import datetime

from flamewire_ledger.store.event_store import StoreUnavailable


class SameServer:
    """Compares the servers of the answers about each partition."""

    def __init__(self) -> None:
        self._began: dict[int, datetime] = {}

    def began(self, partition: int) -> datetime | None:
        """Since when the server runs that was met last; None before the first answer."""
        return self._began.get(partition)

    def check(self, partition: int, began: datetime) -> None:
        """Raises StoreUnavailable, once, when it is another server than the one before: begin again
        with what is saved.
        """
        before, self._began[partition] = self._began.get(partition, began), began
        if began != before:
            raise StoreUnavailable(
                "the database was started anew, or is another server: it may lack what was seen"
            )
