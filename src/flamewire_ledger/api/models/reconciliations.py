"""Reconciliations as they are answered, and what may be decided about their exceptions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from flamewire_ledger.api.fields import Body, Identifier, Page, Reference, Symbol, View
from flamewire_ledger.domain.reconciliation import Settled
from flamewire_ledger.domain.reconciliation.matching import Kind, Standing

Height = Annotated[int, Field(ge=0, le=2**63 - 1)]


class ReconciliationSummary(View):
    """One network, its wallets and its payments, compared up to a final block."""

    id: str
    object: Literal["reconciliation"]
    livemode: bool
    network: str
    chain_id: str = Field(description="CAIP-2")
    first_block: int
    block: int = Field(description="The final block that all of it is judged at.")
    block_hash: str
    block_at: datetime
    has_drift: bool = Field(description="Whether any asset's books differ from its chain.")
    matched: int = Field(description="Transfers on which chain and books agree.")
    found: int = Field(description="Exceptions in all, opened now or before.")
    opened: int
    settled: int = Field(description="Exceptions of earlier runs that were not found any more.")
    completed_at: datetime
    position: int


class LogPinView(View):
    partition: int
    position: int
    merkle_root: str = Field(description="Of all events up to the position, as RFC 6962 hashes.")


class ChainSide(View):
    """What our addresses received, less what left; `held` is what is there still, where the chain can
    tell. Where it cannot, what left is what the ledger was told of.
    """

    opening: str
    opening_minor: str
    in_: str = Field(alias="in")
    in_minor: str
    out: str
    out_minor: str
    fees: str
    fees_minor: str
    closing: str
    closing_minor: str
    held: str | None = None
    held_minor: str | None = None


class LedgerSide(View):
    opening: str
    opening_minor: str
    in_: str = Field(alias="in")
    in_minor: str
    out: str
    out_minor: str
    fees: str
    fees_minor: str
    closing: str
    closing_minor: str


class AssetReconciled(View):
    """`drift` is what the books have more than the chain; negative: less. `left_untold`: what left our
    addresses until now, and no disposal says so.
    """

    asset: str
    asset_code: str
    chain: ChainSide
    ledger: LedgerSide
    drift: str
    drift_minor: str
    left_untold: str
    left_untold_minor: str


class ExceptionFound(View):
    """One thing that did not agree, as its run found it."""

    id: str
    object: Literal["reconciliation_exception"]
    reconciliation_id: str
    network: str
    chain_id: str
    kind: Kind
    subject: str = Field(
        description="The key of a transfer, the id of a payment intent or invoice, or an asset."
    )
    stream_id: str | None
    address: str | None
    asset_code: str | None
    expected: str | None
    expected_minor: str | None
    found: str | None
    found_minor: str | None
    found_instead: str | None
    block: int | None
    block_hash: str | None
    since: datetime
    age_seconds: int
    opened_at: datetime
    to_do: str


class ReconciliationException(ExceptionFound):
    status: Literal["open", "settled"]
    settled: Settled | None
    reason: str | None
    resolved_at: datetime | None
    position: int


class ReconciliationView(ReconciliationSummary):
    log: list[LogPinView]
    assets: list[AssetReconciled]
    payments: dict[Standing, int]
    exceptions: list[ExceptionFound]
    code_version: str


class Reconciliations(View):
    object: Literal["list"]
    data: list[ReconciliationSummary]
    has_more: bool


class ReconciliationExceptions(View):
    object: Literal["list"]
    data: list[ReconciliationException]
    has_more: bool


class ListReconciliations(Page):
    network: Symbol | None = None


class ListReconciliationExceptions(Page):
    status: Literal["open", "settled"] | None = None
    network: Symbol | None = None
    reconciliation_id: Identifier | None = None


class CreateReconciliation(Body):
    """Of the caller's own books. Without blocks: from the last reconciled one to the newest final."""

    network: Symbol
    first_block: Height | None = None
    block: Height | None = None


class ResolveReconciliationException(Body):
    """How it ends. The books are changed by what books: a rescan, a payment's resolution."""

    settled: Literal["posted_manually", "forced", "ignored"]
    reason: Reference
