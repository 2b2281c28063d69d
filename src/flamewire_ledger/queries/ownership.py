"""Registered addresses: whose they are, and what for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flamewire_ledger.queries.database import Row
from flamewire_ledger.queries.pages import Listing, Page
from flamewire_ledger.queries.read_models import ReadModels

READ_MODEL: Final = "ownership"
SENDERS_MAX: Final = 1_000


async def address(reads: ReadModels, merchant_id: str, ownership_id: str) -> Row | None:
    """One registered address, in force or not."""
    rows = await reads.ask(
        READ_MODEL,
        "registered_address_by_id",
        {"merchant_id": merchant_id, "ownership_id": ownership_id},
    )
    return rows[0] if rows else None


async def addresses(
    reads: ReadModels,
    merchant_id: str,
    page: Page,
    *,
    purpose: str | None = None,
    status: str | None = None,
    payment_id: str | None = None,
    account_id: str | None = None,
    chain_id: str | None = None,
    address: str | None = None,
) -> Listing:
    return await reads.listing(
        "registered_addresses",
        page,
        merchant_id=merchant_id,
        purpose=purpose,
        status=status,
        payment_id=payment_id,
        account_id=account_id,
        chain_id=chain_id,
        address=address,
    )


async def senders(
    reads: ReadModels, merchant_id: str, chain_id: str, addresses: Sequence[str]
) -> Sequence[Row]:
    """Who proved that these addresses are theirs to send from, the newest proof of each address first.
    Several may have: they share a wallet.
    """
    return await reads.ask(
        READ_MODEL,
        "senders_at",
        {
            "merchant_id": merchant_id,
            "chain_id": chain_id,
            "addresses": list(addresses),
            "limit": SENDERS_MAX,
        },
    )


async def refund_addresses(
    reads: ReadModels, merchant_id: str, payment_id: str, account_id: str | None
) -> Sequence[Row]:
    """Where to send what is paid back: one for each network at most. What was proved for the payment
    itself comes before what was proved for its credit account.
    """
    return await reads.ask(
        READ_MODEL,
        "refund_addresses",
        {"merchant_id": merchant_id, "payment_id": payment_id, "account_id": account_id},
    )
