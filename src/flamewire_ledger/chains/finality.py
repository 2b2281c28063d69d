"""Which transfers are for ever: their block is final, and enough endpoints attest that it holds them.

A chain's finality can be one endpoint's lie. What is not attested stays included, is logged once
and told to whoever asks, and is tried again ever more slowly: it may be that too few endpoints can
be reached. It is given up only when most endpoints have its very block, final, and without it: then
somebody invented it, in a true block, while the others could not be asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from flamewire_ledger.chains.chain import Chain, ChainUnavailable, Heads
from flamewire_ledger.chains.observation import Confirmed, Dropped
from flamewire_ledger.chains.progress import Progress, Tracked
from flamewire_ledger.domain.transfer import Block, Transfer

_log = logging.getLogger(__name__)

AGAIN_SECONDS: Final = 1.0
AGAIN_SECONDS_MAX: Final = 60.0


@dataclass(frozen=True, slots=True)
class Unattested:
    """A transfer whose block is final by one endpoint's word, and which too few others have there."""

    transfer: Transfer
    block: Block
    tries: int


@dataclass(slots=True)
class _Waiting:
    unattested: Unattested
    again_at: float  # by the event loop's time


class Finality:
    """What becomes final on one chain."""

    def __init__(self, chain: Chain, is_due: Callable[[Transfer], bool] = lambda _: True) -> None:
        """`is_due`: whether something may be told of a transfer now, or it was refused just before."""
        self._chain = chain
        self._is_due = is_due
        self._waiting: dict[str, _Waiting] = {}  # by Transfer.key

    @property
    def unattested(self) -> Sequence[Unattested]:
        """What is final and not attested yet, oldest first."""
        return [each.unattested for each in self._waiting.values()]

    async def confirmed(self, progress: Progress, heads: Heads) -> list[Confirmed | Dropped]:
        """Mark as confirmed, and report, what has become final up to the cursor; forget, and report
        as dropped, what turns out never to have been there.
        """
        final = min(heads.finalized_height, progress.height)
        self._forget_others(progress)
        observations: list[Confirmed | Dropped] = []
        for tracked in list(progress.tracked.values()):
            block = tracked.block
            if block is None or tracked.confirmed or block.height > final:
                continue
            if not self._is_due(tracked.transfer):
                continue
            if not await self._is_attested(tracked.transfer, block):
                if self._is_denied(tracked, block):
                    progress.forget(tracked)
                    observations.append(Dropped(tracked.transfer, tracked.seen_at, progress.epoch))
                continue
            confirmations = max(heads.latest.height, progress.height) - block.height + 1
            observations.append(
                Confirmed(tracked.transfer, block, confirmations, tracked.seen_at, progress.epoch)
            )
            progress.put(replace(tracked, confirmed=True))
        return observations

    def _forget_others(self, progress: Progress) -> None:
        """Those that were reorganised away, or into another block, wait no longer."""
        for key, waiting in list(self._waiting.items()):
            tracked = progress.tracked.get(key)
            if tracked is None or tracked.block != waiting.unattested.block:
                del self._waiting[key]

    def _is_denied(self, tracked: Tracked, block: Block) -> bool:
        if not self._chain.denied(tracked.transfer, block):
            return False
        self._waiting.pop(tracked.transfer.key, None)
        _log.error(
            "%s was never in block %d, as most endpoints say: an endpoint has invented it, and it is "
            "dropped; look at the chain's endpoints",
            tracked.transfer.key, block.height,
        )  # fmt: skip
        return True

    async def _is_attested(self, transfer: Transfer, block: Block) -> bool:
        now = asyncio.get_running_loop().time()
        waiting = self._waiting.get(transfer.key)
        if waiting is not None and now < waiting.again_at:
            return False
        try:
            is_attested = await self._chain.attested(transfer, block)
        except ChainUnavailable:
            is_attested = False
        if is_attested:
            if self._waiting.pop(transfer.key, None) is not None:
                _log.info("%s is attested now, and confirmed", transfer.key)
            return True
        tries = waiting.unattested.tries + 1 if waiting else 1
        if waiting is None:
            _log.error(
                "%s is in block %d, which is said to be final, and too few endpoints attest it: "
                "it is not confirmed; look at the chain's endpoints",
                transfer.key, block.height,
            )  # fmt: skip
        seconds = min(AGAIN_SECONDS * 2.0 ** min(tries - 1, 30), AGAIN_SECONDS_MAX)
        self._waiting[transfer.key] = _Waiting(Unattested(transfer, block, tries), now + seconds)
        return False
