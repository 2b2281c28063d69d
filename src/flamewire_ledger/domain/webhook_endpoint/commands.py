"""What can be asked of a merchant's webhook endpoints. `webhooks_id` is their stream; times are by
the real clock, sandbox or not, as deliveries are made by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from flamewire_ledger.domain.webhook_endpoint.facts import DisabledBecause


@dataclass(frozen=True, slots=True)
class CreateWebhookEndpoint:
    webhooks_id: str
    endpoint_id: str
    url: str
    event_types: tuple[str, ...]
    description: str | None
    livemode: bool
    secret_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ChangeWebhookEndpoint:
    """What is None stays as it is; an empty description takes it away."""

    webhooks_id: str
    endpoint_id: str
    url: str | None
    event_types: tuple[str, ...] | None
    description: str | None
    is_enabled: bool | None
    at: datetime


@dataclass(frozen=True, slots=True)
class DisableWebhookEndpoint:
    webhooks_id: str
    endpoint_id: str
    reason: DisabledBecause
    detail: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class RotateWebhookSecret:
    webhooks_id: str
    endpoint_id: str
    secret_id: str
    keep_seconds: int  # how long the one before signs as well
    at: datetime


@dataclass(frozen=True, slots=True)
class SendTestWebhook:
    webhooks_id: str
    endpoint_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ReplayWebhooks:
    webhooks_id: str
    endpoint_id: str
    replay_id: str
    after: int
    until: int
    undelivered_only: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class DeleteWebhookEndpoint:
    webhooks_id: str
    endpoint_id: str
    at: datetime


WebhookCommand: TypeAlias = (
    CreateWebhookEndpoint
    | ChangeWebhookEndpoint
    | DisableWebhookEndpoint
    | RotateWebhookSecret
    | SendTestWebhook
    | ReplayWebhooks
    | DeleteWebhookEndpoint
)
