"""Webhook endpoints and their deliveries, as they are asked for and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from flamewire_ledger.api.fields import (
    Body,
    Fresh,
    Identifier,
    Limit,
    MetadataValue,
    Name,
    Symbol,
    Time,
    View,
)
from flamewire_ledger.domain.webhook_endpoint import EVENT_TYPES_MAX, ROTATION_SECONDS_MAX
from flamewire_ledger.webhooks.addresses import URL_CHARACTERS_MAX

KEEP_SECONDS_DEFAULT = 86_400
Url = Annotated[str, Field(min_length=1, max_length=URL_CHARACTERS_MAX)]
EventTypes = Annotated[list[Symbol], Field(min_length=1, max_length=EVENT_TYPES_MAX)]
DeliveryStatus = Literal["pending", "delivered", "failed", "canceled"]


class CreateWebhookEndpoint(Body):
    url: Url = Field(
        examples=["https://shop.example/webhooks"],
        description="https, and public. Test keys may name a loopback address where the ledger lets them.",
    )
    event_types: EventTypes = Field(
        default=["*"],
        examples=[["payment.completed", "invoice.*"]],
        description="What it is told of: types, the beginning of types and `*`, or `*`.",
    )
    description: Name | None = None


class UpdateWebhookEndpoint(Body):
    """What is not named stays as it is."""

    url: Url | None = None
    event_types: EventTypes | None = None
    description: MetadataValue | None = Field(
        default=None, description="An empty text takes it away."
    )
    status: Literal["enabled", "disabled"] | None = Field(
        default=None,
        description="`disabled`: nothing is sent, and what waits is canceled. `enabled`: what happens from "
        "then on is sent; a replay sends the rest.",
    )


class RotateWebhookSecret(Body):
    expires_in_seconds: Annotated[int, Field(ge=0, le=ROTATION_SECONDS_MAX)] = Field(
        default=KEEP_SECONDS_DEFAULT,
        description="How long the secret before signs as well; 0 ends it, and all before it, now.",
    )


class ReplayWebhooks(Body):
    """One message, or all behind a position or a time."""

    event_id: Identifier | None = Field(
        default=None, description="The webhook-id of a message; or `from_position`, or `since`."
    )
    from_position: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="The first position (`sequence` of a message) to send again."
    )
    to_position: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="The last one; without it, the last there is."
    )
    since: Time | None = Field(default=None, description="What was recorded after a time.")
    undelivered_only: bool = Field(
        default=False, description="Leave out what this endpoint has taken already."
    )


class WebhookEndpointMade(View):
    id: str
    object: Literal["webhook_endpoint"]
    url: str
    event_types: list[str]
    description: str | None
    livemode: bool
    status: Literal["enabled", "disabled"]
    disabled_reason: Literal["asked", "gone", "failing"] | None = Field(
        description="`gone`: it answered 410. `failing`: it took nothing for five days."
    )
    disabled_detail: str | None
    disabled_at: datetime | None
    previous_secrets_until: datetime | None = Field(
        description="While its secret is rotated: until then the one before signs as well."
    )
    created_at: datetime


class WebhookEndpointChanged(WebhookEndpointMade):
    position: int


class WebhookEndpointWithSecret(WebhookEndpointChanged):
    secret: str | None = Field(
        description="`whsec_…`, shown once: null when the request is repeated."
    )


class WebhookEndpointView(WebhookEndpointMade):
    failing_since: datetime | None = Field(description="Nothing was taken since then.")
    last_success_at: datetime | None
    last_failure_at: datetime | None
    pending: int = Field(description="Deliveries that wait, 10,000 at most.")


class WebhookEndpoints(View):
    object: Literal["list"]
    data: list[WebhookEndpointView]
    has_more: bool


class WebhookTest(View):
    object: Literal["webhook_test"]
    webhook_endpoint_id: str
    type: Literal["webhook.test"]
    position: int


class WebhookReplay(View):
    id: str
    object: Literal["webhook_replay"]
    webhook_endpoint_id: str
    from_position: int
    to_position: int
    undelivered_only: bool
    position: int


class WebhookEndpointDeletedView(View):
    id: str
    object: Literal["webhook_endpoint"]
    deleted: Literal[True]
    position: int


class WebhookAttemptView(View):
    at: datetime
    duration_ms: int
    status_code: int | None = Field(description="null where nothing was answered.")
    error: str | None = Field(description="Why nothing was answered.")
    response: str | None = Field(description="The first 1,024 characters of the answer.")


class WebhookDeliveryView(View):
    id: str
    object: Literal["webhook_delivery"]
    webhook_endpoint_id: str
    event_id: str = Field(description="webhook-id: the same for every attempt and every replay.")
    type: str
    kind: Literal["event", "replay", "test"]
    replay_id: str | None
    sequence: int
    status: DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None
    created_at: datetime
    ended_at: datetime | None
    last_attempt: WebhookAttemptView | None


class WebhookDeliveryDetails(WebhookDeliveryView):
    payload: dict[str, Any] = Field(description="What is sent.")
    history: list[WebhookAttemptView] = Field(description="Every attempt, the first first.")


class WebhookDeliveries(View):
    object: Literal["list"]
    data: list[WebhookDeliveryView]
    has_more: bool


class ListWebhookEndpoints(Fresh):
    limit: Limit = 100
    starting_after: Identifier | None = Field(
        default=None, description="The id of the last one you have; the oldest come first."
    )


class ListWebhookDeliveries(Fresh):
    limit: Limit = 20
    starting_after: Identifier | None = Field(
        default=None, description="The id of the last one you have: what was queued before it."
    )
    status: DeliveryStatus | None = None
    type: Symbol | None = None
    event_id: Identifier | None = None
