"""What the facts of a merchant's webhook endpoints add up to: each endpoint, and what signs for it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, assert_never

from flamewire_ledger.domain.webhook_endpoint.facts import (
    DisabledBecause,
    WebhookEndpointChanged,
    WebhookEndpointCreated,
    WebhookEndpointDeleted,
    WebhookEndpointDisabled,
    WebhookEndpointEnabled,
    WebhookEvent,
    WebhookReplayRequested,
    WebhookSecretRotated,
    WebhookTestRequested,
)

EVERYTHING: Final = "*"


@dataclass(frozen=True, slots=True)
class RetiringSecret:
    secret_id: str
    until: datetime


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    endpoint_id: str
    url: str
    event_types: tuple[str, ...]
    description: str | None
    livemode: bool
    secret_id: str
    created_at: datetime
    retiring: tuple[RetiringSecret, ...] = ()  # the newest first
    is_enabled: bool = True
    disabled_because: DisabledBecause | None = None
    disabled_detail: str | None = None
    disabled_at: datetime | None = None

    def wants(self, event_type: str) -> bool:
        """Whether it is to be told of this type."""
        return any(is_meant(event_type, pattern) for pattern in self.event_types)

    def secrets_at(self, at: datetime) -> tuple[str, ...]:
        """The secrets that sign at this time, the newest first."""
        return (self.secret_id, *(it.secret_id for it in self.retiring if at < it.until))


@dataclass(frozen=True, slots=True)
class Webhooks:
    endpoints: dict[str, WebhookEndpoint] = field(default_factory=dict)  # but for deleted ones


def is_meant(event_type: str, pattern: str) -> bool:
    """Whether `payment.completed` is meant by `payment.completed`, `payment.*` or `*`."""
    if pattern.endswith(EVERYTHING):
        return event_type.startswith(pattern[:-1])
    return event_type == pattern


def evolve(webhooks: Webhooks | None, event: WebhookEvent) -> Webhooks:
    """Fold one fact into the state. Total, and free of rules: a recorded fact has happened."""
    if webhooks is not None and isinstance(event, WebhookTestRequested | WebhookReplayRequested):
        return webhooks
    endpoints = dict(webhooks.endpoints) if webhooks is not None else {}
    if isinstance(event, WebhookEndpointDeleted):
        endpoints.pop(event.endpoint_id, None)
    else:
        changed = _evolved(endpoints.get(event.endpoint_id), event)
        if changed is not None:
            endpoints[event.endpoint_id] = changed
    return Webhooks(endpoints)


def _evolved(
    endpoint: WebhookEndpoint | None,
    event: WebhookEndpointCreated
    | WebhookEndpointChanged
    | WebhookEndpointDisabled
    | WebhookEndpointEnabled
    | WebhookSecretRotated
    | WebhookTestRequested
    | WebhookReplayRequested,
) -> WebhookEndpoint | None:
    if isinstance(event, WebhookEndpointCreated):
        return _made(event)
    assert endpoint is not None, "an endpoint's first fact is WebhookEndpointCreated"
    match event:
        case WebhookEndpointChanged():
            return replace(
                endpoint,
                url=event.url,
                event_types=event.event_types,
                description=event.description,
            )
        case WebhookEndpointDisabled():
            return replace(
                endpoint,
                is_enabled=False,
                disabled_because=event.reason,
                disabled_detail=event.detail,
                disabled_at=event.disabled_at,
            )
        case WebhookEndpointEnabled():
            return replace(
                endpoint,
                is_enabled=True,
                disabled_because=None,
                disabled_detail=None,
                disabled_at=None,
            )
        case WebhookSecretRotated():
            return _rotated(endpoint, event)
        case WebhookTestRequested() | WebhookReplayRequested():
            return endpoint
        case _:
            assert_never(event)


def _made(event: WebhookEndpointCreated) -> WebhookEndpoint:
    return WebhookEndpoint(
        endpoint_id=event.endpoint_id,
        url=event.url,
        event_types=event.event_types,
        description=event.description,
        livemode=event.livemode,
        secret_id=event.secret_id,
        created_at=event.created_at,
    )


def _rotated(endpoint: WebhookEndpoint, event: WebhookSecretRotated) -> WebhookEndpoint:
    """A rotation that leaves the secret before no time ends those before that as well."""
    at, until = event.rotated_at, event.previous_until
    if until <= at:
        return replace(endpoint, secret_id=event.secret_id, retiring=())
    still = tuple(it for it in endpoint.retiring if at < it.until)
    previous = RetiringSecret(event.previous_secret_id, until)
    return replace(endpoint, secret_id=event.secret_id, retiring=(previous, *still))
