"""The part of the contract that is about webhooks."""

from __future__ import annotations

from typing import Final

from flamewire_ledger.api import webhook_deliveries, webhook_endpoints
from flamewire_ledger.api.fields import Fresh, NoBody
from flamewire_ledger.api.models import webhook_endpoints as models
from flamewire_ledger.api.operation import Operation

_ENDPOINTS: Final = "/v1/webhook_endpoints"
_ONE: Final = f"{_ENDPOINTS}/{{id}}"

# One line and what hangs from it is one operation: this is a table, and read as one.
# fmt: off
WEBHOOK_OPERATIONS: Final = (
    Operation("create_webhook_endpoint", "POST", _ENDPOINTS, "Be told of what happens",
        "webhooks:write", handler=webhook_endpoints.create,
        response=models.WebhookEndpointWithSecret, request=models.CreateWebhookEndpoint,
        status=201, key="optional",
        description="Messages are signed as Standard Webhooks has it. `secret` is shown this once."),
    Operation("list_webhook_endpoints", "GET", _ENDPOINTS, "List webhook endpoints, the oldest first",
        "webhooks:read", handler=webhook_endpoints.list_all, response=models.WebhookEndpoints,
        query=models.ListWebhookEndpoints),
    Operation("get_webhook_endpoint", "GET", _ONE, "Look at a webhook endpoint", "webhooks:read",
        handler=webhook_endpoints.get, response=models.WebhookEndpointView, query=Fresh),
    Operation("update_webhook_endpoint", "PATCH", _ONE,
        "Change where it is, what it is told of, or whether", "webhooks:write",
        handler=webhook_endpoints.update, response=models.WebhookEndpointChanged,
        request=models.UpdateWebhookEndpoint, key="optional"),
    Operation("delete_webhook_endpoint", "DELETE", _ONE, "Be told no more", "webhooks:write",
        handler=webhook_endpoints.delete, response=models.WebhookEndpointDeletedView, request=NoBody,
        key="optional"),
    Operation("rotate_webhook_secret", "POST", f"{_ONE}/rotate_secret", "Give it another secret",
        "webhooks:write", handler=webhook_endpoints.rotate,
        response=models.WebhookEndpointWithSecret, request=models.RotateWebhookSecret,
        key="optional",
        description="Messages bear a signature by each secret until the one before expires."),
    Operation("test_webhook_endpoint", "POST", f"{_ONE}/test", "Send it a message that says nothing",
        "webhooks:write", handler=webhook_endpoints.send_test, response=models.WebhookTest,
        request=NoBody, key="optional",
        description="Once, also while it is disabled. What came of it is among its deliveries."),
    Operation("replay_webhooks", "POST", f"{_ONE}/replay", "Send again what was recorded",
        "webhooks:write", handler=webhook_endpoints.replay, response=models.WebhookReplay,
        request=models.ReplayWebhooks, key="optional",
        description="The same messages under the same ids, to the types it takes now."),
    Operation("list_webhook_deliveries", "GET", f"{_ONE}/deliveries",
        "List what was sent to it, newest first", "webhooks:read",
        handler=webhook_deliveries.list_all, response=models.WebhookDeliveries,
        query=models.ListWebhookDeliveries,
        description="Those that ended are kept for 30 days, if the settings do not say otherwise."),
    Operation("get_webhook_delivery", "GET", f"{_ONE}/deliveries/{{delivery}}",
        "Look at a delivery, with every attempt", "webhooks:read", handler=webhook_deliveries.get,
        response=models.WebhookDeliveryDetails, query=Fresh),
)
# fmt: on
