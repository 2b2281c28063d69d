"""A merchant, and the API keys that act for it. Test and live are two merchants: their books never meet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, TypeAlias

# Facts. A key's secret is never here, only a hash that finds it again.


@dataclass(frozen=True, slots=True)
class MerchantRegistered:
    type: ClassVar = "merchant.registered.v1"
    merchant_id: str
    name: str
    livemode: bool
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKeyCreated:
    type: ClassVar = "merchant.api_key_created.v1"
    merchant_id: str
    key_id: str
    name: str
    livemode: bool
    secret_sha256: str  # hex; the secret has 256 random bits, so one round is enough
    last_four: str
    scopes: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKeyRevoked:
    type: ClassVar = "merchant.api_key_revoked.v1"
    merchant_id: str
    key_id: str
    revoked_at: datetime


MerchantEvent: TypeAlias = MerchantRegistered | ApiKeyCreated | ApiKeyRevoked

# Commands.


@dataclass(frozen=True, slots=True)
class RegisterMerchant:
    merchant_id: str
    name: str
    livemode: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class CreateApiKey:
    merchant_id: str
    key_id: str
    name: str
    livemode: bool
    secret_sha256: str
    last_four: str
    scopes: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class RevokeApiKey:
    merchant_id: str
    key_id: str
    at: datetime


MerchantCommand: TypeAlias = RegisterMerchant | CreateApiKey | RevokeApiKey
