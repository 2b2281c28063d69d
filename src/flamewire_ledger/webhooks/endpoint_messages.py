"""What a merchant is told of its webhook endpoints: a test, and that one is disabled."""

from __future__ import annotations

from typing import Final, Literal

from flamewire_ledger.domain.webhook_endpoint import WebhookEndpointDisabled, WebhookTestRequested
from flamewire_ledger.webhooks.message import Kind, Shape, Time, Told


class EndpointData(Shape):
    """A webhook endpoint that was disabled. Others are told; it is told nothing any more."""

    webhook_endpoint_id: str
    reason: Literal["asked", "gone", "failing"]
    detail: str | None
    disabled_at: Time


class TestData(Shape):
    """Nothing has happened: somebody wants to see whether this arrives."""

    webhook_endpoint_id: str
    requested_at: Time


def _disabled(told: Told) -> EndpointData:
    fact: WebhookEndpointDisabled = told.fact
    return EndpointData(
        webhook_endpoint_id=fact.endpoint_id,
        reason=fact.reason,
        detail=fact.detail,
        disabled_at=fact.disabled_at,
    )


def _test(told: Told) -> TestData:
    fact: WebhookTestRequested = told.fact
    return TestData(webhook_endpoint_id=fact.endpoint_id, requested_at=fact.requested_at)


TEST: Final = Kind(
    "webhook.test",
    "A test. It is sent once, to the endpoint that is tested, whatever types it takes.",
    (WebhookTestRequested.type,),
    TestData,
    _test,
)
ENDPOINT_KINDS: Final = (
    Kind(
        "webhook_endpoint.disabled",
        "Nothing is sent to an endpoint any more: it said 410, failed for days, or was turned off.",
        (WebhookEndpointDisabled.type,),
        EndpointData,
        _disabled,
    ),
)
