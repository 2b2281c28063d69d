"""Signing, as Standard Webhooks has it: HMAC-SHA256 over the id, the time and the body.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
A receiver accepts a message when one of the signatures is right and the time is within
TOLERANCE_SECONDS of its own; while a secret is rotated there are several, the newest first.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Final

SECRET_BYTES: Final = 32
TOLERANCE_SECONDS: Final = 300
ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"
_PREFIX: Final = "whsec_"


def secret_from(entropy: bytes) -> str:
    """The secret made of 32 random bytes, as it is shown once: `whsec_…`."""
    if len(entropy) != SECRET_BYTES:
        raise ValueError(f"a secret is made of {SECRET_BYTES} random bytes")
    return _PREFIX + b64encode(entropy).decode()


def headers(secrets: Sequence[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """What is sent beside the body. `at` is the time of this attempt, the id that of the message."""
    seconds = str(int(at.timestamp()))
    return {
        ID_HEADER: message_id,
        TIMESTAMP_HEADER: seconds,
        SIGNATURE_HEADER: " ".join(_signature(it, message_id, seconds, body) for it in secrets),
    }


def _signature(secret: str, message_id: str, seconds: str, body: bytes) -> str:
    key = b64decode(secret.removeprefix(_PREFIX), validate=True)
    signed = b"%b.%b.%b" % (message_id.encode(), seconds.encode(), body)
    return "v1," + b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
