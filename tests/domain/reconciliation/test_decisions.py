"""A run is recorded once, and each of its exceptions is settled once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from flamewire_ledger.domain.reconciliation import (
    EXCEPTIONS_MAX,
    AssetPosition,
    LogPin,
    Pin,
    Reconciliation,
    ReconciliationCompleted,
    ReconciliationExceptionOpened,
    ReconciliationExceptionResolved,
    RecordReconciliation,
    ResolveException,
    decide,
    evolve,
)
from flamewire_ledger.domain.rejection import AlreadyExists, Malformed, NotAllowed, NotFound
from tests.domain.reconciliation.books import NOON

COMPLETED = ReconciliationCompleted(
    "rc_1", "ethereum", "eip155:1", 1, Pin(9, "0xb9", NOON), (LogPin(0, 40, "ab"),), 3, (), (),
    1, 1, 0, "0.1.0", NOON,
)  # fmt: skip
OPENED = ReconciliationExceptionOpened(
    "rc_1", "rx_1", "ethereum", "eip155:1", "under", "ethereum/0x1/0", NOON, "pi_1", "0xa1",
    "ethereum:USDC", 6, "25", "24", None, 5, "0xb5", NOON,
)  # fmt: skip
RESOLVE = ResolveException("rc_1", "rx_1", "ignored", "dust", NOON + timedelta(days=1))


def recorded() -> Reconciliation:
    return evolve(evolve(None, COMPLETED), OPENED)


def test_a_run_is_recorded_with_its_exceptions() -> None:
    command = RecordReconciliation(COMPLETED, (OPENED,))
    assert decide(None, command) == (COMPLETED, OPENED)
    with pytest.raises(AlreadyExists):
        decide(recorded(), command)


def test_more_exceptions_than_a_person_can_settle_are_refused() -> None:
    with pytest.raises(NotAllowed):
        decide(None, RecordReconciliation(COMPLETED, (OPENED,) * (EXCEPTIONS_MAX + 1)))


def test_an_exception_is_settled_once_and_with_a_reason() -> None:
    (resolved,) = decide(recorded(), RESOLVE)
    assert resolved == ReconciliationExceptionResolved(
        "rc_1", "rx_1", "ignored", "dust", RESOLVE.at
    )
    with pytest.raises(NotAllowed):
        decide(evolve(recorded(), resolved), RESOLVE)
    with pytest.raises(Malformed):
        decide(recorded(), replace(RESOLVE, reason=" "))
    with pytest.raises(NotFound):
        decide(recorded(), replace(RESOLVE, exception_id="rx_2"))
    with pytest.raises(NotFound):
        decide(None, RESOLVE)


def test_a_drift_is_what_the_books_have_more() -> None:
    asset = AssetPosition(
        "ethereum:USDC", 6, "100", "50", "20", "1", "100", "30", "5", "1", "0", None
    )  # fmt: skip
    assert (asset.chain_closing, asset.ledger_closing, asset.drift) == (129, 124, -5)
