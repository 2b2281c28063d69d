"""What was ever paid on a sandbox chain, in order: the chain is a function of this and the time.

Rows are tuples of domain types, so that the store can keep them without knowing the chains. The
process that injects a transfer and the one that follows the chain meet here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from flamewire_ledger.domain.transfer import Transfer

# sequence, transfer, paid_at, real_at, anchored_at, head, is_included, pending_until, removed_at,
# returns_at
JournalRow: TypeAlias = tuple[
    int, Transfer, datetime, datetime, datetime, int, bool, int, int | None, int | None
]


@dataclass(frozen=True, slots=True)
class Entry:
    """One transfer, and what becomes of it. Heights say from which head on something is so."""

    sequence: int  # 1…n on its chain
    transfer: Transfer
    paid_at: datetime  # sandbox time
    real_at: datetime
    anchored_at: datetime  # real time at which block `head` counts as made
    head: int  # the chain's height when it was paid; the next block is the first that can hold it
    is_included: bool
    pending_until: int
    removed_at: int | None = None  # the head at which a reorganisation has taken it out
    returns_at: int | None = None  # the block that takes it in again

    @property
    def first_height(self) -> int:
        return self.head + 1

    @property
    def row(self) -> JournalRow:
        return (
            self.sequence, self.transfer, self.paid_at, self.real_at, self.anchored_at, self.head,
            self.is_included, self.pending_until, self.removed_at, self.returns_at,
        )  # fmt: skip


class SandboxJournal(Protocol):
    """Append-only, one sequence a chain, by CAIP-2 chain id."""

    async def read(self, chain_id: str, after: int, limit: int) -> Sequence[JournalRow]:
        """Rows behind a sequence number, in order; who has seen row n has seen all before it."""

    async def append(
        self, chain_id: str, write: Callable[[JournalRow | None], JournalRow]
    ) -> JournalRow:
        """Append what `write` makes of the last row (None: there is none).

        Nobody else appends to this chain meanwhile. The new sequence is the last one's plus one.
        """


class MemorySandboxJournal:
    """The same contract, in memory."""

    def __init__(self) -> None:
        self._rows: dict[str, list[JournalRow]] = {}

    async def read(self, chain_id: str, after: int, limit: int) -> Sequence[JournalRow]:
        return self._rows.get(chain_id, [])[after : after + limit]

    async def append(
        self, chain_id: str, write: Callable[[JournalRow | None], JournalRow]
    ) -> JournalRow:
        rows = self._rows.setdefault(chain_id, [])
        row = write(rows[-1] if rows else None)
        assert row[0] == len(rows) + 1, "a journal has no gaps"
        rows.append(row)
        return row
