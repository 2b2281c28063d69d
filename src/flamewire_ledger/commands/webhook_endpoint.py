"""Commands on webhook endpoints, as envelopes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flamewire_ledger.commands.decider import Decider, Envelope, Facts, Subject
from flamewire_ledger.commands.origin import Answer, Origin
from flamewire_ledger.domain import webhook_endpoint
from flamewire_ledger.domain.webhook_endpoint import WebhookCommand

WEBHOOKS: Final = Decider(
    "webhooks", webhook_endpoint.evolve, webhook_endpoint.Webhooks, "webhooks.1"
)


def envelope(origin: Origin, command: WebhookCommand, answer: Answer | None = None) -> Envelope:
    """One command on the endpoints of one merchant."""
    stream_id = command.webhooks_id

    def decide(states: Mapping[str, Any]) -> Facts:
        return {stream_id: webhook_endpoint.decide(states[stream_id], command)}

    return origin.envelope((Subject(stream_id, WEBHOOKS),), decide, answer)
