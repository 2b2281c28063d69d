"""Commands on meters, as envelopes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.origin import Answer, Origin
from flamewire_ledger.domain import meter
from flamewire_ledger.domain.meter import MeterCommand

METER: Final = Decider("meter", meter.evolve, meter.Meter, "meter.1")


def envelope(origin: Origin, command: MeterCommand, answer: Answer | None = None) -> Envelope:
    """One command on one meter."""
    stream_id = command.meter_id

    def decide(states: Mapping[str, Any]) -> Facts:
        return {stream_id: meter.decide(states[stream_id], command)}

    return origin.envelope((Subject(stream_id, METER),), decide, answer)
