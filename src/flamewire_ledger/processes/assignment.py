"""Assignment: a transfer that a person gave to a payment is recorded by it, as if it had been found.

The payment may be another merchant's than the one that held the transfer. What the chain takes back
is taken back there too, because the chain goes on speaking of it to whoever held it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flamewire_ledger.domain.payment import ConfirmTransfer, DropTransfer
from flamewire_ledger.domain.unclaimed_transfer import (
    UnclaimedTransferAssigned,
    UnclaimedTransferReorganised,
)
from flamewire_ledger.processes.process import Fact, FollowUp, Past


@dataclass(frozen=True, slots=True)
class Assignment:
    """unclaimed_transfer.assigned → the payment confirms it; reorganised → the payment drops it."""

    name: str = "assignment"
    reads: frozenset[str] = frozenset(
        {UnclaimedTransferAssigned.type, UnclaimedTransferReorganised.type}
    )

    def asks(self, fact: Fact, past: Past) -> frozenset[str]:
        return frozenset()

    def react(self, fact: Fact, past: Past) -> Sequence[FollowUp]:
        match fact.event:
            case UnclaimedTransferAssigned() as event:
                confirm = ConfirmTransfer(
                    payment_id=event.payment_id,
                    transfer=event.transfer,
                    block=event.block,
                    confirmations=event.confirmations,
                    seen_at=event.seen_at,
                    at=event.assigned_at,
                    is_assigned=True,
                )
                return (FollowUp("confirm", confirm, event.payment_merchant_id),)
            case UnclaimedTransferReorganised(payment_id=str() as payment_id) as event:
                drop = DropTransfer(payment_id, event.transfer, event.reorganised_at)
                return (FollowUp("drop", drop, event.payment_merchant_id),)
            case _:
                return ()
