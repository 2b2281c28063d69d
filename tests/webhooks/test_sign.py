"""Signatures as Standard Webhooks has them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from flamewire_ledger.webhooks.sign import SECRET_BYTES, headers, secret_from

# https://github.com/standard-webhooks/standard-webhooks/blob/main/libraries/python/tests/test_webhooks.py
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'


def test_the_vector_of_the_reference_libraries():
    assert headers([SECRET], ID, AT, BODY) == {
        "webhook-id": ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_with_two_secrets_either_verifies():
    one, two = secret_from(b"1" * SECRET_BYTES), secret_from(b"2" * SECRET_BYTES)
    signed = headers([one, two], ID, datetime.now(UTC), BODY)
    assert len(signed["webhook-signature"].split(" ")) == 2
    for secret in (one, two):
        assert Webhook(secret).verify(BODY, signed) == {"test": 2432232314}
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, signed)


def test_what_is_older_than_five_minutes_is_not_believed():
    at = datetime.fromtimestamp(datetime.now(UTC).timestamp() - 310, UTC)
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(SECRET).verify(BODY, headers([SECRET], ID, at, BODY))


def test_a_secret_has_all_of_its_bytes():
    with pytest.raises(ValueError, match="32"):
        secret_from(b"short")
