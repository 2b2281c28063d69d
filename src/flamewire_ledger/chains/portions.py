"""Blocks read some at a time: as many as fit into an answer, fewer after one that did not come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from flamewire_ledger.chains.chain import BlockTransfers, ChainUnavailable, Throttled


class Portions(Protocol):
    """How many blocks are asked for together, and what is learned from how that goes."""

    @property
    def blocks_at_once(self) -> int: ...

    def was_answered(self) -> None: ...

    def was_refused(self) -> bool:
        """Ask for less from now on. False when it cannot be less: it was not too much."""


class Doubling:
    """A quarter of them after a failure, twice as many after an answer, within bounds."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.blocks_at_once = most

    def was_answered(self) -> None:
        self.blocks_at_once = min(self._most, self.blocks_at_once * 2)

    def was_refused(self) -> bool:
        if self.blocks_at_once == 1:
            return False
        self.blocks_at_once = max(1, self.blocks_at_once // 4)
        return True


async def read_in_portions(
    first: int,
    last: int,
    portions: Portions,
    read: Callable[[int, int], Awaitable[Sequence[BlockTransfers]]],
) -> Sequence[BlockTransfers]:
    """The blocks first…last; fewer when a portion is short, or does not come behind others that did."""
    found: list[BlockTransfers] = []
    height = max(0, first)
    while height <= last:
        upto = min(last, height + portions.blocks_at_once - 1)
        try:
            some = await read(height, upto)
        except ChainUnavailable as error:
            if found:
                return found
            if isinstance(error, Throttled) or not portions.was_refused():
                raise
            continue
        portions.was_answered()
        found += some
        if len(some) < upto - height + 1:
            return found
        height = upto + 1
    return found
