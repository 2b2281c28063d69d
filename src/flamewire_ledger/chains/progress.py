"""How far a chain has been followed: the place, the blocks behind it, and the transfers waited for.

FollowerState keeps it. Its rows are tuples of domain types, so that the store can keep them
without knowing the chains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from flamewire_ledger.domain.transfer import Block, Transfer

# height, hash (None: nothing is known of that block), reorganisations so far
CursorRow: TypeAlias = tuple[int, str | None, int]
# height, hash
BlockRow: TypeAlias = tuple[int, str]
# transfer, its block (None: in none), first seen, reported as confirmed, missing since this height
TransferRow: TypeAlias = tuple[Transfer, Block | None, datetime, bool, int | None]


Stage: TypeAlias = Literal["detected", "included", "confirmed"]


class FollowerState(Protocol):
    """Where a follower's progress is kept, by CAIP-2 id: an alias may name two chains."""

    async def load(
        self, chain_id: str
    ) -> tuple[CursorRow | None, Sequence[BlockRow], Sequence[TransferRow]]:
        """What was saved last; no cursor when the chain was never followed."""

    async def track(self, chain_id: str, transfers: Sequence[TransferRow]) -> None:
        """Insert or replace transfers, by transaction and index, before they are reported.

        Without this, a transfer that was reported just before a crash and then reorganised away
        would never be reported as dropped.
        """

    async def save(
        self,
        chain_id: str,
        cursor: CursorRow,
        blocks: Sequence[BlockRow],
        keep_from: int,
        transfers: Sequence[TransferRow],
        forgotten: Sequence[tuple[str, int]],
    ) -> None:
        """Move the cursor, in one transaction with everything that goes with it.

        Delete blocks above `cursor height - len(blocks)` and below `keep_from`, then insert
        `blocks`; insert or replace `transfers`; delete `forgotten`, given as (transaction_id,
        index).
        """


@dataclass(frozen=True, slots=True)
class Tracked:
    """A transfer that somebody waits for."""

    transfer: Transfer
    block: Block | None
    seen_at: datetime
    confirmed: bool = False
    missing_since: int | None = None  # the height at which it was first in no block and not pending

    @property
    def stage(self) -> Stage:
        if self.confirmed:
            return "confirmed"
        return "detected" if self.block is None else "included"

    @property
    def row(self) -> TransferRow:
        return self.transfer, self.block, self.seen_at, self.confirmed, self.missing_since


@dataclass(slots=True)
class Progress:
    """The follower's working copy of what is saved."""

    height: int
    hash: str | None
    epoch: int
    blocks: dict[int, str]  # by height, the newest of them the cursor
    tracked: dict[str, Tracked]  # by Transfer.key
    # Gone, and others have their names now; nobody has taken note of it yet.
    owed: list[Tracked] = field(default_factory=list)
    changed: dict[str, Tracked] = field(default_factory=dict)
    gone: list[Transfer] = field(default_factory=list)
    added: list[BlockRow] = field(default_factory=list)

    @property
    def cursor(self) -> CursorRow:
        return self.height, self.hash, self.epoch

    @property
    def has_changed(self) -> bool:
        return bool(self.added or self.changed or self.gone)

    def stages(self) -> Mapping[Stage, int]:
        """How many transfers there are of each."""
        return Counter(tracked.stage for tracked in self.tracked.values())

    def forget_replaced(
        self, transfers: Iterable[Transfer], *, by_amount: bool
    ) -> Sequence[Tracked]:
        """Forget what is tracked under the names of these and is not the same, and give it out: a
        call that is executed anew in another block can pay somebody else. `by_amount`: another
        amount is another's too.
        """
        found: list[Tracked] = []
        for transfer in transfers:
            before = self.tracked.get(transfer.key)
            if before is not None and (
                (before.transfer.address, before.transfer.mark) != (transfer.address, transfer.mark)
                or (by_amount and before.transfer.amount != transfer.amount)
            ):
                self.forget(before)
                found.append(before)
        return found

    def put(self, tracked: Tracked) -> None:
        key = tracked.transfer.key
        self.tracked[key] = tracked
        self.changed[key] = tracked
        self.gone = [transfer for transfer in self.gone if transfer.key != key]

    def forget(self, tracked: Tracked) -> None:
        self.tracked.pop(tracked.transfer.key, None)
        self.changed.pop(tracked.transfer.key, None)
        self.gone.append(tracked.transfer)

    def transfers(self) -> Iterable[Transfer]:
        """All that somebody has to be told of yet."""
        return (each.transfer for each in (*self.tracked.values(), *self.owed))

    def owe(self, tracked: Tracked) -> None:
        """Somebody has to be told that it is gone, whoever has its name now."""
        self.owed.append(tracked)

    def settle(self, tracked: Tracked) -> None:
        """That it is gone was taken note of."""
        self.owed.remove(tracked)
        if all(other.transfer.key != tracked.transfer.key for other in self.owed):
            self.gone.append(_kept_as(tracked).transfer)

    def owed_as_kept(self) -> Sequence[Tracked]:
        """What is owed, as it is kept: by names that no transfer has."""
        return [_kept_as(each) for each in self.owed]

    def advance(self, block: Block) -> None:
        self.height, self.hash = block.height, block.hash
        self.blocks[block.height] = block.hash
        self.added.append((block.height, block.hash))

    def rewind(self, height: int) -> None:
        """Back to a block that is known, or to before all that are."""
        self.height, self.hash = height, self.blocks.get(height)
        self.epoch += 1
        for abandoned in [known for known in self.blocks if known > height]:
            del self.blocks[abandoned]

    def settled(self) -> None:
        """All of it is saved."""
        self.changed.clear()
        self.gone.clear()
        self.added.clear()


