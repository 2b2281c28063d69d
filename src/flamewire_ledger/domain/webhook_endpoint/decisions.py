"""What follows from a command on a merchant's webhook endpoints."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, assert_never

from flamewire_ledger.domain.rejection import (
    AlreadyExists,
    LimitReached,
    Malformed,
    NotAllowed,
    NotFound,
)
from flamewire_ledger.domain.webhook_endpoint.commands import (
    ChangeWebhookEndpoint,
    CreateWebhookEndpoint,
    DeleteWebhookEndpoint,
    DisableWebhookEndpoint,
    ReplayWebhooks,
    RotateWebhookSecret,
    SendTestWebhook,
    WebhookCommand,
)
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
from flamewire_ledger.domain.webhook_endpoint.state import WebhookEndpoint, Webhooks

ENDPOINTS_MAX: Final = 20
EVENT_TYPES_MAX: Final = 50
RETIRING_MAX: Final = 2  # secrets that are on their way out and still sign
ROTATION_SECONDS_MAX: Final = 7 * 86_400


def decide(webhooks: Webhooks | None, command: WebhookCommand) -> tuple[WebhookEvent, ...]:
    """Facts that follow from the command, or a Rejection. An empty tuple: nothing new to say."""
    endpoints = webhooks.endpoints if webhooks is not None else {}
    if isinstance(command, CreateWebhookEndpoint):
        return _create(endpoints, command)
    endpoint = endpoints.get(command.endpoint_id)
    if endpoint is None:
        raise NotFound("there is no such webhook endpoint")
    match command:
        case ChangeWebhookEndpoint():
            return _change(endpoint, command)
        case DisableWebhookEndpoint():
            if not endpoint.is_enabled:
                return ()
            return (_disabled(command.endpoint_id, command.reason, command.detail, command.at),)
        case RotateWebhookSecret():
            return _rotate(endpoint, command)
        case SendTestWebhook():
            return (WebhookTestRequested(command.endpoint_id, command.at),)
        case ReplayWebhooks():
            return _replay(endpoint, command)
        case DeleteWebhookEndpoint():
            return (WebhookEndpointDeleted(command.endpoint_id, command.at),)
        case _:
            assert_never(command)


def _create(
    endpoints: dict[str, WebhookEndpoint], command: CreateWebhookEndpoint
) -> tuple[WebhookEvent, ...]:
    if command.endpoint_id in endpoints:
        raise AlreadyExists(f"webhook endpoint {command.endpoint_id} exists")
    if len(endpoints) >= ENDPOINTS_MAX:
        raise LimitReached(
            f"a merchant has at most {ENDPOINTS_MAX} webhook endpoints; delete one first"
        )
    _check_types(command.event_types)
    return (
        WebhookEndpointCreated(
            endpoint_id=command.endpoint_id,
            url=command.url,
            event_types=command.event_types,
            description=command.description or None,
            livemode=command.livemode,
            secret_id=command.secret_id,
            created_at=command.at,
        ),
    )


def _check_types(event_types: tuple[str, ...]) -> None:
    if not event_types:
        raise Malformed("name an event type, or * for all of them", pointer="/event_types")
    if len(event_types) > EVENT_TYPES_MAX:
        raise Malformed(f"name at most {EVENT_TYPES_MAX} event types", pointer="/event_types")


def _change(endpoint: WebhookEndpoint, command: ChangeWebhookEndpoint) -> tuple[WebhookEvent, ...]:
    if command.event_types is not None:
        _check_types(command.event_types)
    facts: list[WebhookEvent] = []
    description = endpoint.description if command.description is None else command.description
    after = (
        command.url or endpoint.url,
        command.event_types or endpoint.event_types,
        description or None,
    )
    if after != (endpoint.url, endpoint.event_types, endpoint.description):
        facts.append(WebhookEndpointChanged(endpoint.endpoint_id, *after, changed_at=command.at))
    if command.is_enabled is True and not endpoint.is_enabled:
        facts.append(WebhookEndpointEnabled(endpoint.endpoint_id, command.at))
    if command.is_enabled is False and endpoint.is_enabled:
        facts.append(_disabled(endpoint.endpoint_id, "asked", None, command.at))
    return tuple(facts)


def _disabled(
    endpoint_id: str, reason: DisabledBecause, detail: str | None, at: datetime
) -> WebhookEndpointDisabled:
    return WebhookEndpointDisabled(endpoint_id, reason, detail, at)


def _rotate(endpoint: WebhookEndpoint, command: RotateWebhookSecret) -> tuple[WebhookEvent, ...]:
    if not 0 <= command.keep_seconds <= ROTATION_SECONDS_MAX:
        raise Malformed("the secret before signs for seven days at most")
    signing = [it for it in endpoint.retiring if command.at < it.until]
    if command.keep_seconds and len(signing) >= RETIRING_MAX:
        raise NotAllowed(
            f"{RETIRING_MAX} secrets are on their way out already, the last until "
            f"{signing[0].until.isoformat()}; with 0 seconds they all end now"
        )
    return (
        WebhookSecretRotated(
            endpoint_id=endpoint.endpoint_id,
            secret_id=command.secret_id,
            previous_secret_id=endpoint.secret_id,
            previous_until=command.at + timedelta(seconds=command.keep_seconds),
            rotated_at=command.at,
        ),
    )


def _replay(endpoint: WebhookEndpoint, command: ReplayWebhooks) -> tuple[WebhookEvent, ...]:
    if not endpoint.is_enabled:
        raise NotAllowed("this endpoint is disabled: enable it, and ask again")
    if not 0 <= command.after < command.until:
        raise Malformed("a replay is of one position or more")
    return (
        WebhookReplayRequested(
            endpoint_id=endpoint.endpoint_id,
            replay_id=command.replay_id,
            after=command.after,
            until=command.until,
            undelivered_only=command.undelivered_only,
            requested_at=command.at,
        ),
    )
