"""What can become true of a merchant's webhook endpoints. Once released, a fact is never edited: it
gets a version.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal, TypeAlias

# Why it is told nothing any more: somebody asked for that; it answered 410; it failed for days.
DisabledBecause: TypeAlias = Literal["asked", "gone", "failing"]


@dataclass(frozen=True, slots=True)
class WebhookEndpointCreated:
    """`event_types` are names, or the beginning of names and `*`; one that is `*` means everything."""

    type: ClassVar = "webhook_endpoint.created.v1"
    endpoint_id: str
    url: str
    event_types: tuple[str, ...]
    description: str | None
    livemode: bool
    secret_id: str  # where the secret is kept
    created_at: datetime


@dataclass(frozen=True, slots=True)
class WebhookEndpointChanged:
    """What it is from now on, changed or not."""

    type: ClassVar = "webhook_endpoint.changed.v1"
    endpoint_id: str
    url: str
    event_types: tuple[str, ...]
    description: str | None
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class WebhookEndpointDisabled:
    """Nothing is sent to it from here on, and what waits is canceled."""

    type: ClassVar = "webhook_endpoint.disabled.v1"
    endpoint_id: str
    reason: DisabledBecause
    detail: str | None
    disabled_at: datetime


@dataclass(frozen=True, slots=True)
class WebhookEndpointEnabled:
    """What is recorded from here on is sent to it."""

    type: ClassVar = "webhook_endpoint.enabled.v1"
    endpoint_id: str
    enabled_at: datetime


@dataclass(frozen=True, slots=True)
class WebhookSecretRotated:
    """The secret before signs as well until `previous_until`, beside the new one."""

    type: ClassVar = "webhook_endpoint.secret_rotated.v1"
    endpoint_id: str
    secret_id: str
    previous_secret_id: str
    previous_until: datetime
    rotated_at: datetime


@dataclass(frozen=True, slots=True)
class WebhookTestRequested:
    type: ClassVar = "webhook_endpoint.test_requested.v1"
    endpoint_id: str
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class WebhookReplayRequested:
    """What was recorded behind position `after` and up to `until` is sent to it again."""

    type: ClassVar = "webhook_endpoint.replay_requested.v1"
    endpoint_id: str
    replay_id: str
    after: int
    until: int
    undelivered_only: bool  # leave out what this endpoint has taken
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class WebhookEndpointDeleted:
    type: ClassVar = "webhook_endpoint.deleted.v1"
    endpoint_id: str
    deleted_at: datetime


WebhookEvent: TypeAlias = (
    WebhookEndpointCreated
    | WebhookEndpointChanged
    | WebhookEndpointDisabled
    | WebhookEndpointEnabled
    | WebhookSecretRotated
    | WebhookTestRequested
    | WebhookReplayRequested
    | WebhookEndpointDeleted
)
