"""Blocks that are read once more, in order and with patience: what a rescan and a reconciliation share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeVar

import structlog

from flamewire_ledger.chains.chain import BlockTransfers, Chain, ChainUnavailable
from flamewire_ledger.chains.observation import ListenerBusy

_log = structlog.get_logger(__name__)

T = TypeVar("T")
_AGAIN: Final = (ChainUnavailable, ListenerBusy)


class Patience(Protocol):
    """How often something is tried, and how long is waited the first time; then twice as long."""

    @property
    def tries_max(self) -> int: ...

    @property
    def wait_seconds(self) -> float: ...


async def patiently(patience: Patience, question: Callable[[], Awaitable[T]]) -> T:
    """What time may mend is tried again, a bounded number of times."""
    wait_seconds = patience.wait_seconds
    for tries_left in range(patience.tries_max - 1, -1, -1):
        try:
            return await question()
        except _AGAIN as fault:
            if not tries_left:
                raise
            _log.warning("blocks_wait", why=str(fault), seconds=wait_seconds)
        await asyncio.sleep(wait_seconds)
        wait_seconds *= 2
    raise AssertionError("there is one try at least")


async def children(
    chain: Chain, first: int, last: int, parent: str | None
) -> Sequence[BlockTransfers]:
    """One block at least from `first` on, each the parent of the next; the first is the child of
    `parent`, where that is known. Raises ChainUnavailable.
    """
    found: list[BlockTransfers] = []
    for each in await chain.blocks(first, last):
        if each.block.height != first + len(found):
            break
        if parent is not None and each.parent_hash != parent:
            raise ChainUnavailable(
                f"block {each.block.height} does not follow the one that was read before it"
            )
        found.append(each)
        parent = each.block.hash
    if not found:
        raise ChainUnavailable(f"no endpoint has block {first}")
    return found
