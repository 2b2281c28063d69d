"""Commands on entitlements, as envelopes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.origin import Answer, Origin
from flamewire_ledger.domain import entitlement
from flamewire_ledger.domain.entitlement import EntitlementCommand, stream_of

ENTITLEMENT: Final = Decider(
    "entitlement", entitlement.evolve, entitlement.Entitlements, "entitlement.1"
)


def envelope(origin: Origin, command: EntitlementCommand, answer: Answer | None = None) -> Envelope:
    """One command on the entitlements of one account."""
    stream_id = stream_of(command.account_id)

    def decide(states: Mapping[str, Any]) -> Facts:
        return {stream_id: entitlement.decide(states[stream_id], command)}

    return origin.envelope((Subject(stream_id, ENTITLEMENT),), decide, answer)
