"""A listener that remembers what it was told, and can be made to fail."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from flamewire_ledger.chains.observation import (
    Confirmed,
    Detected,
    Dropped,
    Included,
    ListenerBusy,
    Observation,
)
from flamewire_ledger.domain.transfer import Transfer

STAGES = {Detected: "detected", Included: "included", Confirmed: "confirmed", Dropped: "dropped"}


class Ears:
    """Waits for transfers to certain addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = set(addresses)
        self.heard: list[Observation] = []
        self.asked: list[Transfer] = []
        self.busy_times = 0
        self.refused: set[str] = set()
        self.deaf_to_drops = False
        self.told = 0  # how often

    async def known(self, transfers: Sequence[Transfer]) -> Collection[str]:
        self.asked += transfers
        return {transfer.key for transfer in transfers if transfer.address in self.addresses}

    async def observed(self, observations: Sequence[Observation]) -> Collection[str]:
        if self.busy_times:
            self.busy_times -= 1
            raise ListenerBusy("the listener was told to be busy")
        self.told += 1
        refused = self.refused
        if self.deaf_to_drops:
            refused = refused | {it.transfer.key for it in observations if isinstance(it, Dropped)}
        self.heard += [each for each in observations if each.transfer.key not in refused]
        return refused

    def stages(self, transfer: Transfer | None = None) -> list[str]:
        """The stages reported, in order; of one transfer when it is given."""
        return [
            STAGES[type(each)]
            for each in self.heard
            if transfer is None or each.transfer.key == transfer.key
        ]

    def said(self, transfer: Transfer) -> list[str]:
        """The stages of this very transfer, whichever others had its name."""
        return [STAGES[type(each)] for each in self.heard if each.transfer == transfer]

    def forget(self) -> None:
        self.heard.clear()
