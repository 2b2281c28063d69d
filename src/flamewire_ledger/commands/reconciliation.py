"""Commands on reconciliations, as envelopes. Their owner is registered with the first run, as that of
unclaimed transfers is: an operator does not set up a merchant to reconcile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.merchant import MERCHANT
from flamewire_ledger.commands.origin import Answer, Origin
from flamewire_ledger.domain import merchant, reconciliation
from flamewire_ledger.domain.merchant import RegisterMerchant
from flamewire_ledger.domain.reconciliation import RecordReconciliation, ResolveException

RECONCILIATION: Final = Decider(
    "reconciliation", reconciliation.evolve, reconciliation.Reconciliation, "reconciliation.1"
)


def resolving(origin: Origin, command: ResolveException, answer: Answer | None = None) -> Envelope:
    """Settle one exception."""
    stream_id = command.reconciliation_id

    def decide(states: Mapping[str, Any]) -> Facts:
        return {stream_id: reconciliation.decide(states[stream_id], command)}

    return origin.envelope((Subject(stream_id, RECONCILIATION),), decide, answer)


def recording(
    origin: Origin,
    command: RecordReconciliation,
    owner: RegisterMerchant | None,
    settles: Sequence[ResolveException] = (),
) -> Envelope:
    """A run, and what it settles of earlier ones: all of it, or nothing.

    What a person settled in the meantime stays as they settled it.
    """
    stream_id = command.completed.reconciliation_id
    streams = dict.fromkeys(each.reconciliation_id for each in settles)

    def decide(states: Mapping[str, Any]) -> Facts:
        facts: dict[str, Sequence[Any]] = {}
        if owner is not None and states[owner.merchant_id] is None:
            facts[owner.merchant_id] = merchant.decide(None, owner)
        facts[stream_id] = reconciliation.decide(states[stream_id], command)
        for earlier in streams:
            state = states[earlier]
            facts[earlier] = [
                event
                for each in settles
                if each.reconciliation_id == earlier and each.exception_id not in state.resolved
                for event in reconciliation.decide(state, each)
            ]
        return {name: events for name, events in facts.items() if events}

    subjects = [Subject(name, RECONCILIATION) for name in (stream_id, *streams)]
    if owner is not None:
        subjects.append(Subject(owner.merchant_id, MERCHANT))
    return origin.envelope(tuple(subjects), decide)
