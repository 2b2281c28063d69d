"""Reconciliations: their runs, and the exceptions that they opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flamewire_ledger.queries.database import Row
from flamewire_ledger.queries.pages import Listing, Page
from flamewire_ledger.queries.read_models import ReadModels

READ_MODEL: Final = "reconciliations"
EXCEPTIONS_MAX: Final = 20_000  # in one report: those of this run, and what was open before
_PAGE_ROWS: Final = 5_000


async def run(reads: ReadModels, merchant_id: str, reconciliation_id: str) -> Row | None:
    """One run, or None."""
    asked = {"merchant_id": merchant_id, "reconciliation_id": reconciliation_id}
    rows = await reads.ask(READ_MODEL, "reconciliation_by_id", asked)
    return rows[0] if rows else None


async def runs(
    reads: ReadModels, merchant_id: str, page: Page, *, network: str | None = None
) -> Listing:
    """A page of them, the last first."""
    return await reads.listing("reconciliations", page, merchant_id=merchant_id, network=network)


async def exception(reads: ReadModels, merchant_id: str, exception_id: str) -> Row | None:
    """One exception, or None."""
    asked = {"merchant_id": merchant_id, "exception_id": exception_id}
    rows = await reads.ask(READ_MODEL, "exception_by_id", asked)
    return rows[0] if rows else None


async def exceptions(
    reads: ReadModels,
    merchant_id: str,
    page: Page,
    *,
    status: str | None = None,
    network: str | None = None,
    reconciliation_id: str | None = None,
) -> Listing:
    """A page of exceptions, the last first."""
    return await reads.listing(
        "exceptions",
        page,
        merchant_id=merchant_id,
        status=status,
        network=network,
        reconciliation_id=reconciliation_id,
    )


async def open_at(
    reads: ReadModels, merchant_id: str, chain_id: str | None, position: int
) -> Sequence[Row]:
    """The exceptions of a chain (None: of all) that were open at a position, oldest first."""
    found: list[Row] = []
    after = 0
    while len(found) < EXCEPTIONS_MAX:
        rows = await reads.ask(
            READ_MODEL,
            "exceptions_open",
            {
                "merchant_id": merchant_id, "chain_id": chain_id, "until": position,
                "after": after, "limit": _PAGE_ROWS,
            },
        )  # fmt: skip
        if not rows:
            break
        found += rows
        after = rows[-1]["position"]
    return found


async def found_by(reads: ReadModels, run: Mapping[str, Any]) -> Sequence[Row]:
    """What the report of a run lists: what was open before and still found, and what it opened.

    What was settled since does not change it.
    """
    # In the log, what it opened and what it settled follow it at once.
    last = int(run["position"]) + int(run["opened"]) + int(run["settled"])
    return await open_at(reads, run["merchant_id"], run["chain_id"], last)
