"""What every case of the suite begins with: a follower on the world's chain, and somebody who listens."""

from __future__ import annotations

import pytest

from flamewire_ledger.chains.chain import Chain
from flamewire_ledger.chains.follow import Follower, Limits
from flamewire_ledger.chains.observation import Listener
from flamewire_ledger.chains.progress import FollowerState, MemoryFollowerState
from tests.chains.ears import Ears
from tests.chains.world import World


def follower(
    world: World,
    ears: Listener,
    state: FollowerState | None = None,
    *,
    chain: Chain | None = None,
    start_height: int | None = None,
    limits: Limits | None = None,
) -> Follower:
    return Follower(
        chain or world.chain,
        ears,
        state or MemoryFollowerState(),
        limits=limits or Limits(late_seconds_max=0),
        start_height=start_height,
    )


class Cases:
    """What the cases share."""

    def ears(self, world: World) -> Ears:
        """Ears for the first deposit address, which `address` gives."""
        return Ears(self.address(world))

    def address(self, world: World) -> str:
        return world.chain.deposit(1).address

    def need_reorganisations(self, world: World) -> None:
        if not world.can_reorganise:
            pytest.skip(
                f"{world.chain.network.name} cannot reorganise: every block is final when it is made"
            )
