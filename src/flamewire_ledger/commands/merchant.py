"""Commands on merchants and their API keys, as envelopes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.origin import Answer, Origin
from flamewire_ledger.domain import merchant
from flamewire_ledger.domain.merchant import MerchantCommand

MERCHANT: Final = Decider("merchant", merchant.evolve, merchant.Merchant, "merchant.2")


def envelope(origin: Origin, command: MerchantCommand, answer: Answer | None = None) -> Envelope:
    """One command on one merchant."""
    stream_id = command.merchant_id

    def decide(states: Mapping[str, Any]) -> Facts:
        return {stream_id: merchant.decide(states[stream_id], command)}

    return origin.envelope((Subject(stream_id, MERCHANT),), decide, answer)
