"""Commands on plans, as envelopes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.origin import Answer, Origin
from flamewire_ledger.domain import plan
from flamewire_ledger.domain.plan import PlanCommand

PLAN: Final = Decider("plan", plan.evolve, plan.Plan, "plan.1")


def envelope(origin: Origin, command: PlanCommand, answer: Answer | None = None) -> Envelope:
    """One command on one plan."""
    stream_id = command.plan_id

    def decide(states: Mapping[str, Any]) -> Facts:
        return {stream_id: plan.decide(states[stream_id], command)}

    return origin.envelope((Subject(stream_id, PLAN),), decide, answer)
