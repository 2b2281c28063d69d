"""The webhook endpoints of a merchant: where it wants to be told, of what, and signed by which
secret.

All endpoints of a merchant are one stream, so that there is a limit to how many. A secret is never
here, only what it is called: what was appended cannot be taken back. Deliveries are not here
either; that somebody asked for one (a test, a replay) is.
"""

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
from flamewire_ledger.domain.webhook_endpoint.decisions import (
    ENDPOINTS_MAX,
    EVENT_TYPES_MAX,
    ROTATION_SECONDS_MAX,
    decide,
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
from flamewire_ledger.domain.webhook_endpoint.state import (
    EVERYTHING,
    RetiringSecret,
    WebhookEndpoint,
    Webhooks,
    evolve,
    is_meant,
)

__all__ = [
    "ENDPOINTS_MAX",
    "EVENT_TYPES_MAX",
    "EVERYTHING",
    "ROTATION_SECONDS_MAX",
    "ChangeWebhookEndpoint",
    "CreateWebhookEndpoint",
    "DeleteWebhookEndpoint",
    "DisableWebhookEndpoint",
    "DisabledBecause",
    "ReplayWebhooks",
    "RetiringSecret",
    "RotateWebhookSecret",
    "SendTestWebhook",
    "WebhookCommand",
    "WebhookEndpoint",
    "WebhookEndpointChanged",
    "WebhookEndpointCreated",
    "WebhookEndpointDeleted",
    "WebhookEndpointDisabled",
    "WebhookEndpointEnabled",
    "WebhookEvent",
    "WebhookReplayRequested",
    "WebhookSecretRotated",
    "WebhookTestRequested",
    "Webhooks",
    "decide",
    "evolve",
    "is_meant",
    "webhooks_of",
]


def webhooks_of(merchant_id: str) -> str:
    """The stream of a merchant's endpoints: one each, and known without asking."""
    return f"wr_{merchant_id.partition('_')[2]}"
