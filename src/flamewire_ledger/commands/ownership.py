"""Commands on ownership challenges and the addresses they register, as envelopes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.origin import Answer, Origin
from flamewire_ledger.domain import ownership
from flamewire_ledger.domain.ownership import OwnershipCommand

OWNERSHIP: Final = Decider("ownership", ownership.evolve, ownership.Ownership, "ownership.1")


def envelope(origin: Origin, command: OwnershipCommand, answer: Answer | None = None) -> Envelope:
    """One command on one ownership."""
    stream_id = command.ownership_id

    def decide(states: Mapping[str, Any]) -> Facts:
        return {stream_id: ownership.decide(states[stream_id], command)}

    return origin.envelope((Subject(stream_id, OWNERSHIP),), decide, answer)
