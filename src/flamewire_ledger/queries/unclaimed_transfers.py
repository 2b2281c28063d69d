"""Unclaimed transfers: what came to an address of many payments and is none of theirs."""

from __future__ import annotations

from typing import Final

from flamewire_ledger.queries.database import Row
from flamewire_ledger.queries.pages import Listing, Page
from flamewire_ledger.queries.read_models import ReadModels

READ_MODEL: Final = "unclaimed_transfers"


async def transfer(reads: ReadModels, merchant_id: str, unclaimed_id: str) -> Row | None:
    """One of them, or None."""
    rows = await reads.ask(
        READ_MODEL,
        "unclaimed_transfer_by_id",
        {"merchant_id": merchant_id, "unclaimed_id": unclaimed_id},
    )
    return rows[0] if rows else None


async def transfers(
    reads: ReadModels,
    merchant_id: str,
    page: Page,
    *,
    status: str | None = None,
    network: str | None = None,
    payment_id: str | None = None,
) -> Listing:
    """A page of them, the last to be seen first."""
    return await reads.listing(
        "unclaimed_transfers",
        page,
        merchant_id=merchant_id,
        status=status,
        network=network,
        payment_id=payment_id,
    )


async def waiting(reads: ReadModels) -> dict[str, int]:
    """How many wait for a person, by CAIP-2 chain id, whoever's they are."""
    rows = await reads.ask(READ_MODEL, "unclaimed_transfers_waiting", {})
    return {row["chain_id"]: row["count"] for row in rows}
