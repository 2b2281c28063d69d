"""Commands on disposals, as envelopes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.origin import Answer, Origin
from flamewire_ledger.domain import disposal
from flamewire_ledger.domain.disposal import RecordDisposal

DISPOSAL: Final = Decider("disposal", disposal.evolve, disposal.Disposals, "disposal.1")


def envelope(origin: Origin, command: RecordDisposal, answer: Answer | None = None) -> Envelope:
    """One disposal of what a wallet holds."""
    stream_id = command.holding_id

    def decide(states: Mapping[str, Any]) -> Facts:
        return {stream_id: disposal.decide(states[stream_id], command)}

    return origin.envelope((Subject(stream_id, DISPOSAL),), decide, answer)
