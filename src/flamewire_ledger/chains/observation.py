"""What a follower reports of transfers: detected, included, confirmed, dropped; at least once.

`seen_at` is when the transfer was first seen waiting, or else the time of its first block: a payer
is judged by it. `epoch` counts the reorganisations the follower has lived
through, so that the same transfer in the same block, taken out and put back, is told apart from a
repetition.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from flamewire_ledger.domain.transfer import Block, Transfer


@dataclass(frozen=True, slots=True)
class Detected:
    """Waiting for a block."""

    transfer: Transfer
    seen_at: datetime
    epoch: int


@dataclass(frozen=True, slots=True)
class Included:
    """In a block, or in another one than before."""

    transfer: Transfer
    block: Block
    seen_at: datetime
    epoch: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Its block is final."""

    transfer: Transfer
    block: Block
    confirmations: int  # blocks, counting the one that holds it
    seen_at: datetime
    epoch: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """In no block and not waiting for one any more. It may have been confirmed before."""

    transfer: Transfer
    seen_at: datetime
    epoch: int


Observation: TypeAlias = Detected | Included | Confirmed | Dropped


class Listener(Protocol):
    """Who a follower reports to. When a method raises, the follower's place does not move."""

    async def known(self, transfers: Sequence[Transfer]) -> Collection[str]:
        """The keys of those transfers that somebody waits for; the others are forgotten at once.

        Called after their block was read: an address that was given out before then must be found.
        """

    async def observed(self, observations: Sequence[Observation]) -> Collection[str]:
        """Take note, durably, in this order; the keys of those transfers for which that failed.

        A failure of one transfer holds up no other: it is told again later, once it is confirmed or
        dropped. Repetitions are to be expected.
        """


class ListenerBusy(Exception):
    """What was reported could not be taken in yet; reporting it again later is safe."""
