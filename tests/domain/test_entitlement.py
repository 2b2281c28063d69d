"""Entitlements: what several grant is there as long as one of them does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from flamewire_ledger.domain import entitlement
from flamewire_ledger.domain.entitlement import (
    EntitlementGranted,
    EntitlementRevoked,
    GrantEntitlement,
    RevokeEntitlement,
)
from flamewire_ledger.domain.rejection import Malformed, NotFound
from tests.domain.spec import Spec, fact

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
FLAG = GrantEntitlement("ca_tom", "archive", "flag", NOON)
BY_PLAN = replace(FLAG, source="plan:pro")


@pytest.fixture
def spec() -> Spec:
    return Spec(entitlement.decide, entitlement.evolve)


def test_what_is_granted_again_is_nothing_new(spec: Spec):
    assert spec.given(FLAG).when(FLAG).outcome == []


def test_what_one_takes_the_other_still_gives(spec: Spec):
    spec.given(FLAG, BY_PLAN).when(RevokeEntitlement("ca_tom", "archive", NOON))
    assert [it.source for it in spec.state.grants.values()] == ["plan:pro"]


def test_other_terms_take_the_place_of_those_before(spec: Spec):
    some = GrantEntitlement(
        "ca_tom", "calls", "quantity", NOON, meter_id="me_1", limit=Decimal(5), period="day"
    )
    more = replace(some, limit=Decimal(9))
    (found,) = spec.given(some).when(more).outcome
    fact(EntitlementGranted, limit=Decimal(9)).check(found)
    assert len(spec.state.grants) == 1


def test_a_person_is_told_that_there_is_nothing_to_take_and_a_plan_is_not(spec: Spec):
    assert isinstance(spec.when(RevokeEntitlement("ca_tom", "x", NOON)).outcome, NotFound)
    assert spec.when(RevokeEntitlement("ca_tom", "x", NOON, source="plan:pro")).outcome == []
    (found,) = spec.given(BY_PLAN).when(replace_source("plan:pro")).outcome
    assert isinstance(found, EntitlementRevoked)


def replace_source(source: str) -> RevokeEntitlement:
    return RevokeEntitlement("ca_tom", "archive", NOON, source=source)


def test_a_quantity_says_of_what_how_much_and_how_often(spec: Spec):
    assert isinstance(spec.when(replace(FLAG, kind="quantity")).outcome, Malformed)
    assert isinstance(spec.when(replace(FLAG, limit=Decimal(1))).outcome, Malformed)
