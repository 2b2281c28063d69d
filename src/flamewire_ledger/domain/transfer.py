"""A transfer on a chain, as the ledger speaks of it: what moved, to which address, in which block.

A transfer is named by (network, transaction, index) and happens in a block. The same transfer can
be taken out of one block by a reorganisation and come back in another: the name stays, the block
changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flamewire_ledger.domain.money import Amount


@dataclass(frozen=True, slots=True)
class Block:
    """Where on a chain. `height` counts from genesis; `hash` tells rivals at one height apart."""

    height: int
    hash: str
    at: datetime  # the time the block itself claims


@dataclass(frozen=True, slots=True)
class Transfer:
    """Units that moved to an address. `index` tells apart the transfers of one transaction and does
    not change when the transaction comes back in another block."""

    network: str
    transaction_id: str
    index: int
    address: str  # the receiver's, in the network's canonical form
    amount: Amount
    mark: str | None = None  # what its transaction says besides, by which a payment may be known

    @property
    def key(self) -> str:
        return f"{self.network}/{self.transaction_id}/{self.index}"
