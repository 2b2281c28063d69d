"""Following a chain, once for all chains: every block in order, nothing missed, nothing invented.

A step reads the heads, then either walks back (the chain was reorganised) or takes the next
blocks. What is ours is written down, then reported, then the cursor moves: a crash in between
repeats reports and loses none. A chain is believed in what it says now, even against its own
finality: a confirmed transfer whose block is gone is reported as dropped.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, assert_never

from flamewire_ledger.chains.catching_up import Stride, first_height
from flamewire_ledger.chains.chain import (
    BlockTransfers,
    Chain,
    ChainUnavailable,
    Heads,
    PendingTransfer,
)
from flamewire_ledger.chains.finality import Finality, Unattested
from flamewire_ledger.chains.observation import (
    Confirmed,
    Detected,
    Dropped,
    Included,
    Listener,
    ListenerBusy,
    Observation,
)
from flamewire_ledger.chains.progress import FollowerState, Progress, Stage, Tracked, load
from flamewire_ledger.chains.reorganisation import common_ancestor, is_contradicted
from flamewire_ledger.chains.telling import Refused, Telling

_log = logging.getLogger(__name__)

BLOCKS_KEPT_MAX: Final = 10_000  # however far behind a chain's finality falls


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once, and how long to wait."""

    batch_blocks_max: int = 100
    quiet_blocks_max: int = 500  # far below finality, where little happens
    blocks_kept: int = 256  # below finality: how deep a broken promise of the chain can be noticed
    # A transfer in no block and not pending is given up once the chain has grown by so much.
    patience_blocks: int = 1
    late_seconds_max: float = 45.0  # what was sent may be recorded so late: a database's time-outs
    refused_seconds: float = 1.0  # before what was refused is told again; doubled each time
    refused_seconds_max: float = 300.0
    poll_seconds: float = 0.25
    backoff_seconds: float = 0.5
    backoff_seconds_max: float = 30.0


