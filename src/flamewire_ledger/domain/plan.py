"""A plan: what can be subscribed to, in versions. Who has one keeps it until it is changed for them.

A plan is found by its code, of which a merchant has one each. An archived plan is sold no more;
subscriptions to it go on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ClassVar, Final, TypeAlias, assert_never

from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.plan_terms import PlanTerms, PlanVersion, check_terms
from flamewire_ledger.domain.rejection import (
    AlreadyExists,
    LimitReached,
    Malformed,
    NotAllowed,
    NotFound,
)

VERSIONS_MAX: Final = 1_000
CODE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")
_NAMED_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)  # part of every plan's id; never changes


def plan_id_of(merchant_id: str, code: str) -> str:
    """The plan of that code: one a merchant, so that two of one code cannot be made."""
    return derived_id("plan", _NAMED_AT, merchant_id, code)


# Facts.


@dataclass(frozen=True, slots=True)
class PlanCreated:
    type: ClassVar = "plan.created.v1"
    plan_id: str
    code: str
    version: int
    terms: PlanTerms
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PlanRevised:
    """From here on it is sold on these terms."""

    type: ClassVar = "plan.revised.v1"
    plan_id: str
    version: int
    terms: PlanTerms
    revised_at: datetime


@dataclass(frozen=True, slots=True)
class PlanArchived:
    type: ClassVar = "plan.archived.v1"
    plan_id: str
    archived_at: datetime


PlanEvent: TypeAlias = PlanCreated | PlanRevised | PlanArchived

# State.


@dataclass(frozen=True, slots=True)
class Plan:
    created: PlanCreated
    current: PlanVersion
    is_archived: bool = False

    @property
    def for_sale(self) -> PlanVersion:
        """What a new subscription is sold on. Raises NotAllowed when it is archived."""
        if self.is_archived:
            raise NotAllowed(f"plan {self.created.code} is archived", pointer="/plan")
        return self.current


def evolve(plan: Plan | None, event: PlanEvent) -> Plan:
    """Fold one fact into the state."""
    if isinstance(event, PlanCreated):
        version = PlanVersion(event.plan_id, event.code, event.version, event.terms)
        return Plan(created=event, current=version)
    assert plan is not None, "a plan's first fact is PlanCreated"
    match event:
        case PlanRevised():
            current = replace(plan.current, version=event.version, terms=event.terms)
            return replace(plan, current=current)
        case PlanArchived():
            return replace(plan, is_archived=True)
        case _:
            assert_never(event)


# Commands.


@dataclass(frozen=True, slots=True)
class CreatePlan:
    plan_id: str
    code: str
    terms: PlanTerms
    at: datetime


@dataclass(frozen=True, slots=True)
class RevisePlan:
    plan_id: str
    terms: PlanTerms
    at: datetime


@dataclass(frozen=True, slots=True)
class ArchivePlan:
    plan_id: str
    at: datetime


PlanCommand: TypeAlias = CreatePlan | RevisePlan | ArchivePlan


def decide(plan: Plan | None, command: PlanCommand) -> tuple[PlanEvent, ...]:
    """Facts that follow from the command, or a Rejection. An empty tuple: nothing new to say."""
    match command:
        case CreatePlan():
            return _create(plan, command)
        case RevisePlan():
            return _revise(known(plan), command)
        case ArchivePlan():
            if known(plan).is_archived:
                return ()
            return (PlanArchived(command.plan_id, command.at),)
        case _:
            assert_never(command)


def known(plan: Plan | None) -> Plan:
    if plan is None:
        raise NotFound("there is no such plan", pointer="/plan")
    return plan


def _create(plan: Plan | None, command: CreatePlan) -> tuple[PlanEvent, ...]:
    if plan is not None:
        raise AlreadyExists(f"there is a plan {command.code}; revise it, or take another code")
    if not CODE.match(command.code):
        raise Malformed(
            "a code has 1 to 64 of a-z, 0-9, _ and -, and begins with a letter or digit",
            pointer="/code",
        )
    check_terms(command.terms)
    return (PlanCreated(command.plan_id, command.code, 1, command.terms, command.at),)


def _revise(plan: Plan, command: RevisePlan) -> tuple[PlanEvent, ...]:
    if plan.is_archived:
        raise NotAllowed(f"plan {plan.created.code} is archived")
    if command.terms == plan.current.terms:
        return ()
    if command.terms.currency != plan.current.terms.currency:
        raise Malformed("a plan stays in its currency: make another plan", pointer="/currency")
    if plan.current.version >= VERSIONS_MAX:
        raise LimitReached(f"a plan has at most {VERSIONS_MAX} versions: make another plan")
    check_terms(command.terms)
    version = plan.current.version + 1
    return (PlanRevised(command.plan_id, version, command.terms, command.at),)
