"""A reconciliation: recorded once, as a whole; then its exceptions are settled one by one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias, assert_never

from flamewire_ledger.domain.identifiers import derived_id
from flamewire_ledger.domain.reconciliation.facts import (
    EXCEPTIONS_MAX,
    ReconciliationCompleted,
    ReconciliationEvent,
    ReconciliationExceptionOpened,
    ReconciliationExceptionResolved,
    Settled,
)
from flamewire_ledger.domain.rejection import AlreadyExists, Malformed, NotAllowed, NotFound

# State.


@dataclass(frozen=True, slots=True)
class Reconciliation:
    completed: ReconciliationCompleted
    exceptions: dict[str, ReconciliationExceptionOpened] = field(default_factory=dict)
    resolved: dict[str, ReconciliationExceptionResolved] = field(default_factory=dict)


def evolve(run: Reconciliation | None, event: ReconciliationEvent) -> Reconciliation:
    """Fold one fact into the state."""
    if isinstance(event, ReconciliationCompleted):
        return Reconciliation(event)
    assert run is not None, "the first fact is ReconciliationCompleted"
    match event:
        case ReconciliationExceptionOpened():
            return replace(run, exceptions={**run.exceptions, event.exception_id: event})
        case ReconciliationExceptionResolved():
            return replace(run, resolved={**run.resolved, event.exception_id: event})
        case _:
            assert_never(event)


def exception_id(run_id: str, at: datetime, fingerprint: str) -> str:
    return derived_id("rx", at, run_id, fingerprint)


# Commands.


@dataclass(frozen=True, slots=True)
class RecordReconciliation:
    completed: ReconciliationCompleted
    exceptions: tuple[ReconciliationExceptionOpened, ...]


@dataclass(frozen=True, slots=True)
class ResolveException:
    reconciliation_id: str
    exception_id: str
    settled: Settled
    reason: str
    at: datetime


ReconciliationCommand: TypeAlias = RecordReconciliation | ResolveException


def decide(
    run: Reconciliation | None, command: ReconciliationCommand
) -> tuple[ReconciliationEvent, ...]:
    """Facts that follow from the command, or a Rejection. An empty tuple: nothing new to say."""
    match command:
        case RecordReconciliation():
            return _record(run, command)
        case ResolveException():
            return _resolve(run, command)
        case _:
            assert_never(command)


def _record(
    run: Reconciliation | None, command: RecordReconciliation
) -> tuple[ReconciliationEvent, ...]:
    if run is not None:
        raise AlreadyExists(f"reconciliation {command.completed.reconciliation_id} exists")
    if len(command.exceptions) > EXCEPTIONS_MAX:
        raise NotAllowed(
            f"{len(command.exceptions)} exceptions are more than a person can settle: see that this"
            " ledger and its networks file are of the same chain, or reconcile fewer blocks"
        )
    return (command.completed, *command.exceptions)


def _resolve(
    run: Reconciliation | None, command: ResolveException
) -> tuple[ReconciliationEvent, ...]:
    if run is None or command.exception_id not in run.exceptions:
        raise NotFound("there is no such exception")
    if not command.reason.strip():
        raise Malformed("a decision about money has a reason", pointer="/reason")
    if command.exception_id in run.resolved:
        raise NotAllowed(
            "this exception is settled: it was "
            + run.resolved[command.exception_id].settled.replace("_", " ")
        )
    return (
        ReconciliationExceptionResolved(
            reconciliation_id=command.reconciliation_id,
            exception_id=command.exception_id,
            settled=command.settled,
            reason=command.reason,
            resolved_at=command.at,
        ),
    )
