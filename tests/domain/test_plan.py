"""A plan: sold in versions, under one code, until it is archived."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flamewire_ledger.domain import plan as domain
from flamewire_ledger.domain.money import Amount, Asset
from flamewire_ledger.domain.plan import (
    ArchivePlan,
    CreatePlan,
    PlanArchived,
    PlanCreated,
    PlanRevised,
    RevisePlan,
    plan_id_of,
)
from flamewire_ledger.domain.plan_terms import (
    FixedPrice,
    IncludedCredits,
    Interval,
    PlanEntitlement,
)
from flamewire_ledger.domain.rejection import AlreadyExists, Malformed, NotAllowed, NotFound
from tests.billing.subscribers import CALLS, NEW_YEAR, credits_, day, plan, usd
from tests.domain.spec import Spec, fact

PLAN = plan_id_of("mer_1", "pro")
TERMS = plan().terms
CREATE = CreatePlan(PLAN, "pro", TERMS, NEW_YEAR)


@pytest.fixture
def spec() -> Spec:
    return Spec(domain.decide, domain.evolve)


def test_a_plan_begins_with_its_first_version(spec: Spec):
    spec.when(CREATE).then(fact(PlanCreated, version=1, terms=TERMS))


def test_a_code_is_taken_once(spec: Spec):
    assert plan_id_of("mer_1", "pro") != plan_id_of("mer_2", "pro")
    spec.given(CREATE).when(CREATE).then_refused(AlreadyExists)


def test_other_terms_are_another_version_and_the_same_ones_none(spec: Spec):
    dearer = replace(TERMS, fixed=(FixedPrice("pro plan", usd(4000)),))
    spec.given(CREATE).when(RevisePlan(PLAN, dearer, day(2, 1))).then(fact(PlanRevised, version=2))
    spec.when(RevisePlan(PLAN, dearer, day(2, 2))).then_nothing_new()
    assert spec.state.for_sale.terms == dearer


def test_an_archived_plan_is_neither_sold_nor_revised(spec: Spec):
    spec.given(CREATE).when(ArchivePlan(PLAN, day(2, 1))).then(fact(PlanArchived))
    spec.when(ArchivePlan(PLAN, day(2, 2))).then_nothing_new()
    spec.when(RevisePlan(PLAN, replace(TERMS, due_days=3), day(2, 3))).then_refused(NotAllowed)
    with pytest.raises(NotAllowed):
        _ = spec.state.for_sale


def test_what_is_not_there_is_not_revised(spec: Spec):
    spec.when(RevisePlan(PLAN, TERMS, NEW_YEAR)).then_refused(NotFound)


def test_a_plan_stays_in_its_currency(spec: Spec):
    euro = Asset("EUR", 2)
    terms = replace(TERMS, currency=euro, fixed=(FixedPrice("pro", Amount(euro, 1)),))
    spec.given(CREATE).when(RevisePlan(PLAN, terms, day(2, 1))).then_refused(Malformed)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"interval": Interval("year", 11)}, "/interval/count"),
        ({"interval": Interval("day", 0)}, "/interval/count"),
        ({"fixed": ()}, "/fixed_prices"),
        ({"fixed": (FixedPrice("x", credits_(1)),)}, "/fixed_prices/0/amount"),
        ({"commitment": credits_(1)}, "/commitment"),
        ({"metered": (CALLS, CALLS)}, "/metered_prices"),
        ({"entitlements": (PlanEntitlement("a"), PlanEntitlement("a"))}, "/entitlements"),
        ({"entitlements": (PlanEntitlement("a", limit="1"),)}, "/entitlements/0/kind"),
        ({"trial_days": 731}, "/trial_days"),
        ({"due_days": 366}, "/due_days"),
        ({"unpaid_days": -1}, "/unpaid_days"),
        ({"trial_credits": credits_(1)}, "/trial_credits"),
        ({"credits": IncludedCredits(credits_(0))}, "/included_credits/amount"),
        (
            {"credits": IncludedCredits(credits_(1), every=Interval("year"))},
            "/included_credits/every",
        ),
    ],
)
def test_terms_that_cannot_be_are_refused_with_the_field(spec: Spec, changes: dict, pointer: str):
    refusal = spec.when(replace(CREATE, terms=replace(TERMS, **changes))).then_refused(Malformed)
    assert refusal.pointer == pointer
