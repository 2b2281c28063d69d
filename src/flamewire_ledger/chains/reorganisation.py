"""Where a chain left what was followed: whether its head is a rival, and the last block of both."""

from __future__ import annotations

from flamewire_ledger.chains.chain import Chain, Heads
from flamewire_ledger.chains.progress import Progress


def is_contradicted(progress: Progress, heads: Heads) -> bool:
    """Whether the chain's head is a rival of a block that was taken in.

    A head below the cursor is no contradiction by itself: it may be a node that lags behind.
    """
    known = progress.blocks.get(heads.latest.height)
    return known is not None and known != heads.latest.hash


async def common_ancestor(chain: Chain, progress: Progress, heads: Heads) -> int:
    """The highest known block that is still canonical; one below all that are known if none is.

    If a block is canonical then so are those below it: the border is searched for by halves.
    """
    heights = [height for height in sorted(progress.blocks) if height <= heads.latest.height]
    low, high = 0, len(heights)
    while low < high:
        middle = (low + high) // 2
        answer = await chain.block_at(heights[middle])
        if answer is not None and answer[0].hash == progress.blocks[heights[middle]]:
            low = middle + 1
        else:
            high = middle
    if low:
        return heights[low - 1]
    return min(progress.blocks, default=progress.height + 1) - 1
