"""What any chain must do under a follower: one suite, for sandbox chains and for real nodes.

A subclass of ChainConformance gives the fixture `world`. What a chain cannot do is said by its
world (`can_reorganise`, `coin_of_another_contract`, `of_another_network`), and its cases are then
skipped with that reason.
"""

from __future__ import annotations

from tests.chains.conformance.blocks import Blocks
from tests.chains.conformance.deliveries import Deliveries
from tests.chains.conformance.deposits import Deposits
from tests.chains.conformance.finality import Finality
from tests.chains.conformance.following import follower
from tests.chains.conformance.reorganisations import Reorganisations
from tests.chains.conformance.restarts import Restarts

__all__ = ["ChainConformance", "follower"]


class ChainConformance(Deposits, Finality, Reorganisations, Restarts, Deliveries, Blocks):
    """The cases."""
