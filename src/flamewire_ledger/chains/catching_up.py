"""Where a follower begins, and how many blocks it takes at once when it is far behind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from flamewire_ledger.chains.chain import BlockTransfers, Chain, Heads

CLOCKS_DIFFER: Final = timedelta(seconds=60)  # ours, and those of the makers of blocks


async def first_height(chain: Chain, heads: Heads, since: datetime | None) -> int:
    """The first block of a time, or the head when nobody has waited since then."""
    head = heads.latest.height
    if since is None or heads.latest.at < since - CLOCKS_DIFFER:
        return head
    # Blocks are in the order of their times: search by halves.
    low, high = min(heads.earliest_height, head), head
    while low < high:
        middle = (low + high) // 2
        answer = await chain.block_at(middle)
        if answer is not None and answer[0].at < since - CLOCKS_DIFFER:
            low = middle + 1
        else:
            high = middle
    return low


class Stride:
    """How many blocks a step takes: more and more where they are quiet and far below finality.

    Each step costs a question for the heads and a transaction of the database, however little
    was in its blocks. Near the head, and where many transfers are, it is the least.
    """

    def __init__(self, blocks_max: int, quiet_blocks_max: int) -> None:
        self._least = blocks_max
        self._most = max(blocks_max, quiet_blocks_max)
        self._blocks = blocks_max

    def blocks(self, height: int, heads: Heads) -> int:
        """For a step from this height on."""
        return self._blocks if height + self._blocks <= heads.finalized_height else self._least

    def took(self, asked: int, found: Sequence[BlockTransfers]) -> None:
        """So many were asked for, and these were there."""
        transfers = sum(len(each.transfers) for each in found)
        is_quiet = len(found) >= asked >= self._least and transfers <= len(found)
        self._blocks = min(self._most, self._blocks * 2) if is_quiet else self._least