async def load(state: FollowerState, chain_id: str) -> Progress | None:
    """The saved progress. A transfer in a block above the cursor is in none until met again.

    That is a change to be saved with the cursor: once that has passed the block's height, nothing
    else would tell that the block was not taken in, and it may have been abandoned meanwhile.
    """
    cursor, blocks, rows = await state.load(chain_id)
    if cursor is None:
        return None
    height, digest, epoch = cursor
    progress = Progress(height, digest, epoch, dict(sorted(blocks)), {})
    for row in rows:
        tracked = Tracked(*row)
        if tracked.transfer.index < 0:
            progress.owe(_kept_as(tracked))
        elif tracked.block is not None and tracked.block.height > height:
            progress.put(replace(tracked, block=None))
        else:
            progress.tracked[tracked.transfer.key] = tracked
    return progress


def _kept_as(tracked: Tracked) -> Tracked:
    """What is owed under a name that no transfer has, and back: its own is another's by now."""
    transfer = tracked.transfer
    return replace(tracked, transfer=replace(transfer, index=-1 - transfer.index))


class MemoryFollowerState:
    """The same contract, in memory."""

    def __init__(self) -> None:
        self._cursors: dict[str, CursorRow] = {}
        self._blocks: dict[str, dict[int, str]] = {}
        self._transfers: dict[str, dict[tuple[str, int], TransferRow]] = {}

    async def load(
        self, chain_id: str
    ) -> tuple[CursorRow | None, Sequence[BlockRow], Sequence[TransferRow]]:
        blocks = sorted(self._blocks.get(chain_id, {}).items())
        return self._cursors.get(chain_id), blocks, list(self._rows(chain_id).values())

    async def track(self, chain_id: str, transfers: Sequence[TransferRow]) -> None:
        self._rows(chain_id).update(_by_name(transfers))

    async def save(
        self,
        chain_id: str,
        cursor: CursorRow,
        blocks: Sequence[BlockRow],
        keep_from: int,
        transfers: Sequence[TransferRow],
        forgotten: Sequence[tuple[str, int]],
    ) -> None:
        valid_to = cursor[0] - len(blocks)
        kept = {
            height: digest
            for height, digest in self._blocks.get(chain_id, {}).items()
            if keep_from <= height <= valid_to
        }
        kept.update(blocks)
        self._cursors[chain_id] = cursor
        self._blocks[chain_id] = kept
        rows = self._rows(chain_id)
        rows.update(_by_name(transfers))
        for name in forgotten:
            rows.pop(name, None)

    def _rows(self, chain_id: str) -> dict[tuple[str, int], TransferRow]:
        return self._transfers.setdefault(chain_id, {})


def _by_name(transfers: Iterable[TransferRow]) -> dict[tuple[str, int], TransferRow]:
    return {(row[0].transaction_id, row[0].index): row for row in transfers}
