"""The root of the Merkle tree over the log up to a position: what ties a report to the events it is of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from flamewire_ledger.domain.reconciliation import LogPin
from flamewire_ledger.store.archive_line import event_line
from flamewire_ledger.store.event_store import RecordedEvent
from flamewire_ledger.store.merkle import MerkleTree

_EVENTS_AT_ONCE: Final = 5_000


class Store(Protocol):
    async def read(
        self, partition: int, after: int, limit: int, *, until: int | None = None
    ) -> Sequence[RecordedEvent]: ...


async def pinned(store: Store, partition: int, position: int, before: LogPin | None) -> LogPin:
    """The pin at a position. It goes on from an earlier one where there is one, so that a run reads
    the events since the last and not the whole log.
    """
    tree = MerkleTree()
    if before is not None and before.partition == partition and before.position <= position:
        tree = MerkleTree.of_parts((size, bytes.fromhex(root)) for size, root in before.tree)
    while tree.leaves < position:
        events = await store.read(partition, tree.leaves, _EVENTS_AT_ONCE, until=position)
        assert events, "positions have no gaps"
        tree.add(event_line(event) for event in events)
    parts = tuple((size, root.hex()) for size, root in tree.parts)
    return LogPin(partition, position, tree.root().hex(), parts)
