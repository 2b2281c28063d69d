"""The chain's side of a reconciliation: what final blocks hold for us, read with patience and in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from flamewire_ledger.chains.chain import BlockTransfers, Chain, ChainUnavailable, Heads
from flamewire_ledger.domain.reconciliation import Pin
from flamewire_ledger.domain.transfer import Block
from flamewire_ledger.processes.blocks_again import children, patiently

_FIRST: Final = " (`first_block`, or --from)"
T = TypeVar("T")
Progress = Callable[[int, int], None]  # blocks done, blocks in all


class ReconciliationRefused(Exception):
    """These blocks cannot be reconciled; the message says which can."""


@dataclass(frozen=True, slots=True)
class ReconciliationLimits:
    """How much at once, and how patiently."""

    blocks_max: int = 1_000_000  # in one run
    batch_blocks_max: int = 100
    transfers_max: int = 5_000_000  # of ours, in one run: they are held in memory
    tries_max: int = 6
    wait_seconds: float = 0.5  # the first time; each further time twice as long
    follower_seconds_max: float = 10.0  # until the follower has come to the head
    read_model_seconds_max: float = 10.0


class FinalBlocks:
    """Final blocks of one chain, each the child of the one before it."""

    def __init__(self, chain: Chain, limits: ReconciliationLimits) -> None:
        self._chain = chain
        self._limits = limits

    async def heads(self) -> Heads:
        return await self.patiently(self._chain.heads)

    async def block(self, height: int) -> Block:
        """Raises ChainUnavailable when nobody has it."""

        async def question() -> Block:
            found = await self._chain.block_at(height)
            if found is None:
                raise ChainUnavailable(f"no endpoint has block {height}")
            return found[0]

        return await self.patiently(question)

    def check(self, first: int, last: int, heads: Heads) -> None:
        """Raises ReconciliationRefused."""
        name = self._chain.network.name
        if last > heads.finalized_height:
            raise ReconciliationRefused(
                f"{name} is final up to {heads.finalized_height} now: reconcile up to there, or wait"
            )
        if not 0 <= first <= last:
            raise ReconciliationRefused(
                f"{name} is reconciled up to block {first - 1}: nothing final has come since, or say"
                f" where to begin again{_FIRST}"
            )
        if last - first >= self._limits.blocks_max:
            raise ReconciliationRefused(
                f"{last - first + 1} blocks are too many at once: reconcile up to block"
                f" {first + self._limits.blocks_max - 1} first (`block`, or --at)"
            )
        if first < heads.earliest_height:
            raise ReconciliationRefused(
                f"the endpoints of {name} know nothing below block {heads.earliest_height}: begin"
                f" with that block{_FIRST}, or add an endpoint that keeps more"
            )

    async def read(
        self, first: int, pin: Pin, parent: str | None, progress: Progress
    ) -> AsyncIterator[Sequence[BlockTransfers]]:
        """The blocks first…pin, some at a time. `parent`: the hash of the one before, where known.

        Raises ChainUnavailable, also when they are not the ones of the pin, and
        ReconciliationRefused when the parent is no more: to wait for it would be to wait for ever.
        """
        if parent is not None:
            await self._check_kept(first - 1, parent)
        height = first
        while height <= pin.height:
            upto = min(pin.height, height + self._limits.batch_blocks_max - 1)
            some = await self.patiently(partial(children, self._chain, height, upto, parent))
            yield some
            height, parent = height + len(some), some[-1].block.hash
            progress(height - first, pin.height - first + 1)
        if parent != pin.hash:
            raise ChainUnavailable(f"block {pin.height} is another than a moment ago: try again")

    async def _check_kept(self, height: int, known: str) -> None:
        """That the block an earlier run ended with is still in the chain, where anybody has it."""
        found = await self.patiently(partial(self._chain.block_at, height))
        if found is not None and found[0].hash != known:
            raise ReconciliationRefused(
                f"{self._chain.network.name} has another block {height} than the last reconciliation"
                f" ended with: a reorganisation went below what was final. Say where to begin again"
                f"{_FIRST}, below where it branched off"
            )

    async def patiently(self, question: Callable[[], Awaitable[T]]) -> T:
        """What time may mend is tried again, a bounded number of times."""
        return await patiently(self._limits, question)