class Follower:
    """One chain's follower. Only one at a time may use a chain's state.

    It has no clock: when a transfer came is the chain's word. Without saved state it starts at
    `start_height`, or at the first block of the time that `since` answers: since then somebody may
    wait for transfers, and the chain's node may be late to come up. Else it starts at the head.
    """

    def __init__(
        self,
        chain: Chain,
        listener: Listener,
        state: FollowerState,
        *,
        limits: Limits | None = None,
        start_height: int | None = None,
        since: Callable[[], Awaitable[datetime | None]] | None = None,
    ) -> None:
        self._chain = chain
        self._listener = listener
        self._state = state
        self._limits = limits or Limits()
        self._start_height = start_height
        self._since = since
        self._chain_id = chain.network.chain_id
        self._telling = Telling(
            self._chain_id,
            listener,
            state,
            seconds=self._limits.refused_seconds,
            seconds_max=self._limits.refused_seconds_max,
        )
        self._finality = Finality(chain, self._telling.is_due)
        self._stride = Stride(self._limits.batch_blocks_max, self._limits.quiet_blocks_max)
        self._progress: Progress | None = None
        self._heads: Heads | None = None
        self._unsure_until = 0.0  # by the event loop's time
        self._ignored: frozenset[str] = frozenset()  # pending, and nobody's

    @property
    def height(self) -> int | None:
        """The last block taken in; None before the first step."""
        return self._progress.height if self._progress else None

    @property
    def heads(self) -> Heads | None:
        """What the chain said last; None before it said anything."""
        return self._heads

    @property
    def stages(self) -> Mapping[Stage, int]:
        """How many transfers to our addresses are kept in mind, by how far they are."""
        return self._progress.stages() if self._progress else {}

    @property
    def unattested(self) -> Sequence[Unattested]:
        """Transfers in final blocks that too few endpoints attest: they are not confirmed."""
        return self._finality.unattested

    @property
    def refused(self) -> Sequence[Refused]:
        """What the listener did not take in: it is told again, ever more slowly."""
        return self._telling.refused

    async def run(
        self, *, retry_on: tuple[type[Exception], ...] = (), until: asyncio.Event | None = None
    ) -> None:
        """Step for ever, or until the event is set.

        Faults that time may mend are retried, ever more slowly; any other fault ends the run.
        """
        mendable: tuple[type[Exception], ...] = (ChainUnavailable, ListenerBusy, *retry_on)
        wait_seconds = self._limits.backoff_seconds
        self._progress = None  # another may have followed since: what is saved is the truth
        while until is None or not until.is_set():
            try:
                more = await self.step()
            except mendable as fault:
                _log.warning(
                    "following %s: %s; again in %.1f s", self._chain_id, fault, wait_seconds
                )
                await _pause(wait_seconds, until)
                wait_seconds = min(wait_seconds * 2, self._limits.backoff_seconds_max)
                continue
            wait_seconds = self._limits.backoff_seconds
            if not more:
                await _pause(self._limits.poll_seconds, until)

    async def step(self) -> bool:
        """Take in what comes next, at most one batch. True when there is more to be had at once."""
        try:
            return await self._step()
        except BaseException:
            self._progress = None  # after a fault, what is saved is the truth
            raise

    async def catch_up(self) -> None:
        """Step until there is nothing more to take in now."""
        while await self.step():
            pass

    async def _step(self) -> bool:
        heads = self._heads = await self._chain.heads()
        progress = await self._loaded(heads)
        if is_contradicted(progress, heads):
            return await self._walk_back(progress, heads)
        found = await self._next_blocks(progress, heads)
        if found is None:
            return await self._walk_back(progress, heads)
        await self._take_in(progress, heads, found)
        return progress.height < heads.latest.height and bool(found)

    async def _loaded(self, heads: Heads) -> Progress:
        if self._progress is None:
            # What was sent before, by us or by who followed before us, may be recorded yet.
            self._unsure_until = asyncio.get_running_loop().time() + self._limits.late_seconds_max
            self._progress = await load(self._state, self._chain_id)
        if self._progress is None:
            self._progress = Progress(await self._first_height(heads) - 1, None, 0, {}, {})
        return self._progress

    async def _first_height(self, heads: Heads) -> int:
        if self._start_height is not None:
            return self._start_height
        since = await self._since() if self._since is not None else None
        return await first_height(self._chain, heads, since)

    # Reorganisations.

    async def _walk_back(self, progress: Progress, heads: Heads) -> bool:
        """Forget the blocks that are abandoned. False if there are none: the chain moved again."""
        ancestor = await common_ancestor(self._chain, progress, heads)
        if ancestor == progress.height:
            return False
        _log.warning(
            "%s was reorganised: %d blocks behind %d are abandoned",
            self._chain_id, progress.height - ancestor, ancestor,
        )  # fmt: skip
        progress.rewind(ancestor)
        for tracked in list(progress.tracked.values()):
            block = tracked.block
            if block is not None and block.height > ancestor:
                since = block.height if tracked.confirmed else None
                progress.put(replace(tracked, block=None, missing_since=since))
        await self._save(progress, heads)
        return True

    # Blocks.

    async def _next_blocks(
        self, progress: Progress, heads: Heads
    ) -> Sequence[BlockTransfers] | None:
        """The next blocks, each the parent of the next; None if they do not follow the cursor."""
        first = progress.height + 1
        last = min(
            heads.latest.height, progress.height + self._stride.blocks(progress.height, heads)
        )
        if first > last:
            return ()
        linked: list[BlockTransfers] = []
        height, parent = progress.height, progress.hash
        blocks = await self._chain.blocks(first, last)
        self._stride.took(last - first + 1, blocks)
        for found in blocks:
            if found.block.height != height + 1:
                break  # a hole in the answer: what is behind it is asked for again
            if parent is not None and found.parent_hash != parent:
                return linked or None
            linked.append(found)
            height, parent = found.block.height, found.block.hash
        return linked

    async def _take_in(
        self, progress: Progress, heads: Heads, found: Sequence[BlockTransfers]
    ) -> None:
        observations = await self._included(progress, found)
        for block_transfers in found:
            progress.advance(block_transfers.block)
        if found or progress.height >= heads.latest.height:
            # Else the cursor's block may be abandoned by now: nothing has been linked to it.
            observations += await self._finality.confirmed(progress, heads)
        if progress.height >= heads.latest.height:
            observations += await self._mempool(progress, heads)
        if observations:
            refused = await self._telling.tell(observations)
            is_unsure = asyncio.get_running_loop().time() < self._unsure_until
            self._tell_again(
                progress,
                [it for it in observations
                 if it.transfer.key in refused or (is_unsure and isinstance(it, Dropped))],
            )  # fmt: skip
        self._forget_old(progress, heads)
        self._telling.keep(progress.transfers())
        if progress.has_changed:
            await self._save(progress, heads)

    async def _included(
        self, progress: Progress, found: Sequence[BlockTransfers]
    ) -> list[Observation]:
        placed = {t.key: (t, each.block) for each in found for t in each.transfers}
        await self._telling.let_go(
            progress,
            [transfer for transfer, _ in placed.values()],
            by_amount=self._chain.network.identifies_by != "address",
        )
        fresh = [transfer for key, (transfer, _) in placed.items() if key not in progress.tracked]
        known = await self._listener.known(fresh) if fresh else ()
        met: list[Tracked] = []
        for key in [key for key in placed if key in progress.tracked or key in known]:
            transfer, block = placed[key]
            before = progress.tracked.get(key)
            seen_at = before.seen_at if before else block.at
            met.append(Tracked(transfer, block, seen_at))
        return [
            Included(each.transfer, each.block, each.seen_at, progress.epoch)
            for each in await self._write_down(progress, met)
            if each.block is not None
        ]

    # What is in no block.

    async def _mempool(self, progress: Progress, heads: Heads) -> list[Observation]:
        """New pending transfers, and those that are nowhere any more. Asked at the head only."""
        pending = {each.transfer.key: each for each in await self._chain.pending()}
        observations = await self._detected(progress, pending.values())
        for tracked in list(progress.tracked.values()):
            if tracked.block is not None:
                continue
            if tracked.transfer.key in pending and not tracked.confirmed:
                if tracked.missing_since is not None:
                    progress.put(replace(tracked, missing_since=None))
            elif heads.is_agreed and self._is_lost(progress, tracked):
                if self._telling.is_due(tracked.transfer):
                    observations.append(Dropped(tracked.transfer, tracked.seen_at, progress.epoch))
                    progress.forget(tracked)
            elif tracked.missing_since is None:
                progress.put(replace(tracked, missing_since=progress.height))
        return observations

    def _tell_again(self, progress: Progress, refused: Sequence[Observation]) -> None:
        """What was not taken in is told again: the last word on a transfer says all that was before it.

        So is, for a while after a fault, that a transfer is gone: a report of it that was sent
        before may be recorded later than this, and would stand on the books for ever.
        """
        for each in refused:
            match each:
                case Detected() | Included():
                    pass
                case Confirmed():
                    progress.put(replace(progress.tracked[each.transfer.key], confirmed=False))
                case Dropped():
                    lost_at = progress.height - self._limits.patience_blocks
                    progress.put(Tracked(each.transfer, None, each.seen_at, missing_since=lost_at))
                case _:
                    assert_never(each)

    def _is_lost(self, progress: Progress, tracked: Tracked) -> bool:
        """A transfer may leave the mempool for a block that was not read yet: wait for one more.

        What was confirmed is given up as soon as the chain has grown past its old block: it is on
        the books.
        """
        if tracked.missing_since is None:
            return False
        patience = 0 if tracked.confirmed else self._limits.patience_blocks
        return progress.height >= tracked.missing_since + patience

    async def _detected(
        self, progress: Progress, pending: Iterable[PendingTransfer]
    ) -> list[Observation]:
        fresh = [p for p in pending if p.transfer.key not in progress.tracked]
        unasked = [p.transfer for p in fresh if p.transfer.key not in self._ignored]
        known = await self._listener.known(unasked) if unasked else ()
        self._ignored = frozenset(p.transfer.key for p in fresh) - frozenset(known)
        met = [
            Tracked(each.transfer, None, each.seen_at)
            for each in fresh
            if each.transfer.key in known
        ]
        return [
            Detected(each.transfer, each.seen_at, progress.epoch)
            for each in await self._write_down(progress, met)
        ]

    async def _write_down(self, progress: Progress, met: list[Tracked]) -> list[Tracked]:
        if met:
            await self._state.track(self._chain_id, [each.row for each in met])
        for each in met:
            progress.put(each)
        return met

    # Keeping.

    def _keep_from(self, progress: Progress, heads: Heads) -> int:
        final = min(heads.finalized_height, progress.height)
        return max(final - self._limits.blocks_kept, progress.height - BLOCKS_KEPT_MAX)

    def _forget_old(self, progress: Progress, heads: Heads) -> None:
        """Let go of what is so far below finality that a reorganisation would not be noticed."""
        keep_from = self._keep_from(progress, heads)
        for tracked in list(progress.tracked.values()):
            if tracked.confirmed and tracked.block and tracked.block.height < keep_from:
                progress.forget(tracked)
        heights = list(progress.blocks)  # in order: blocks are only added at the top
        for height in heights[: bisect_right(heights, keep_from - 1)]:
            del progress.blocks[height]

    async def _save(self, progress: Progress, heads: Heads) -> None:
        keep_from = self._keep_from(progress, heads)
        await self._state.save(
            self._chain_id,
            progress.cursor,
            progress.added,
            keep_from,
            [tracked.row for tracked in progress.changed.values()],
            [(transfer.transaction_id, transfer.index) for transfer in progress.gone],
        )
        progress.settled()


async def _pause(seconds: float, until: asyncio.Event | None) -> None:
    pause: Awaitable[object] = asyncio.sleep(seconds) if until is None else until.wait()
    with suppress(TimeoutError):
        await asyncio.wait_for(pause, timeout=None if until is None else seconds)
