"""Commands on unclaimed transfers, as envelopes. Their owner is registered with the first of them: a
chain does not wait for a person to set up a merchant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.merchant import MERCHANT
from flamewire_ledger.commands.origin import Answer, Origin
from flamewire_ledger.domain import merchant, unclaimed_transfer
from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.merchant import RegisterMerchant
from flamewire_ledger.domain.transfer import Transfer
from flamewire_ledger.domain.unclaimed_transfer import UnclaimedTransferCommand

UNCLAIMED_TRANSFER: Final = Decider(
    "unclaimed_transfer",
    unclaimed_transfer.evolve,
    unclaimed_transfer.UnclaimedTransfer,
    "unclaimed_transfer.1",
)


_NAMED_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)  # part of every id; never changes


def unclaimed_id(chain_id: str, transfer: Transfer) -> str:
    """One transfer is one stream, whenever it is seen and in whatever block."""
    return derived_id("ut", _NAMED_AT, chain_id, transfer.transaction_id, str(transfer.index))


def envelope(
    origin: Origin, command: UnclaimedTransferCommand, answer: Answer | None = None
) -> Envelope:
    """One command on one unclaimed transfer."""
    stream_id = command.unclaimed_id

    def decide(states: Mapping[str, Any]) -> Facts:
        return {stream_id: unclaimed_transfer.decide(states[stream_id], command)}

    return origin.envelope((Subject(stream_id, UNCLAIMED_TRANSFER),), decide, answer)


def observed(
    origin: Origin, command: UnclaimedTransferCommand, owner: RegisterMerchant
) -> Envelope:
    """What a chain says of one; its owner is registered when there is no such merchant."""
    stream_id = command.unclaimed_id

    def decide(states: Mapping[str, Any]) -> Facts:
        facts: dict[str, Sequence[Any]] = {}
        decided = unclaimed_transfer.decide(states[stream_id], command)
        if decided and states[owner.merchant_id] is None:
            facts[owner.merchant_id] = merchant.decide(None, owner)
        facts[stream_id] = decided
        return facts

    subjects = (Subject(owner.merchant_id, MERCHANT), Subject(stream_id, UNCLAIMED_TRANSFER))
    return origin.envelope(subjects, decide)
