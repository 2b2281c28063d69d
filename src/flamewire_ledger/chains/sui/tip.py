"""The newest checkpoints as a node tells them by itself: a subscription, and a bounded memory of it.

It begins at the tip and cannot be resumed; whatever was missed is asked for by who needs it. It
runs as long as somebody wants to know the head, and ends by itself when nobody does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Final

from flamewire_ledger.chains.chain import BlockTransfers, ChainUnavailable, WrongChain
from flamewire_ledger.chains.endpoints import Endpoints
from flamewire_ledger.chains.sui.node import Node
from flamewire_ledger.chains.sui.transfers import Checkpoint

_log = logging.getLogger(__name__)

KEPT_MAX: Final = 256
FRESH_SECONDS: Final = 2.0  # a head that was told longer ago is asked for
IDLE_SECONDS: Final = 60.0
_BACKOFF_SECONDS: Final = 0.5
_BACKOFF_SECONDS_MAX: Final = 30.0


class Tip:
    """The subscription of one network. `take` believes a checkpoint, or raises ChainUnavailable."""

    def __init__(
        self,
        name: str,
        endpoints: Endpoints[Node],
        take: Callable[[int, Checkpoint], Awaitable[BlockTransfers]],
    ) -> None:
        self._name = name
        self._endpoints = endpoints
        self._take = take
        self._blocks: dict[int, BlockTransfers] = {}  # the oldest first
        self._newest: Checkpoint | None = None
        self._heard_at = 0.0
        self._wanted_at = 0.0
        self._running: asyncio.Task[None] | None = None

    def want(self) -> None:
        """Somebody follows the chain: subscribe, if that is not so already."""
        self._wanted_at = asyncio.get_running_loop().time()
        if self._running is not None and self._running.done():
            self._running.result()  # a fault of ours is not to be passed over
            self._running = None
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name=f"subscription of {self._name}")

    def newest(self) -> Checkpoint | None:
        """The head, if it was told just now."""
        age = asyncio.get_running_loop().time() - self._heard_at
        return self._newest if age < FRESH_SECONDS else None

    def block(self, height: int) -> BlockTransfers | None:
        return self._blocks.get(height)

    def forget_from(self, height: int) -> None:
        """What was told of it and of all above was wrong."""
        self._blocks = {known: block for known, block in self._blocks.items() if known < height}
        self._newest = None

    async def aclose(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
            self._running = None
        self._newest = None

    async def _run(self) -> None:
        wait_seconds = _BACKOFF_SECONDS
        while self._is_wanted():
            try:
                number, frames = await self._endpoints.ask_whom(lambda node: node.subscription())
                if frames is None:
                    raise ChainUnavailable("the node in use has none")
                async with aclosing(frames):
                    async for checkpoint in frames:
                        await self._hear(number, checkpoint)
                        wait_seconds = _BACKOFF_SECONDS
                        if not self._is_wanted():
                            break
            except (ChainUnavailable, WrongChain) as fault:
                self._newest = None
                _log.info(
                    "%s: no subscription (%s); again in %.1f s", self._name, fault, wait_seconds
                )
                await asyncio.sleep(wait_seconds)
                wait_seconds = min(2 * wait_seconds, _BACKOFF_SECONDS_MAX)
        self._newest = None

    def _is_wanted(self) -> bool:
        return asyncio.get_running_loop().time() - self._wanted_at < IDLE_SECONDS

    async def _hear(self, number: int, checkpoint: Checkpoint) -> None:
        """Believe it, and remember it in the place of the oldest."""
        self._blocks[checkpoint.height] = await self._take(number, checkpoint)
        while len(self._blocks) > KEPT_MAX:
            del self._blocks[next(iter(self._blocks))]
        self._endpoints.spoke_of(number, checkpoint.height)
        self._newest = checkpoint
        self._heard_at = asyncio.get_running_loop().time()
