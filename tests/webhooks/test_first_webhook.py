"""From an endpoint that is made to a signed message that a receiver's own library verifies."""

from __future__ import annotations

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.webhooks.receiver import receiving
from tests.webhooks.shop import Shop


async def test_a_payment_that_succeeds_is_told_to_the_shop_signed(shop: Shop):
    async with receiving() as receiver:
        endpoint = await shop.endpoint(receiver.url, event_types=["payment.completed"])
        intent = await shop.intent(metadata={"cart": "9"})
        await shop.see(intent)
        await shop.confirm(intent)
        assert await shop.settle() == 1
    (received,) = receiver.received
    told = Webhook(endpoint["secret"]).verify(received.body, received.headers)
    assert told["event"] == told["type"] == "payment.completed"
    assert told["id"] == received.id
    assert told["livemode"] is False
    data = told["data"]
    assert data["paymentIntentId"] == intent["id"]
    assert data["transactionId"] == "0x" + intent["id"][-20:]
    assert (data["status"], data["amount"], data["currency"]) == ("succeeded", "25.00", "USD")
    assert (data["reference"], data["metadata"]) == ("order-17", {"cart": "9"})
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint["secret"]).verify(received.body + b" ", received.headers)
