"""A chain's answers on their way to the follower, as they come from endpoints that lag, repeat
themselves or have lost something.

The chain behind is the world's; what is not spoiled is its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flamewire_ledger.chains.chain import BlockTransfers, Chain, Heads


class _Between:
    """Passes everything on as it is."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)


class FinalUpTo(_Between):
    """Says that nothing above a height is final."""

    def __init__(self, chain: Chain, height: int) -> None:
        super().__init__(chain)
        self._height = height

    async def heads(self) -> Heads:
        heads = await self._chain.heads()
        return replace(heads, finalized_height=min(heads.finalized_height, self._height))


class Lagging(_Between):
    """Knows nothing of the newest blocks."""

    def __init__(self, chain: Chain) -> None:
        super().__init__(chain)
        self.blocks_behind = 0

    async def heads(self) -> Heads:
        heads = await self._chain.heads()
        behind = await self._chain.block_at(heads.latest.height - self.blocks_behind)
        assert behind is not None
        height = behind[0].height
        final = min(heads.finalized_height, height)
        return replace(heads, latest=behind[0], finalized_height=final)

    async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
        heads = await self.heads()
        return await self._chain.blocks(first, min(last, heads.latest.height))


class OneAtATime(_Between):
    """Answers one block, however many were asked for."""

    async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
        return (await self._chain.blocks(first, last))[:1]


class WithAHole(_Between):
    """Does not have the block of one height, but those behind it."""

    def __init__(self, chain: Chain, height: int) -> None:
        super().__init__(chain)
        self._height = height

    async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
        found = await self._chain.blocks(first, last)
        return [each for each in found if each.block.height != self._height]


class OldAnswers(_Between):
    """Answers every second question for blocks with the answer to the one before."""

    def __init__(self, chain: Chain) -> None:
        super().__init__(chain)
        self._before: Sequence[BlockTransfers] | None = None
        self.repeated = 0

    async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
        if self._before is not None:
            repeated, self._before = self._before, None
            self.repeated += 1
            return repeated
        self._before = await self._chain.blocks(first, last)
        return self._before


class EachBlockTwice(_Between):
    """Answers with every block twice."""

    async def blocks(self, first: int, last: int) -> Sequence[BlockTransfers]:
        found = await self._chain.blocks(first, last)
        return [each for each in found for _ in range(2)]
