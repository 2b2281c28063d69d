"""Reconciliation: what the chain, the wallets and the payments say of the same transfers.

`matching` finds what does not agree; a run records that as facts, and opens an exception for each
until somebody settles it. Nothing here moves money: what is missing is booked by the commands that
book everything else.
"""

from flamewire_ledger.domain.reconciliation.decisions import (
    Reconciliation,
    ReconciliationCommand,
    RecordReconciliation,
    ResolveException,
    decide,
    evolve,
    exception_id,
)
from flamewire_ledger.domain.reconciliation.facts import (
    EXCEPTIONS_MAX,
    AssetPosition,
    LogPin,
    Pin,
    ReconciliationCompleted,
    ReconciliationEvent,
    ReconciliationExceptionOpened,
    ReconciliationExceptionResolved,
    Settled,
    StandingCount,
)

__all__ = [
    "EXCEPTIONS_MAX",
    "AssetPosition",
    "LogPin",
    "Pin",
    "Reconciliation",
    "ReconciliationCommand",
    "ReconciliationCompleted",
    "ReconciliationEvent",
    "ReconciliationExceptionOpened",
    "ReconciliationExceptionResolved",
    "RecordReconciliation",
    "ResolveException",
    "Settled",
    "StandingCount",
    "decide",
    "evolve",
    "exception_id",
]
