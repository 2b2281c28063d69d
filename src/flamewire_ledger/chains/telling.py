"""Telling the listener: what it does not take in is told again ever more slowly, and shown until it is.

A fault that time mends is ListenerBusy, and then nothing moves. What is refused one by one is
refused for good, as far as can be known here: until a person mends what is wrong, or the ledger is
a newer one. It holds up nothing else, and is never forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from flamewire_ledger.chains.observation import Dropped, Listener, ListenerBusy, Observation
from flamewire_ledger.chains.progress import FollowerState, Progress
from flamewire_ledger.domain.transfer import Transfer

OWED_MAX: Final = 1_000  # transfers that are gone and of which nobody takes note
_DOUBLINGS_MAX: Final = 30


@dataclass(frozen=True, slots=True)
class Refused:
    """The last that was told of a transfer, and how often that was refused."""

    observation: Observation
    tries: int


@dataclass(slots=True)
class _Waiting:
    refused: Refused
    again_at: float  # by the event loop's time


class Telling:
    """Of one chain. What was refused is told again after `seconds`, then after twice as many, up to
    `seconds_max`; who decides what is told asks `is_due` first.
    """

    def __init__(
        self,
        chain_id: str,
        listener: Listener,
        state: FollowerState,
        *,
        seconds: float,
        seconds_max: float,
    ) -> None:
        self._chain_id = chain_id
        self._listener = listener
        self._state = state
        self._seconds = seconds
        self._seconds_max = seconds_max
        self._waiting: dict[Transfer, _Waiting] = {}

    @property
    def refused(self) -> Sequence[Refused]:
        """What was not taken in, oldest first."""
        return [each.refused for each in self._waiting.values()]

    def is_due(self, transfer: Transfer) -> bool:
        """Whether something may be told of it now."""
        waiting = self._waiting.get(transfer)
        return waiting is None or asyncio.get_running_loop().time() >= waiting.again_at

    async def tell(self, observations: Sequence[Observation]) -> Collection[str]:
        """The keys of the transfers that were not taken in."""
        refused = await self._listener.observed(observations)
        now = asyncio.get_running_loop().time()
        for each in {it.transfer: it for it in observations}.values():
            if each.transfer.key not in refused:
                self._waiting.pop(each.transfer, None)
                continue
            before = self._waiting.get(each.transfer)
            tries = before.refused.tries + 1 if before else 1
            seconds = min(self._seconds * 2.0 ** min(tries - 1, _DOUBLINGS_MAX), self._seconds_max)
            self._waiting[each.transfer] = _Waiting(Refused(each, tries), now + seconds)
        return refused

    async def let_go(
        self, progress: Progress, transfers: Iterable[Transfer], *, by_amount: bool
    ) -> None:
        """What stands for another transfer now is gone. That is told before it is written over; where
        it is not taken in, it is written down under another name, and told again.
        """
        for each in progress.forget_replaced(transfers, by_amount=by_amount):
            progress.owe(each)
        due = [each for each in progress.owed if self.is_due(each.transfer)]
        if not due:
            return
        refused = await self.tell([Dropped(it.transfer, it.seen_at, progress.epoch) for it in due])
        for each in due:
            if each.transfer.key not in refused:
                progress.settle(each)
        if progress.owed:
            await self._state.track(self._chain_id, [each.row for each in progress.owed_as_kept()])
        if len(progress.owed) > OWED_MAX:
            raise ListenerBusy("too many transfers are gone of which nobody takes note")

    def keep(self, transfers: Iterable[Transfer]) -> None:
        """Forget all but these: nobody waits for the others any more."""
        if self._waiting:
            kept = set(transfers)
            self._waiting = {it: each for it, each in self._waiting.items() if it in kept}
