"""API keys: how a secret is made, recognised and shown. Only its hash is ever kept.

A secret has 256 random bits, so it cannot be guessed and one round of SHA-256 is enough: slow
hashes are for passwords.
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Final, Protocol

SECRET_BYTES: Final = 32
_SECRET = re.compile(r"fw_(test|live)_[A-Za-z0-9_-]{43}\Z")  # 43 letters of base64 are 32 bytes


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key that may be used: who it acts for, and what it may do."""

    key_id: str
    merchant_id: str
    livemode: bool
    scopes: frozenset[str]


class ApiKeys(Protocol):
    """Finds a key by its hash. A revoked key is not found."""

    async def find(self, secret_sha256: str) -> ApiKey | None: ...

    async def changed(self, key_id: str, partition: int, position: int) -> None:
        """Come back when `find` knows what was recorded of this key at a position, or after 2 s."""


def secret_from(entropy: bytes, *, livemode: bool) -> str:
    """The secret made of 32 random bytes: `fw_test_…` or `fw_live_…`."""
    if len(entropy) != SECRET_BYTES:
        raise ValueError(f"a secret is made of {SECRET_BYTES} random bytes")
    text = urlsafe_b64encode(entropy).rstrip(b"=").decode()
    return f"fw_{'live' if livemode else 'test'}_{text}"


def is_secret(text: str) -> bool:
    """Whether the text has the shape of a secret: what has not is never looked up."""
    return _SECRET.match(text) is not None


def sha256_of(secret: str) -> str:
    """Hex, as in the events of the merchant."""
    return hashlib.sha256(secret.encode()).hexdigest()
