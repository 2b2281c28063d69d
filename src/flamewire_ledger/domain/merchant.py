"""A merchant, and the API keys that act for it.

Test and live are two merchants: their books never meet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ClassVar, Final, TypeAlias, assert_never

from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.party import Party
from flamewire_ledger.domain.rejection import (
    AlreadyExists,
    LimitReached,
    Malformed,
    NotAllowed,
    NotFound,
)

API_KEYS_MAX: Final = 1_000  # in force at once
_NAMED_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)  # part of every merchant's id; never changes


def merchant_id_of(name: str, *, livemode: bool) -> str:
    """The merchant of that name, in that mode."""
    return derived_id("mer", _NAMED_AT, name, "live" if livemode else "test")


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


@dataclass(frozen=True, slots=True)
class SellerDescribed:
    """What invoices say of who they are from, from now on."""

    type: ClassVar = "merchant.seller_described.v1"
    merchant_id: str
    seller: Party
    described_at: datetime


MerchantEvent: TypeAlias = MerchantRegistered | ApiKeyCreated | ApiKeyRevoked | SellerDescribed

# State.


@dataclass(frozen=True, slots=True)
class Merchant:
    registered: MerchantRegistered
    keys: dict[str, ApiKeyCreated]  # in force, by key id
    revoked: frozenset[str] = frozenset()
    seller: Party | None = None


def evolve(merchant: Merchant | None, event: MerchantEvent) -> Merchant:
    """Fold one fact into the state."""
    if isinstance(event, MerchantRegistered):
        return Merchant(registered=event, keys={})
    assert merchant is not None, "a merchant's first fact is MerchantRegistered"
    match event:
        case ApiKeyCreated():
            return replace(merchant, keys={**merchant.keys, event.key_id: event})
        case ApiKeyRevoked():
            keys = {key: made for key, made in merchant.keys.items() if key != event.key_id}
            return replace(merchant, keys=keys, revoked=merchant.revoked | {event.key_id})
        case SellerDescribed():
            return replace(merchant, seller=event.seller)
        case _:
            assert_never(event)


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


@dataclass(frozen=True, slots=True)
class DescribeSeller:
    merchant_id: str
    seller: Party
    at: datetime


MerchantCommand: TypeAlias = RegisterMerchant | CreateApiKey | RevokeApiKey | DescribeSeller


def decide(merchant: Merchant | None, command: MerchantCommand) -> tuple[MerchantEvent, ...]:
    """Facts that follow from the command, or a Rejection. An empty tuple: nothing new to say."""
    match command:
        case RegisterMerchant():
            return _register(merchant, command)
        case CreateApiKey():
            return _create_key(_known(merchant, command.merchant_id), command)
        case RevokeApiKey():
            return _revoke_key(_known(merchant, command.merchant_id), command)
        case DescribeSeller():
            return _describe(_known(merchant, command.merchant_id), command)
        case _:
            assert_never(command)


def _known(merchant: Merchant | None, merchant_id: str) -> Merchant:
    if merchant is None:
        raise NotFound(f"there is no merchant {merchant_id}")
    return merchant


def _register(merchant: Merchant | None, command: RegisterMerchant) -> tuple[MerchantEvent, ...]:
    if merchant is not None:
        raise AlreadyExists(f"merchant {command.merchant_id} exists")
    if not command.name.strip():
        raise Malformed("a merchant has a name", pointer="/name")
    return (MerchantRegistered(command.merchant_id, command.name, command.livemode, command.at),)


def _create_key(merchant: Merchant, command: CreateApiKey) -> tuple[MerchantEvent, ...]:
    if command.key_id in merchant.keys or command.key_id in merchant.revoked:
        raise AlreadyExists(f"API key {command.key_id} exists")
    if command.livemode != merchant.registered.livemode:
        raise NotAllowed("test and live are two merchants, and a key is of the mode of its own")
    if not command.scopes:
        raise Malformed("an API key has at least one scope", pointer="/scopes")
    if len(merchant.keys) >= API_KEYS_MAX:
        raise LimitReached(f"a merchant has at most {API_KEYS_MAX} API keys; revoke one first")
    return (
        ApiKeyCreated(
            merchant_id=command.merchant_id,
            key_id=command.key_id,
            name=command.name,
            livemode=command.livemode,
            secret_sha256=command.secret_sha256,
            last_four=command.last_four,
            scopes=command.scopes,
            created_at=command.at,
        ),
    )


def _revoke_key(merchant: Merchant, command: RevokeApiKey) -> tuple[MerchantEvent, ...]:
    if command.key_id in merchant.revoked:
        return ()
    if command.key_id not in merchant.keys:
        raise NotFound(f"there is no API key {command.key_id}")
    return (ApiKeyRevoked(command.merchant_id, command.key_id, command.at),)


def _describe(merchant: Merchant, command: DescribeSeller) -> tuple[MerchantEvent, ...]:
    if not command.seller.name.strip():
        raise Malformed("a seller has a name", pointer="/name")
    if merchant.seller == command.seller:
        return ()
    return (SellerDescribed(command.merchant_id, command.seller, command.at),)
