"""Request → caller: whose key it is, and what it may do.

A key is found by its hash and shows only its own merchant. What belongs to another is answered like
what does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass

from flamewire_ledger.api import problems
from flamewire_ledger.security.api_keys import ApiKeys, is_secret, sha256_of
from flamewire_ledger.security.scopes import allows


@dataclass(slots=True)  # not frozen: one is made for each request
class Caller:
    """Who asks."""

    key_id: str
    merchant_id: str
    livemode: bool
    scopes: frozenset[str]

    @property
    def actor(self) -> str:
        return f"key:{self.key_id}"


async def authenticate(authorization: str, keys: ApiKeys) -> Caller:
    """The caller, or a 401 that says what to send. Nothing of the key comes back in the answer."""
    scheme, _, secret = authorization.partition(" ")
    if not scheme:
        raise problems.unauthenticated("send Authorization: Bearer fw_test_… or fw_live_…")
    if scheme.lower() != "bearer":
        raise problems.unauthenticated("the scheme is Bearer", "invalid_request")
    secret = secret.strip()
    if not is_secret(secret):
        raise problems.unauthenticated("this is not an API key of this ledger", "invalid_token")
    found = await keys.find(sha256_of(secret))
    if found is None:
        raise problems.unauthenticated("this API key is unknown or revoked", "invalid_token")
    return Caller(found.key_id, found.merchant_id, found.livemode, found.scopes)


def require_scope(caller: Caller, needed: str) -> None:
    if not allows(caller.scopes, needed):
        raise problems.insufficient_scope(needed)
