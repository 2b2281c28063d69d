"""What can become true of a reconciliation: it was made, it opened exceptions, each was settled.

A run is one stream. Its exceptions live in it; one that a later run still finds is not opened again,
and one that a later run does not find any more is settled by that run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Literal, TypeAlias

from flamewire_ledger.domain.reconciliation.matching import Kind, Standing

# How an exception ended. The books are changed by commands of their own, never by this.
Settled: TypeAlias = Literal[
    "posted_automatically",  # a later run agrees
    "posted_manually",  # a person had it booked
    "forced",  # a person lets it count as it is
    "ignored",
]
EXCEPTIONS_MAX: Final = 10_000  # of one run: with more, something else is wrong


@dataclass(frozen=True, slots=True)
class Pin:
    """A final block that all of a run is judged at."""

    height: int
    hash: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LogPin:
    """A position of one partition, and the root of the Merkle tree over all events up to it.

    `tree` holds what the next run goes on from: (events, root) of each complete part.
    """

    partition: int
    position: int
    root: str
    tree: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AssetPosition:
    """One asset on both sides, in base units.

    The chain's side is what our addresses received, less what left them; `held_units` is what is
    still there, where the chain can tell. Where it cannot, what was told to the ledger is what left.
    """

    asset: str
    decimals: int
    chain_opening_units: str
    chain_in_units: str
    chain_out_units: str  # without fees
    chain_fee_units: str
    ledger_opening_units: str
    ledger_in_units: str
    ledger_out_units: str  # taken back by the chain, and disposed of; without fees
    ledger_fee_units: str
    untold_units: str  # left, in all until now, and nobody told the ledger of it
    held_units: str | None

    @property
    def chain_closing(self) -> int:
        into = int(self.chain_opening_units) + int(self.chain_in_units)
        return into - int(self.chain_out_units) - int(self.chain_fee_units)

    @property
    def ledger_closing(self) -> int:
        into = int(self.ledger_opening_units) + int(self.ledger_in_units)
        return into - int(self.ledger_out_units) - int(self.ledger_fee_units)

    @property
    def drift(self) -> int:
        """What the books have more than the chain; negative where they have less."""
        return self.ledger_closing - self.chain_closing


@dataclass(frozen=True, slots=True)
class StandingCount:
    standing: Standing
    count: int


@dataclass(frozen=True, slots=True)
class ReconciliationCompleted:
    """Everything that the report shows but its exceptions."""

    type: ClassVar = "reconciliation.completed.v1"
    reconciliation_id: str
    network: str
    chain_id: str  # CAIP-2
    first_height: int
    pin: Pin
    log: tuple[LogPin, ...]
    matched: int
    positions: tuple[AssetPosition, ...]
    standings: tuple[StandingCount, ...]
    found: int  # exceptions in all, opened now or before
    opened: int
    settled: int  # by this run
    code_version: str
    completed_at: datetime


@dataclass(frozen=True, slots=True)
class ReconciliationExceptionOpened:
    """One discrepancy, with all that a person or a later run needs to judge it."""

    type: ClassVar = "reconciliation.exception_opened.v1"
    reconciliation_id: str
    exception_id: str
    network: str
    chain_id: str
    kind: Kind
    subject: str  # the key of a transfer, the id of a payment or invoice, or an asset
    since: datetime
    concerns: str | None  # the stream that posted it
    address: str | None
    asset: str | None
    decimals: int | None
    expected_units: str | None
    found_units: str | None
    found: str | None
    height: int | None
    block_hash: str | None
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class ReconciliationExceptionResolved:
    type: ClassVar = "reconciliation.exception_resolved.v1"
    reconciliation_id: str
    exception_id: str
    settled: Settled
    reason: str
    resolved_at: datetime


ReconciliationEvent: TypeAlias = (
    ReconciliationCompleted | ReconciliationExceptionOpened | ReconciliationExceptionResolved
)
