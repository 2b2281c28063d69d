"""A merchant and its API keys."""

from __future__ import annotations

from datetime import UTC, datetime

from flamewire_ledger.domain import merchant as merchants
from flamewire_ledger.domain.merchant import (
    ApiKeyCreated,
    ApiKeyRevoked,
    CreateApiKey,
    MerchantRegistered,
    RegisterMerchant,
    RevokeApiKey,
    decide,
    evolve,
)
from flamewire_ledger.domain.rejection import (
    AlreadyExists,
    LimitReached,
    Malformed,
    NotAllowed,
    NotFound,
)
from tests.domain.snapshots import through_json
from tests.domain.spec import Spec

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
REGISTER = RegisterMerchant("mer_1", "Ada", False, NOON)


def create(key_id="key_1", *, livemode=False, scopes=("*",)):
    return CreateApiKey("mer_1", key_id, "ci", livemode, "ab" * 32, "wxyz", scopes, NOON)


def revoke(key_id="key_1"):
    return RevokeApiKey("mer_1", key_id, NOON)


def story():
    return Spec(decide, evolve)


def test_a_merchant_is_registered_once_and_has_a_name():
    story().when(RegisterMerchant("mer_1", " ", False, NOON)).then_refused(Malformed)
    spec = story().when(REGISTER).then(MerchantRegistered)
    spec.when(REGISTER).then_refused(AlreadyExists)


def test_a_key_is_created_once_and_revoked_for_ever():
    spec = story().given(REGISTER).when(create()).then(ApiKeyCreated)
    spec.when(create()).then_refused(AlreadyExists)
    spec.when(revoke()).then(ApiKeyRevoked)
    spec.when(revoke()).then_nothing_new()
    spec.when(create()).then_refused(AlreadyExists)
    assert through_json(spec.state) == spec.state


def test_a_key_is_of_the_mode_of_its_merchant_and_may_do_something():
    spec = story().given(REGISTER)
    spec.when(create(livemode=True)).then_refused(NotAllowed)
    spec.when(create(scopes=())).then_refused(Malformed)


def test_keys_in_force_are_bounded(monkeypatch):
    monkeypatch.setattr(merchants, "API_KEYS_MAX", 1)
    spec = story().given(REGISTER, create())
    spec.when(create("key_2")).then_refused(LimitReached)
    spec.given(revoke()).when(create("key_2")).then(ApiKeyCreated)


def test_what_was_never_made_is_not_found():
    story().when(create()).then_refused(NotFound)
    story().given(REGISTER).when(revoke()).then_refused(NotFound)
